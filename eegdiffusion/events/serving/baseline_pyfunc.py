"""A registered baseline as an MLflow model: windows -> class probabilities."""

import json
from dataclasses import asdict
from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature

from eegdiffusion.core.storage.input_example import read_input_example
from eegdiffusion.core.training.device import serving_device
from eegdiffusion.core.training.inference import in_parts_that_fit
from eegdiffusion.core.training.weights_file import load_weights
from eegdiffusion.events.models.baselines import build_baseline
from eegdiffusion.events.results.window_input import PREPROCESSING, read_preprocessing
from eegdiffusion.events.serving.window_signature import window_signature


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return the files, signature and input example of a seed's folder that train_baselines wrote."""
    example = read_input_example(folder)
    classes = json.loads((folder / "config.json").read_text())["classes"]
    return {"baseline": folder}, window_signature(example, classes), example


class BaselineClassifier(mlflow.pyfunc.PythonModel):
    """Classifies windows (n, channels, samples) in 100 uV; returns probabilities (n, classes).

    Attributes:
        preprocessing: fields of ``eegdiffusion.core.signal.preprocessing.Preprocessing``: how recordings become
            windows.
    """

    def load_context(self, context) -> None:
        """Read the baseline from the model's artifacts."""
        folder = Path(context.artifacts["baseline"])
        self.preprocessing = asdict(read_preprocessing(folder / PREPROCESSING))
        self.device = serving_device()
        self.model = build_baseline(**json.loads((folder / "config.json").read_text())).eval().to(self.device)
        weights = load_weights(folder / "model.safetensors", "model.safetensors: must be weights of a baseline")
        self.model.load_state_dict(weights)

    @torch.inference_mode()
    def predict(self, context, model_input, params=None):
        """Return the probabilities of windows (n, channels, samples) in 100 uV: (n, classes) float32."""
        signals = torch.as_tensor(np.ascontiguousarray(model_input, dtype=np.float32))
        return in_parts_that_fit(lambda windows: self.model(windows.to(self.device)).softmax(-1), signals).numpy()


mlflow.models.set_model(BaselineClassifier())
