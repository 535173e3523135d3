"""A registered SGDM as an MLflow model: EEG epochs -> images, and their structure."""

from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature

from eegdiffusion.core.storage.input_example import read_input_example
from eegdiffusion.core.training.device import serving_device
from eegdiffusion.images.figures.structure_figures import draw_maps
from eegdiffusion.images.generation.generator import Source, load_generator
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.serving import image_pyfunc
from eegdiffusion.images.sgdm.sgdm import load_sgdm, read_defaults

SEMANTICS, STRUCTURE, RIDGE = "semantics_only", "structure_only", "ridge"


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return files, signature and input example of a folder that train_controlnet wrote.

    The generator goes into the model as well; a large pipeline stays where it is.
    """
    generator, sampling, _ = read_defaults(folder)
    example = read_input_example(folder)
    side = Source.read(generator).image_size
    return {"sgdm": folder, "generator": generator}, image_pyfunc.image_signature(example, side, sampling), example


class GuidedImages(image_pyfunc.ImageModel):
    """Generates an image of each epoch, by what EEG says of its features and its structure, or by one of the two."""

    arms = (*image_pyfunc.ImageModel.arms, SEMANTICS, STRUCTURE, RIDGE)

    def load_context(self, context) -> None:
        """Read SGDM and its generator from the model's artifacts."""
        paths = {name: Path(path) for name, path in context.artifacts.items()}
        self.device = serving_device()
        self.sgdm = load_sgdm(paths["sgdm"], load_generator(paths["generator"]).to(self.device))
        _, _, self.control = read_defaults(paths["sgdm"])
        self.input = self.sgdm.semantics.scale

    @torch.inference_mode()
    def generate(self, epochs: np.ndarray, arm: str, seeds: list[int], sampling: Sampling) -> np.ndarray:
        """Generate an image (side, side, 3) uint8 of each epoch; see :meth:`ImageModel.generate`."""
        eeg = torch.from_numpy(epochs).to(self.device)
        source = self.sgdm.baseline if arm == RIDGE else self.sgdm.semantics
        features = None if arm == STRUCTURE else source(eeg)
        structure = None if arm in (SEMANTICS, RIDGE) else self.sgdm.predictor.decode_renormalised(eeg)
        return self.sgdm.generate(features, structure, seeds, sampling, self.control)

    @torch.inference_mode()
    def structure(self, epochs: np.ndarray) -> np.ndarray:
        """Predict the structure of the image seen, drawn as (n, side, side, 3) uint8."""
        return draw_maps(
            self.sgdm.predictor.decode_renormalised(torch.from_numpy(epochs).to(self.device)).cpu().numpy()
        )


mlflow.models.set_model(GuidedImages())
