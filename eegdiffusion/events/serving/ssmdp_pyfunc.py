"""A registered SSMDP backbone as an MLflow model: noisy signals, steps and channels -> velocity."""

from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from eegdiffusion.events.models import signal_transform


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, dict[str, np.ndarray]]:
    """Return the files, signature and input example of a folder that pretrain_ssmdp wrote.

    Inputs are x (n, 1, length) float32 in embedded units, step (n, 1) and channel (n, 1) int64; output (n, 1, length).
    """
    signal = TensorSpec(np.dtype("float32"), (-1, 1, -1), "x")
    steps, channels = (TensorSpec(np.dtype("int64"), (-1, 1), name) for name in ("step", "channel"))
    output = TensorSpec(np.dtype("float32"), (-1, 1, -1))
    noise = np.random.default_rng(0).standard_normal((2, 1, 1000), dtype=np.float32)
    example = {"x": noise, "step": np.array([[1], [10]]), "channel": np.array([[0], [1]])}
    signature = ModelSignature(Schema([signal, steps, channels]), Schema([output]))
    return {"backbone": folder / "backbone"}, signature, example


class Velocity(mlflow.pyfunc.PythonModel):
    """Predicts the diffusion velocity."""

    def load_context(self, context) -> None:
        """Read the backbone from the model's artifacts."""
        self.backbone, self.transform = signal_transform.load(Path(context.artifacts["backbone"]))

    @torch.inference_mode()
    def predict(self, context, model_input, params=None):
        """Return the velocity (n, 1, samples) of ``x`` (n, 1, samples) at ``step`` and ``channel``, (n, 1) each."""
        x, step, channel = (torch.as_tensor(np.asarray(model_input[name])) for name in ("x", "step", "channel"))
        return self.backbone(x, step, channel).numpy()


mlflow.models.set_model(Velocity())
