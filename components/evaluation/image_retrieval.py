"""Tests an aligned encoder: which images its embeddings of test epochs retrieve, and which electrodes that rests on."""

import numpy as np
import pandas
import torch

from components.data.paired_epochs import PairedEpochs
from components.evaluation.retrieval import ranks_among, similarities
from components.models.eeg_encoder import EEGEncoder
from components.training.alignment import embed
from components.training.image_pairs import Pairs

SHOWN = 5
"""Images that are kept of each query, the most similar first."""

BATCH = 128


class Gallery:
    """The test images, each picture once.

    Args:
        pairs: with ``features`` and ``identity`` of each image.

    Attributes:
        images: rows of the store's images.
        features: (images, width).
    """

    def __init__(self, pairs: Pairs):
        rows = np.flatnonzero(pairs.split == "test")
        identity = pairs.truth["identity"]
        first = np.unique(identity[rows], return_index=True)[1]
        self.images = rows[np.sort(first)]
        self.features = pairs.truth["features"][self.images]
        self._place = {int(identity[row]): k for k, row in enumerate(self.images)}
        self._identity = identity

    def places(self, images: np.ndarray) -> np.ndarray:
        """Place in the gallery of the pictures that these rows of the store's images show."""
        return np.array([self._place[int(number)] for number in self._identity[images]])


def retrieve(
    encoder: EEGEncoder, pairs: Pairs, repetitions: list[int], draws: int, device: torch.device
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Retrieve the test images from test epochs.

    Args:
        encoder: aligned.
        pairs: test epochs and features.
        repetitions: numbers that are averaged; larger ones than a subject has stand for all of its repetitions.
        draws: averages of an image, of different repetitions.
        device: where to run.

    Returns:
        ranks: subject, image, repetitions, draw, rank (0 for the best) of every query;
        retrieved: subject, image, place and the image in that place, of queries that average all repetitions.
    """
    gallery = Gallery(pairs)
    tables, shown = [], []
    for subject in pairs.fold.test:
        there = pairs.repetitions(subject)
        for count in sorted({min(count, there) for count in repetitions}):
            data = pairs.part("test", count, [subject], draws=min(draws, there // count))
            similarity = similarities(embed(encoder, data, BATCH, device).numpy(), gallery.features)
            image = data.table["image"].to_numpy()
            rank = ranks_among(similarity, gallery.places(image))
            draw = data.table["repetition"].to_numpy() // count
            tables.append(
                pandas.DataFrame({"subject": subject, "image": image, "repetitions": count, "draw": draw, "rank": rank})
            )
            if count == max(min(count, there) for count in repetitions):
                best = gallery.images[np.argsort(-similarity, axis=1, kind="stable")[:, :SHOWN]]
                for place in range(best.shape[1]):
                    columns = {"subject": subject, "image": image, "place": place, "retrieved": best[:, place]}
                    shown.append(pandas.DataFrame(columns))
    return pandas.concat(tables, ignore_index=True), pandas.concat(shown, ignore_index=True)


def _margin(encoder: EEGEncoder, data: PairedEpochs, gallery: Gallery, device: torch.device) -> float:
    similarity = similarities(embed(encoder, data, BATCH, device).numpy(), gallery.features)
    place = gallery.places(data.table["image"].to_numpy())
    right = similarity[np.arange(len(place)), place]
    others = (similarity.sum(1) - right) / (similarity.shape[1] - 1)
    return float((right - others).mean())


class _Silenced:
    """Epochs with one electrode at its mean."""

    def __init__(self, data: PairedEpochs, electrode: int):
        self._data, self._electrode, self.table = data, electrode, data.table

    def __len__(self) -> int:
        return len(self._data)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        found = self._data.__getitems__(indices)
        found["eeg"][:, self._electrode] = 0
        return found


def electrode_importance(encoder: EEGEncoder, pairs: Pairs, device: torch.device) -> np.ndarray:
    """How much an aligned encoder needs each electrode.

    The margin is the similarity to the image seen minus the mean similarity to the others; an electrode's importance is
    what the margin loses, as a share, when its signal is replaced by its mean. Test epochs average all repetitions.

    Returns:
        (electrodes,), averaged over test subjects.
    """
    gallery, found = Gallery(pairs), []
    for subject in pairs.fold.test:
        data = pairs.part("test", pairs.repetitions(subject), [subject], draws=1)
        whole = _margin(encoder, data, gallery, device)
        parts = [_margin(encoder, _Silenced(data, k), gallery, device) for k in range(pairs.store.shape[0])]
        found.append((whole - np.array(parts)) / (abs(whole) or 1.0))
    return np.mean(found, axis=0)


def evoked(pairs: Pairs) -> np.ndarray:
    """Mean of all test epochs as they are stored: (electrodes, samples), averaged over images and test subjects."""
    found = []
    for subject in pairs.fold.test:
        data = pairs.part("test", pairs.repetitions(subject), [subject], draws=1, plain=True)
        found.append(data.__getitems__(list(range(len(data))))["eeg"].mean(0))
    return np.mean(found, axis=0)
