"""A registered EEG-ConDiffusion as an MLflow model: EEG epochs -> images."""

from pathlib import Path

import mlflow
import numpy as np
from mlflow.models import ModelSignature

from eegdiffusion.core.training.device import serving_device
from eegdiffusion.images.condiffusion.adaptation import read_adaptation
from eegdiffusion.images.condiffusion.condiffusion_sampling import generate_images, load_pipeline, read_sampling
from eegdiffusion.images.generation.generator import Source
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.serving import encoder_pyfunc, image_pyfunc


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return files, signature and input example of a folder that train_condiffusion wrote.

    The generator and the classifier go into the model as well; a large pipeline stays where it is.
    """
    adaptation = read_adaptation(folder)
    generator = Path(adaptation.generator)
    artifacts, _, example = encoder_pyfunc.encoder_artifacts(Path(adaptation.classifier))
    side = Source.read(generator).image_size
    artifacts |= {"condiffusion": folder, "generator": generator}
    return artifacts, image_pyfunc.image_signature(example, side, read_sampling(folder)), example


class EEGToImages(image_pyfunc.ImageModel):
    """Generates an image of each epoch."""

    def load_context(self, context) -> None:
        """Read EEG-ConDiffusion, generator, encoder and scale from the model's artifacts."""
        paths = {name: Path(path) for name, path in context.artifacts.items()}
        self.pipeline = load_pipeline(
            paths["condiffusion"], paths["generator"], paths["encoder"], paths["input"].parent
        )
        self.device = serving_device()
        self.pipeline.to(self.device)
        self.input = self.pipeline.input

    def generate(self, epochs: np.ndarray, arm: str, seeds: list[int], sampling: Sampling) -> np.ndarray:
        """Generate an image (side, side, 3) uint8 of each epoch; see :meth:`ImageModel.generate`."""
        return generate_images(self.pipeline, epochs, seeds, sampling)


mlflow.models.set_model(EEGToImages())
