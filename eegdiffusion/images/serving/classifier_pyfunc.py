"""A registered classifier of EEG epochs as an MLflow model: epochs -> probabilities of the concepts seen."""

from pathlib import Path

import mlflow
import numpy as np
from mlflow.models import ModelSignature

from eegdiffusion.images.serving import encoder_pyfunc


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return files, signature and input example of a folder that train_eeg_encoder wrote."""
    return encoder_pyfunc.encoder_artifacts(folder)


class ConceptClassifier(mlflow.pyfunc.PythonModel):
    """Classifies epochs (n, electrodes, samples) as the epoch store has them; returns probabilities (n, classes)."""

    def load_context(self, context) -> None:
        """Read encoder and scale from the model's artifacts."""
        self.loaded = encoder_pyfunc.Loaded(context.artifacts)

    def predict(self, context, model_input, params=None):
        """Return the probabilities (n, classes) of the concepts, for epochs (n, electrodes, samples)."""
        return self.loaded(model_input).softmax(-1).numpy()


mlflow.models.set_model(ConceptClassifier())
