"""A registered encoder aligned with images as an MLflow model: EEG epochs -> features of the image seen."""

from pathlib import Path

import mlflow
import numpy as np
from mlflow.models import ModelSignature

from eegdiffusion.core.storage.result_facts import METRICS
from eegdiffusion.images.features.image_targets import FILE, load_mean
from eegdiffusion.images.serving import encoder_pyfunc


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return files, signature and input example of a folder that train_eeg_encoder wrote.

    What the training says of itself goes with it: whom the model has seen, and features of which network it predicts.
    """
    artifacts, signature, example = encoder_pyfunc.encoder_artifacts(folder)
    return artifacts | {"target": folder / FILE, "facts": folder / METRICS}, signature, example


class EEGEmbedding(mlflow.pyfunc.PythonModel):
    """Predicts image features (n, width) from epochs (n, electrodes, samples) as the epoch store has them."""

    def load_context(self, context) -> None:
        """Read encoder, scale and mean feature from the model's artifacts."""
        self.loaded = encoder_pyfunc.Loaded(context.artifacts)
        self.mean = load_mean(Path(context.artifacts["target"]))

    def predict(self, context, model_input, params=None):
        """Return the image features (n, width) that epochs (n, electrodes, samples) predict."""
        return self.loaded(model_input).numpy() + self.mean


mlflow.models.set_model(EEGEmbedding())
