"""The encoders of EEG epochs by name."""

import inspect
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.images.encoders.atms import ATMS
from eegdiffusion.images.encoders.eeg_channelnet import EEGChannelNet
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.eeg_lstm import EEGLSTM
from eegdiffusion.images.encoders.eegconvnet import EEGConvNet
from eegdiffusion.images.encoders.eegnet import EEGNet
from eegdiffusion.images.encoders.graph_encoder import GraphEncoder
from eegdiffusion.images.encoders.linear_encoder import LinearEncoder
from eegdiffusion.images.encoders.spatiotemporal import SpatioTemporal

ENCODERS: dict[str, type[EEGEncoder]] = {
    "spatiotemporal": SpatioTemporal,
    "atms": ATMS,
    "eegconvnet": EEGConvNet,
    "lstm": EEGLSTM,
    "eegnet": EEGNet,
    "channelnet": EEGChannelNet,
    "graph": GraphEncoder,
    "ridge": LinearEncoder,
}
"""Class of each encoder by its name in params.yaml."""


def takes_positions(name: str) -> bool:
    """Tell whether an encoder asks where its electrodes lie on the head."""
    return name in ENCODERS and "positions" in inspect.signature(ENCODERS[name].__init__).parameters


def build_encoder(name: str, **sizes) -> EEGEncoder:
    """Build an encoder with freshly drawn weights.

    Args:
        name: key of :data:`ENCODERS`.
        **sizes: arguments of its class.

    Raises:
        InputError: there is no such encoder, or it has no such argument.
    """
    if name not in ENCODERS:
        raise InputError(f"encoder: must be one of {', '.join(ENCODERS)} (found {name!r})")
    known = list(inspect.signature(ENCODERS[name].__init__).parameters)[1:]
    if unknown := sorted(sizes.keys() - set(known)):
        raise InputError(f"encoder {name}: options: must be among {', '.join(known)} (found {', '.join(unknown)})")
    return ENCODERS[name](**sizes)


def load_encoder(path: Path) -> EEGEncoder:
    """Load an encoder of any of the classes from the folder that ``save_pretrained`` wrote, in evaluation mode.

    Raises:
        InputError: ``config.json`` names no class of :data:`ENCODERS`.
    """
    name = EEGEncoder.load_config(path)["_class_name"]
    classes = {cls.__name__: cls for cls in ENCODERS.values()}
    if name not in classes:
        raise InputError(f"{path}/config.json: _class_name: must be one of {', '.join(classes)} (found {name!r})")
    return load_folder(classes[name], path).eval()
