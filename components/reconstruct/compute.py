"""Makes images from held-out EEG in arms that show what EEG contributes, and scores them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import torch
from torch import Tensor

from components.reconstruct.settings import Reconstruct
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.images.condiffusion.condiffusion_sampling import load_pipeline
from eegdiffusion.images.encoders.trained_classifier import open_classifier
from eegdiffusion.images.encoders.training_folders import ENCODER
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.generation.generator import load_generator
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.metrics.metric_networks import load_networks
from eegdiffusion.images.metrics.reconstruction_scores import Context, Scores
from eegdiffusion.images.metrics.reconstructions import Reconstructions
from eegdiffusion.images.metrics.score_reconstructions import score_reconstructions
from eegdiffusion.images.reconstruction.arm_sampling import Arms, condiffusion_arms, sgdm_arms
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
        condiffusion: folder of EEG-ConDiffusion.
        classifier: folder of EEGConvNet.
        training_seed: seed with which the models were trained.
    """

    store: EpochStore
    features: ImageFeatures
    structure: StructureMaps
    latents: ImageLatents
    generator: Path
    controlnet: Path
    condiffusion: Path
    classifier: Path
    training_seed: int


@dataclass(frozen=True)
class SystemImages:
    """Images that a system, SGDM or EEG-ConDiffusion, makes arm by arm.

    Attributes:
        epochs: test epochs, an item for each subject and image.
        arms: names of arms and their images, which are made as they are asked for.
        maps: structure maps of the items by title.
    """

    epochs: PairedEpochs
    arms: Arms
    maps: dict[str, Tensor]


def sgdm_system(inputs: ReconstructionInputs, settings: Reconstruct, device: torch.device) -> SystemImages:
    """Load SGDM and open the epochs of all subjects that saw a test image.

    Args:
        inputs: what the stage reads.
        settings: settings of the stage.
        device: device to compute on.

    Returns:
        the epochs, and the images of all arms, which are made as they are asked for.
    """
    store, average = inputs.store, settings.repetitions or ALL
    test = inputs.latents.known & (store.images["split"] == "test").to_numpy()
    subjects = sorted(store.index["subject"].unique())
    sgdm = load_sgdm(inputs.controlnet, load_generator(inputs.generator).to(device))
    epochs = PairedEpochs(store.epochs(None, None, average, average), {}, subjects, wanted=test)
    truth = torch.from_numpy(inputs.structure[epochs.table["image"].to_numpy()])
    arms, maps = sgdm_arms(sgdm, epochs, truth, settings.samples, settings.seed, settings.sampling, settings.control)
    return SystemImages(epochs, arms, maps)


def condiffusion_system(inputs: ReconstructionInputs, settings: Reconstruct, device: torch.device) -> SystemImages:
    """Load EEG-ConDiffusion and open the test epochs of its classifier.

    Args:
        inputs: what the stage reads.
        settings: settings of the stage.
        device: device to compute on.

    Returns:
        the epochs, and the images of all arms, which are made as they are asked for.
    """
    classifier = open_classifier(inputs.classifier, inputs.store, inputs.latents.known)
    epochs = classifier.pairs.part("test", settings.repetitions or ALL, draws=1, as_stored=True)
    pipeline = load_pipeline(inputs.condiffusion, inputs.generator, inputs.classifier / ENCODER, inputs.classifier)
    arms = condiffusion_arms(pipeline.to(device), epochs, settings.samples, settings.seed, settings.sampling)
    return SystemImages(epochs, arms, {})


def tabulate_items(epochs: PairedEpochs, images: pandas.DataFrame) -> pandas.DataFrame:
    """Tabulate subject, image and concept of each item; ``images`` is the table of the store's images."""
    table = epochs.table[["subject", "image"]]
    return table.assign(concept=images["concept"].to_numpy()[table["image"]])


def _context(inputs: ReconstructionInputs, settings: Reconstruct, images: np.ndarray) -> Context:
    """Describe how the reconstructions of these images, (items,) rows of the store, are made."""
    store, description = inputs.store, inputs.store.description
    index = store.index[store.index["image"].isin(images)]
    available = int(index.groupby(["subject", "image"]).size().min())
    return Context(
        corpus=description.corpus,
        layout=description.layout,
        warnings=description.warnings,
        repetitions=min(settings.repetitions or ALL, available),
        seeds=list(range(settings.seed, settings.seed + settings.samples)),
        training_seeds=[inputs.training_seed],
        aligned_with=inputs.features.description.model,
        selection="validation",
    )


def compute(inputs: ReconstructionInputs, settings: Reconstruct, device: torch.device, out: Path) -> dict[str, Scores]:
    """Make and score the images of both systems, and write a folder for each.

    Args:
        inputs: what the stage reads.
        settings: settings of the stage.
        device: device to compute on.
        out: folder to make.

    Returns:
        name of each system -> scores of its arms.

    Raises:
        InputError: a part of the inputs is missing, or the parts do not fit each other.
    """
    keep_freed_memory()
    systems = {
        "sgdm": sgdm_system(inputs, settings, device),
        "condiffusion": condiffusion_system(inputs, settings, device),
    }
    networks = load_networks(settings.metrics, device)
    scores = {}
    for name, system in systems.items():
        items, arms = tabulate_items(system.epochs, inputs.store.images), dict(system.arms)
        images = items["image"].to_numpy()
        seen = inputs.latents.images[images]
        maps = {title: values.numpy() for title, values in system.maps.items()}
        Reconstructions(items, seen, arms, maps).write(out / name)
        context, metrics = _context(inputs, settings, images), settings.metrics
        scores[name] = score_reconstructions(seen, arms, items, networks, context, metrics.ways, metrics.top, device)
        scores[name].write(out / name)
    return scores
