"""Tests an aligned encoder: which images its embeddings of test epochs retrieve."""

import numpy as np
import pandas
import torch

from eegdiffusion.core.statistics.retrieval import ranks_among, similarities
from eegdiffusion.images.encoders.alignment import embed_epochs
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.epochs.image_pairs import Pairs

SHOWN = 5
"""Number of images that are kept of each query, the most similar first."""

BATCH = 128
"""Number of epochs that are encoded at a time."""


class Gallery:
    """The test images, each content once.

    Args:
        pairs: epochs, with ``features`` and ``identity`` of each image.

    Attributes:
        images: (images,) rows of the store's images.
        features: (images, width) features of these images.
    """

    def __init__(self, pairs: Pairs):
        rows = np.flatnonzero(pairs.split == "test")
        identity = pairs.truth["identity"]
        first = np.unique(identity[rows], return_index=True)[1]
        self.images = rows[np.sort(first)]
        self.features = pairs.truth["features"][self.images]
        self._position = {int(identity[row]): k for k, row in enumerate(self.images)}
        self._identity = identity

    def positions(self, images: np.ndarray) -> np.ndarray:
        """Return the position in the gallery of each image, given by its row of the store: (n,) -> (n,)."""
        return np.array([self._position[int(number)] for number in self._identity[images]])


def retrieve_images(
    encoder: EEGEncoder, pairs: Pairs, repetitions: list[int], draws: int, device: torch.device
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Retrieve the test images from test epochs.

    Args:
        encoder: aligned encoder.
        pairs: test epochs, with ``features`` and ``identity`` of each image.
        repetitions: numbers of repetitions that are averaged; larger ones than a subject has stand for all of its
            repetitions.
        draws: largest number of averages of an image, each of other repetitions.
        device: device to compute on.

    Returns:
        ranks: subject, image, repetitions, draw, rank (0 for the best) of every query;
        retrieved: subject, image, place and the image in that place, of queries that average all repetitions.
    """
    gallery = Gallery(pairs)
    tables, shown = [], []
    for subject in pairs.fold.test:
        available = pairs.repetitions(subject)
        for count in sorted({min(count, available) for count in repetitions}):
            data = pairs.part("test", count, [subject], draws=min(draws, available // count))
            similarity = similarities(embed_epochs(encoder, data, BATCH, device).numpy(), gallery.features)
            image = data.table["image"].to_numpy()
            rank = ranks_among(similarity, gallery.positions(image))
            draw = data.table["repetition"].to_numpy() // count
            tables.append(
                pandas.DataFrame({"subject": subject, "image": image, "repetitions": count, "draw": draw, "rank": rank})
            )
            if count == max(min(count, available) for count in repetitions):
                best = gallery.images[np.argsort(-similarity, axis=1, kind="stable")[:, :SHOWN]]
                for position in range(best.shape[1]):
                    columns = {"subject": subject, "image": image, "place": position, "retrieved": best[:, position]}
                    shown.append(pandas.DataFrame(columns))
    return pandas.concat(tables, ignore_index=True), pandas.concat(shown, ignore_index=True)


def evoked_potential(pairs: Pairs) -> np.ndarray:
    """Average all test epochs as they are stored: (electrodes, samples), mean over images and test subjects."""
    averages = []
    for subject in pairs.fold.test:
        data = pairs.part("test", pairs.repetitions(subject), [subject], draws=1, as_stored=True)
        averages.append(data.__getitems__(list(range(len(data))))["eeg"].mean(0))
    return np.mean(averages, axis=0)
