"""Files, signature and input example that all encoders of EEG epochs share."""

from pathlib import Path

import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from components.models.eeg_encoder import EEGEncoder
from components.models.eeg_encoders import load_encoder
from components.serving.windows import read_example
from components.signal.epoch_input import FILE as INPUT
from components.signal.epoch_input import EpochInput

ENCODER = "encoder"


def files(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """What a model reads: epochs (n, electrodes, samples) float32 -> (n, outputs) float32."""
    example = read_example(folder)
    outputs = EEGEncoder.load_config(folder / ENCODER)["n_outputs"]
    inputs = TensorSpec(np.dtype("float32"), (-1, *example.shape[1:]))
    signature = ModelSignature(Schema([inputs]), Schema([TensorSpec(np.dtype("float32"), (-1, outputs))]))
    return {"encoder": folder / ENCODER, "input": folder / INPUT}, signature, example


class Loaded:
    """An encoder with the filter and scale that its training epochs passed.

    Args:
        artifacts: of the model, with ``encoder`` and ``input``.
    """

    def __init__(self, artifacts: dict[str, str]):
        self.encoder = load_encoder(Path(artifacts["encoder"]))
        self.input = EpochInput.load(Path(artifacts["input"]).parent)

    @torch.inference_mode()
    def __call__(self, epochs) -> torch.Tensor:
        """Encode epochs of a person whom training has not seen, or need not tell from others."""
        eeg = self.input(np.ascontiguousarray(epochs, dtype=np.float32))
        return self.encoder(torch.from_numpy(eeg.astype(np.float32)))
