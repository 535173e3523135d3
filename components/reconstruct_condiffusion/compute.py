"""Makes images from held-out EEG by EEG-ConDiffusion in arms that show what EEG contributes, and scores them."""

from dataclasses import dataclass
from pathlib import Path

import torch

from components.reconstruct_condiffusion.settings import ReconstructConDiffusion
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.images.condiffusion.condiffusion_sampling import load_pipeline
from eegdiffusion.images.encoders.trained_classifier import open_classifier
from eegdiffusion.images.encoders.training_folders import ENCODER
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.metrics.reconstruction_scores import Scores
from eegdiffusion.images.reconstruction.condiffusion_arms import condiffusion_arms
from eegdiffusion.images.reconstruction.reconstruct_images import SystemImages, reconstruct_images


@dataclass(frozen=True)
class ReconstructionInputs:
    """Folders that the stage reads, and what it has opened of them.

    Attributes:
        store: epoch store of the corpus.
        latents: images at the generator's size, and their latents.
        generator: folder of the generator.
        condiffusion: folder of EEG-ConDiffusion.
        classifier: folder of EEGConvNet.
        training_seed: seed with which the models were trained.
    """

    store: EpochStore
    latents: ImageLatents
    generator: Path
    condiffusion: Path
    classifier: Path
    training_seed: int


def condiffusion_system(
    inputs: ReconstructionInputs, settings: ReconstructConDiffusion, device: torch.device
) -> SystemImages:
    """Load EEG-ConDiffusion and open the test epochs of its classifier.

    Args:
        inputs: what the stage reads.
        settings: settings of the stage.
        device: device to compute on.

    Returns:
        the epochs, and what makes the images of all arms.
    """
    classifier = open_classifier(inputs.classifier, inputs.store, inputs.latents.known)
    fold = classifier.pairs.fold
    epochs = classifier.pairs.part("test", settings.repetitions or ALL, draws=1, as_stored=True)
    pipeline = load_pipeline(inputs.condiffusion, inputs.generator, inputs.classifier / ENCODER, inputs.classifier)
    arms = condiffusion_arms(pipeline.to(device), epochs, settings.samples, settings.seed, settings.sampling)
    across = not set(fold.train) & set(fold.test)
    return SystemImages(epochs, arms, "", inputs.training_seed, across_subjects=across)


def compute(
    inputs: ReconstructionInputs, settings: ReconstructConDiffusion, device: torch.device, work: Path, out: Path
) -> Scores:
    """Make and score the images, and write a folder.

    Args:
        inputs: what the stage reads.
        settings: settings of the stage.
        device: device to compute on.
        work: folder for images while they are made, from which an interrupted call goes on.
        out: folder to make.

    Returns:
        scores of all arms.

    Raises:
        InputError: a part of the inputs is missing, or the parts do not fit each other.
    """
    keep_freed_memory()
    system = condiffusion_system(inputs, settings, device)
    return reconstruct_images(inputs.store, inputs.latents, system, settings, device, work, out)
