"""A registered LFT with its frozen backbone as an MLflow model: windows -> class probabilities."""

import json
from dataclasses import asdict, fields
from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature

from eegdiffusion.core.storage.input_example import read_input_example
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.results.window_input import PREPROCESSING, read_preprocessing
from eegdiffusion.events.serving.window_signature import window_signature


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return the files, signature and input example of a folder that finetune_lft wrote."""
    example = read_input_example(folder)
    classes = LFT.load_config(folder / "lft")["n_class"]
    artifacts = {name: folder / name for name in ("lft", "backbone")} | {"latents": folder / "latents.json"}
    artifacts["preprocessing"] = folder / PREPROCESSING
    return artifacts, window_signature(example, classes), example


class EventClassifier(mlflow.pyfunc.PythonModel):
    """Classifies windows (n, channels, samples) in 100 uV; returns probabilities (n, classes).

    Attributes:
        preprocessing: fields of ``eegdiffusion.core.signal.preprocessing.Preprocessing``: how recordings become
            windows.
    """

    def load_context(self, context) -> None:
        """Read backbone, LFT, latents and preprocessing from the model's artifacts."""
        self.backbone, self.transform = signal_transform.load(Path(context.artifacts["backbone"]))
        self.lft = LFT.from_pretrained(context.artifacts["lft"]).eval()
        recipe = json.loads(Path(context.artifacts["latents"]).read_text())["recipe"]
        self.preprocessing = asdict(read_preprocessing(Path(context.artifacts["preprocessing"])))
        self.latents = Latents(**{field.name: recipe[field.name] for field in fields(Latents)})
        self.channel_ids = recipe.get("channel_ids")  # an imported classifier's are those of its backbone

    @torch.inference_mode()
    def predict(self, context, model_input, params=None):
        """Return the probabilities of windows (n, channels, samples) in 100 uV: (n, classes) float32."""
        signals = torch.as_tensor(np.ascontiguousarray(model_input, dtype=np.float32))
        tokens = signal_transform.tokens(
            self.backbone, self.transform, self.latents, signals, torch.Generator().manual_seed(0), self.channel_ids
        )
        return self.lft(tokens).softmax(-1).numpy()


mlflow.models.set_model(EventClassifier())
