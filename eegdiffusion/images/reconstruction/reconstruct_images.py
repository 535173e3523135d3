"""Makes the images of a system's arms from held-out EEG, and scores them."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas
import torch
from torch import Tensor

from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.generation.image_sampling import BATCH
from eegdiffusion.images.metrics.concept_judge import ConceptJudge, train_judge
from eegdiffusion.images.metrics.image_arrays import ImageRows
from eegdiffusion.images.metrics.metric_networks import FeatureNetwork, load_networks
from eegdiffusion.images.metrics.picture_gain import picture_gain
from eegdiffusion.images.metrics.reconstruction_scores import Context, Scores
from eegdiffusion.images.metrics.reconstructions import Reconstructions, read_reconstructions, write_arm, write_seen
from eegdiffusion.images.metrics.score_reconstructions import score_reconstructions
from eegdiffusion.images.reconstruction.arms import Arms
from eegdiffusion.images.reconstruction.reconstruction_settings import Reconstruction

IMAGES = "images"
"""Folder of images while they are made."""

JUDGING = "lite0"
"""Network that names concepts, which every run has."""


@dataclass(frozen=True)
class SystemImages:
    """Images that a system, SGDM or EEG-ConDiffusion, makes arm by arm.

    Attributes:
        epochs: test epochs, an item for each subject and image.
        arms: what makes the images of each arm.
        aligned_with: network whose image features the system's encoder was aligned with; empty for none.
        training_seed: seed with which the system was trained.
        maps: structure maps of the items by title.
        across_subjects: whether the system was trained on other subjects than the items' alone.
    """

    epochs: PairedEpochs
    arms: Arms
    aligned_with: str
    training_seed: int
    maps: dict[str, Tensor] = field(default_factory=dict)
    across_subjects: bool = False


def tabulate_items(epochs: PairedEpochs, images: pandas.DataFrame) -> pandas.DataFrame:
    """Tabulate subject, image and concept of each item; ``images`` is the table of the store's images."""
    table = epochs.table[["subject", "image"]]
    return table.assign(concept=images["concept"].to_numpy()[table["image"]])


def describe_context(store: EpochStore, system: SystemImages, settings: Reconstruction, images: np.ndarray) -> Context:
    """Describe how the reconstructions of these images, (items,) rows of the store, are made."""
    description = store.description
    index = store.index[store.index["image"].isin(images)]
    available = int(index.groupby(["subject", "image"]).size().min())
    return Context(
        corpus=description.corpus,
        layout=description.layout,
        warnings=description.warnings,
        repetitions=min(settings.repetitions or ALL, available),
        seeds=list(range(settings.seed, settings.seed + settings.samples)),
        training_seeds=[system.training_seed],
        aligned_with=system.aligned_with,
        selection="validation",
    )


def concept_judge(
    store: EpochStore, latents: ImageLatents, items: pandas.DataFrame, network: FeatureNetwork
) -> ConceptJudge | None:
    """Train a classifier of true pictures, none of them an item's; None where the items show other concepts.

    Args:
        store: epoch store of the corpus.
        latents: images at the generator's size.
        items: table of ``image`` and ``concept`` of the items.
        network: network whose features are classified.
    """
    training = latents.known & (store.images["split"] == "train").to_numpy()
    training[items["image"]] = False
    concepts = store.images["concept"].to_numpy(str)[training]
    of_items = np.unique(items["concept"].to_numpy(str))
    if len(of_items) < 2 or not set(of_items) <= set(concepts):
        return None
    shown = np.isin(concepts, of_items)
    return train_judge(network, ImageRows(latents.images, np.flatnonzero(training)[shown]), concepts[shown])


def write_images(
    latents: ImageLatents, system: SystemImages, items: pandas.DataFrame, samples: int, work: Path
) -> Reconstructions:
    """Make the images of a system batch by batch, and write them as they are made.

    Args:
        latents: images at the generator's size.
        system: the system's arms.
        items: table of :func:`tabulate_items`.
        samples: number of images of an item.
        work: folder in which a folder is made, or gone on with.

    Returns:
        the images, memory-mapped.
    """
    folder, shape, rows = work / IMAGES, latents.images.shape[1:], items["image"].to_numpy()
    folder.mkdir(parents=True, exist_ok=True)
    maps = {title: values.numpy() for title, values in system.maps.items()}

    def seen(first: int) -> Iterator[np.ndarray]:
        return (latents.images[rows[k : k + BATCH]] for k in range(first, len(rows), BATCH))

    write_seen(folder, items, seen, shape, maps)
    for arm, batches in system.arms.items():
        write_arm(folder, arm, (len(items), samples, *shape), batches, BATCH)
    return read_reconstructions(folder)


def reconstruct_images(
    store: EpochStore, latents: ImageLatents, system: SystemImages, settings: Reconstruction, device: torch.device,
    work: Path, out: Path,
) -> Scores:  # fmt: skip
    """Make and score the images of a system.

    Args:
        store: epoch store of the corpus.
        latents: images at the generator's size.
        system: the system's epochs and arms.
        settings: how images are made and scored.
        device: device that the networks of metrics run on.
        work: folder in which images are kept while they are made, from which an interrupted call goes on.
        out: folder to make for images, scores, and ``metrics.json`` with what EEG contributes.

    Returns:
        scores of all arms.

    Raises:
        InputError: the weights of a metric's network are missing.
    """
    networks = load_networks(settings.metrics, device)
    items = tabulate_items(system.epochs, store.images)
    images = items["image"].to_numpy()
    written = write_images(latents, system, items, settings.samples, work)
    context, metrics = describe_context(store, system, settings, images), settings.metrics
    judge = concept_judge(store, latents, items, next(network for network in networks if network.key == JUDGING))
    scores = score_reconstructions(
        written.seen,
        written.arms,
        items,
        networks,
        context,
        metrics.ways,
        metrics.top,
        device,
        judge,
        by_subject=system.across_subjects,
    )
    scores.write(work / IMAGES)
    (work / IMAGES / "metrics.json").write_text(json.dumps(picture_gain(scores), indent=2))
    shutil.move(work / IMAGES, out)
    return scores
