"""Makes images from held-out EEG by SGDM in arms that show what EEG contributes, and scores them."""

from dataclasses import dataclass
from pathlib import Path

import torch

from components.reconstruct_sgdm.settings import ReconstructSGDM
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.generation.generator import load_generator
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.metrics.reconstruction_scores import Scores
from eegdiffusion.images.reconstruction.reconstruct_images import SystemImages, reconstruct_images
from eegdiffusion.images.reconstruction.sgdm_arms import sgdm_arms
from eegdiffusion.images.sgdm.sgdm import load_sgdm
from eegdiffusion.images.structure.structure_maps import StructureMaps


@dataclass(frozen=True)
class ReconstructionInputs:
    """Folders that the stage reads, and what it has opened of them.

    Attributes:
        store: epoch store of the corpus.
        features: features of its images.
        structure: structure maps of the images.
        latents: images at the generator's size, and their latents.
        generator: folder of the generator.
        controlnet: folder of SGDM.
        training_seed: seed with which the models were trained.
    """

    store: EpochStore
    features: ImageFeatures
    structure: StructureMaps
    latents: ImageLatents
    generator: Path
    controlnet: Path
    training_seed: int


def sgdm_system(inputs: ReconstructionInputs, settings: ReconstructSGDM, device: torch.device) -> SystemImages:
    """Load SGDM and open the epochs of all subjects that saw a test image.

    Args:
        inputs: what the stage reads.
        settings: settings of the stage.
        device: device to compute on.

    Returns:
        the epochs, and what makes the images of all arms.
    """
    store, average = inputs.store, settings.repetitions or ALL
    test = inputs.latents.known & (store.images["split"] == "test").to_numpy()
    subjects = sorted(store.index["subject"].unique())
    sgdm = load_sgdm(inputs.controlnet, load_generator(inputs.generator).to(device))
    epochs = PairedEpochs(store.epochs(None, None, average, average), {}, subjects, wanted=test)
    truth = torch.from_numpy(inputs.structure[epochs.table["image"].to_numpy()])
    arms, maps = sgdm_arms(sgdm, epochs, truth, settings.samples, settings.seed, settings.sampling, settings.control)
    return SystemImages(epochs, arms, inputs.features.description.model, inputs.training_seed, maps)


def compute(
    inputs: ReconstructionInputs, settings: ReconstructSGDM, device: torch.device, work: Path, out: Path
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
    system = sgdm_system(inputs, settings, device)
    return reconstruct_images(inputs.store, inputs.latents, system, settings, device, work, out)
