"""A registered EEG-ConDiffusion as an MLflow model: EEG epochs -> pictures."""

import json
from dataclasses import asdict
from pathlib import Path

import mlflow
import numpy as np
from mlflow.models import ModelSignature

from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.images.condiffusion.condiffusion import read_adaptation
from eegdiffusion.images.condiffusion.condiffusion_sampling import generate, load_pictures
from eegdiffusion.images.generation.generator import FILE as GENERATOR
from eegdiffusion.images.generation.image_sampling import Sampling
from eegdiffusion.images.serving import encoder_pyfunc as epochs
from eegdiffusion.images.serving import image_pyfunc

SAMPLING = "sampling.json"


def write_sampling(folder: Path, sampling: Sampling) -> None:
    """Write how the model samples unless told otherwise."""
    (folder / SAMPLING).write_text(json.dumps(asdict(sampling), indent=2))


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Files, signature and input example of a folder that train_condiffusion wrote.

    The generator and the classifier go into the model as well; a pipeline that the user gave stays where it is.
    """
    adaptation = read_adaptation(folder)
    generator = Path(adaptation.generator)
    artifacts, _, example = epochs.files(Path(adaptation.classifier))
    sampling = validate(json.loads((folder / SAMPLING).read_text()), Sampling, str(folder / SAMPLING))
    side = json.loads((generator / GENERATOR).read_text())["image_size"]
    artifacts |= {"condiffusion": folder, "generator": generator}
    return artifacts, image_pyfunc.signature(example, side, sampling), example


class EEGToPictures(image_pyfunc.PictureModel):
    """Makes a picture of each epoch."""

    def load_context(self, context) -> None:
        places = {name: Path(path) for name, path in context.artifacts.items()}
        self.loaded = load_pictures(
            places["condiffusion"], places["generator"], places["encoder"], places["input"].parent
        )
        self.input = self.loaded.input

    def generate(self, epochs: np.ndarray, arm: str, seeds: list[int], sampling: Sampling) -> np.ndarray:
        return generate(self.loaded, epochs, seeds, sampling)


mlflow.models.set_model(EEGToPictures())
