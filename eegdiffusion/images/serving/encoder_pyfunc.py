"""Files, signature and input example that all encoders of EEG epochs share."""

from pathlib import Path

import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from eegdiffusion.core.signal.epoch_scaler import FILE as INPUT
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.storage.input_example import read_input_example
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.registry import load_encoder
from eegdiffusion.images.encoders.training_folders import ENCODER


def encoder_artifacts(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Gather what an encoder of epochs (n, electrodes, samples) float32 to (n, outputs) float32 is logged with.

    Args:
        folder: folder of a training that ``train_eeg_encoder`` wrote.

    Returns:
        paths of the artifacts by name, the signature, and the input example.
    """
    example = read_input_example(folder)
    outputs = EEGEncoder.load_config(folder / ENCODER)["n_outputs"]
    inputs = TensorSpec(np.dtype("float32"), (-1, *example.shape[1:]))
    signature = ModelSignature(Schema([inputs]), Schema([TensorSpec(np.dtype("float32"), (-1, outputs))]))
    return {"encoder": folder / ENCODER, "input": folder / INPUT}, signature, example


class Loaded:
    """An encoder with the filter and scale that its training epochs passed.

    Args:
        artifacts: paths of the model's artifacts by name, with ``encoder`` and ``input``.
    """

    def __init__(self, artifacts: dict[str, str]):
        self.encoder = load_encoder(Path(artifacts["encoder"]))
        self.input = EpochInput.load(Path(artifacts["input"]).parent)

    @torch.inference_mode()
    def __call__(self, epochs) -> torch.Tensor:
        """Encode epochs of a person whom training has not seen, or need not tell from others."""
        eeg = self.input(np.ascontiguousarray(epochs, dtype=np.float32))
        return self.encoder(torch.from_numpy(eeg.astype(np.float32)))
