"""A registered predictor of structure as an MLflow model: EEG epochs -> structure maps of the image seen."""

from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from eegdiffusion.core.storage.input_example import read_input_example
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import PREDICTOR, VAE, load_structure_predictor
from eegdiffusion.images.structure.structure_maps import CHANNELS


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return files, signature and input example of a folder that train_structural_vae wrote."""
    example = read_input_example(folder)
    config = StructuralVAE.load_config(folder / PREDICTOR / VAE)
    side, channels = config["image_size"], CHANNELS[config["structure"]]
    inputs = TensorSpec(np.dtype("float32"), (-1, *example.shape[1:]))
    outputs = TensorSpec(np.dtype("float32"), (-1, side, side, channels))
    return {"predictor": folder / PREDICTOR}, ModelSignature(Schema([inputs]), Schema([outputs])), example


class StructurePredictor(mlflow.pyfunc.PythonModel):
    """Predicts maps (n, side, side, channels), 0 to 1, from epochs (n, electrodes, samples) as the store has them."""

    def load_context(self, context) -> None:
        """Read the predictor from the model's artifacts."""
        self.predictor = load_structure_predictor(Path(context.artifacts["predictor"]))

    @torch.inference_mode()
    def predict(self, context, model_input, params=None):
        """Return structure maps (n, side, side, channels) from 0 to 1, for epochs (n, electrodes, samples)."""
        eeg = torch.from_numpy(np.ascontiguousarray(model_input, dtype=np.float32))
        return self.predictor(eeg).movedim(1, -1).numpy()


mlflow.models.set_model(StructurePredictor())
