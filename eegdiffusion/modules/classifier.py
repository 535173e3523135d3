"""A classifier of EEG on the backbone's tokens, with the constructor of braindecode's models."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.models.lft_network import LFTNetwork, LFTSizes
from eegdiffusion.events.models.ssmdp_network import SSMDPSizes
from eegdiffusion.modules.backbone import Backbone
from eegdiffusion.modules.token_settings import TokenSettings

WINDOW_S = 5.0
"""Length of a window in seconds where none is stated, that of EEGDM."""


class Classifier(nn.Module):
    """Classifies windows of EEG: :class:`.Backbone`, Latent Fusion Transformer, and a linear layer ``final_layer``.

    The arguments up to ``sfreq`` are those of braindecode's models, in their order.

    Args:
        n_outputs: number of classes; None: those of the classifier that is read, or two.
        n_chans: number of channels; None: those of ``chs_info``, or the backbone's own.
        chs_info: channels as in MNE's ``info["chs"]``: each with ``ch_name`` and, for names without a place in MNE's
            standard_1005, ``loc``. None: the backbone's own channels, in order.
        n_times: samples of a window.
        input_window_seconds: seconds of a window, in place of ``n_times``; 5 s where neither is stated.
        sfreq: sampling rate in Hz of the windows; None: the rate that the backbone was trained at.
        unit: of the windows, see :class:`.Backbone`; braindecode's datasets are in volts until they are scaled.
        frozen: whether the backbone's weights begin without gradients, as EEGDM trains its classifier.
        pretrained: folder to read, see :meth:`from_pretrained`; sizes and ``tokens`` are then those of the folder.
        sizes: sizes of the backbone's network.
        fusion: sizes of the transformer; width, layers, seconds and classes follow from the other arguments.
        tokens: how the backbone makes tokens.
        classes: names of the classes, in the order of the outputs.

    Raises:
        InputError: an argument breaks its rule; the message names both.

    Attributes:
        backbone: the :class:`.Backbone`.
        fusion: the transformer, from tokens to features (batch, width).
        final_layer: from features to logits.
    """

    def __init__(
        self,
        n_outputs: int | None = None,
        n_chans: int | None = None,
        chs_info: Sequence[Mapping[str, Any]] | None = None,
        n_times: int | None = None,
        input_window_seconds: float | None = None,
        sfreq: float | None = None,
        unit: str | float = "V",
        frozen: bool = False,
        pretrained: Path | str | None = None,
        sizes: SSMDPSizes | None = None,
        fusion: LFTSizes | None = None,
        tokens: TokenSettings | None = None,
        classes: Sequence[str] | None = None,
    ):
        super().__init__()
        stored = None
        if pretrained is not None:
            from eegdiffusion.modules.pretrained_folder import read_classifier_parts

            stored = read_classifier_parts(Path(pretrained))
            sizes, fusion, tokens = stored.sizes, stored.fusion, stored.tokens
        names, places = _channels(chs_info, n_chans)
        self.backbone = Backbone(names, sfreq, places, unit, frozen, sizes, tokens)
        self.chs_info, self.n_chans, self.sfreq = chs_info, len(self.backbone.ch_names), self.backbone.sfreq
        if n_chans is not None and n_chans != self.n_chans:
            raise InputError(f"n_chans: must be {self.n_chans}, or chs_info must name the channels (found {n_chans})")
        self.n_times = _samples(n_times, input_window_seconds, self.sfreq)
        self.input_window_seconds = self.n_times / self.sfreq
        known = fusion or LFTSizes(n_class=2)
        self.n_outputs, self.classes = _outputs(n_outputs, classes, stored.classes if stored else None, known.n_class)
        if known.fusion != "cross_attention" and self.n_chans != known.n_channel:
            rule = f"must be {known.n_channel}, as a classifier of fusion {known.fusion} knows its channels by place"
            raise InputError(f"n_chans: {rule} (found {self.n_chans})")
        seconds = max(1, self.backbone.resampling.resampled_length(self.n_times) // self.backbone.tokens.window)
        network = self.backbone.sizes
        self.sizes = replace(
            known, d_model=network.d_model, n_layer=network.n_layer, n_pool=seconds, n_class=self.n_outputs
        )
        self.fusion = LFTNetwork(self.sizes)
        self.fusion.classifier.linear = nn.Identity()
        self.final_layer: nn.Module = nn.Linear(network.d_model, self.n_outputs)
        if stored is not None:
            stored.load_into(self)

    @classmethod
    def from_pretrained(cls, folder: Path | str, **settings: Any) -> Self:
        """Read a classifier from a folder, offline, in evaluation mode.

        A window of another length has the position embeddings of as many seconds, the last repeated where there are
        more; another number of outputs has a ``final_layer`` that is drawn anew.

        Args:
            folder: what :meth:`save_pretrained` or ``eeg export`` wrote, a copy of it from a hub, or the folder of a
                trained LFT.
            **settings: arguments of the class that are not those of the folder: ``chs_info``, ``n_times``, ``unit``...

        Raises:
            InputError: the folder holds no such classifier, or what it holds breaks a rule; the message names both.
        """
        from eegdiffusion.modules.pretrained_folder import read_classifier

        return read_classifier(cls, Path(folder), settings)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write ``config.json``, ``model.safetensors`` and a card, ``README.md``, as hubs of models have them.

        Raises:
            InputError: the folder holds other files.
        """
        from eegdiffusion.modules.pretrained_folder import write_classifier

        write_classifier(self, Path(folder))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of a batch of one window: (1, channels, samples)."""
        return 1, self.n_chans, self.n_times

    def get_output_shape(self) -> tuple[int, ...]:
        """Return the shape of the output for a batch of one window: (1, outputs)."""
        return 1, self.n_outputs

    def features(self, x: Tensor) -> Tensor:
        """Return what ``final_layer`` sees of windows (batch, channels, samples): (batch, width)."""
        tokens = self.backbone(x)
        fewer = tokens.shape[2] < self.sizes.n_pool and self.sizes.fusion == "cross_attention"
        return self.fusion.features(tokens, missing_pools=fewer)

    def forward(self, x: Tensor) -> Tensor:
        """Classify windows.

        Args:
            x: (batch, channels, samples) in the unit and at the rate of the classifier. Windows may be shorter than
                ``n_times``, down to one second; the seconds that they lack are then left out.

        Returns:
            logits (batch, outputs).

        Raises:
            InputError: ``x`` breaks a rule.
        """
        return self.final_layer(self.features(x))

    @torch.inference_mode()
    def predict_proba(self, x: Tensor) -> Tensor:
        """Return the probabilities (batch, outputs) of windows, see :meth:`forward`; rows sum to 1."""
        return self(x).float().softmax(-1)


def _channels(
    chs_info: Sequence[Mapping[str, Any]] | None, n_chans: int | None
) -> tuple[list[str] | None, list[Sequence[float]] | None]:
    """Return the names and places of braindecode's description of channels."""
    if chs_info is None:
        return None, None
    if n_chans is not None and len(chs_info) != n_chans:
        raise InputError(f"chs_info: must describe {n_chans} channels, as n_chans says (found {len(chs_info)})")
    if any("ch_name" not in channel for channel in chs_info):
        raise InputError("chs_info: each channel must have a ch_name")
    places: list[Sequence[float]] = [[float(value) for value in channel.get("loc", [])[:3]] for channel in chs_info]
    return [str(channel["ch_name"]) for channel in chs_info], places


def _outputs(
    n_outputs: int | None, classes: Sequence[str] | None, stored: Sequence[str] | None, known: int
) -> tuple[int, list[str] | None]:
    """Return the number of outputs, and the names of their classes where they are known."""
    names = [str(name) for name in ((stored or ()) if classes is None else classes)]
    count = _whole("n_outputs", len(names) or known if n_outputs is None else n_outputs, 1)
    if classes is not None and len(names) != count:
        raise InputError(f"classes: must be as many as n_outputs, {count} (found {len(names)})")
    return count, names if len(names) == count else None


def _whole(name: str, value: int, least: int, what: str = "") -> int:
    if not isinstance(value, Integral) or value < least:
        raise InputError(f"{name}: must be {least} {what}or more, a whole number (found {value!r})")
    return int(value)


def _samples(n_times: int | None, seconds: float | None, sfreq: float) -> int:
    if n_times is None:
        n_times = round((WINDOW_S if seconds is None else seconds) * sfreq)
    elif seconds is not None and round(seconds * sfreq) != n_times:
        raise InputError(f"n_times: must be {round(seconds * sfreq)}, as input_window_seconds says (found {n_times})")
    return _whole("n_times", n_times, 2, "samples ")
