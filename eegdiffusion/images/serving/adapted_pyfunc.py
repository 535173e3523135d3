"""A registered encoder that was adapted to one subject as an MLflow model: EEG epochs -> features of the image seen."""

from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature

from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.images.adaptation.adapted_encoder import HEAD, load_adapted
from eegdiffusion.images.features.image_targets import load_mean
from eegdiffusion.images.serving import aligned_pyfunc


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return files, signature and input example of a folder that ``eeg adapt`` wrote."""
    artifacts, signature, example = aligned_pyfunc.package(folder)
    return artifacts | ({"head": folder / HEAD} if (folder / HEAD).is_dir() else {}), signature, example


class AdaptedEmbedding(mlflow.pyfunc.PythonModel):
    """Predicts image features (n, width) from the subject's epochs (n, electrodes, samples) as the store has them."""

    def load_context(self, context) -> None:
        """Read encoder, scale and mean feature from the model's artifacts."""
        paths = {name: Path(path) for name, path in context.artifacts.items()}
        self.model = load_adapted(paths["encoder"].parent)
        self.input, self.mean = EpochInput.load(paths["input"].parent), load_mean(paths["target"])

    @torch.inference_mode()
    def predict(self, context, model_input, params=None):
        """Return the image features (n, width) that epochs (n, electrodes, samples) predict."""
        eeg = self.input(np.ascontiguousarray(model_input, dtype=np.float32))
        return self.model(torch.from_numpy(eeg.astype(np.float32))).numpy() + self.mean


mlflow.models.set_model(AdaptedEmbedding())
