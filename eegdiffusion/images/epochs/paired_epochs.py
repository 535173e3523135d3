"""Epochs paired with what an encoder learns from them: the features of the image that was seen, or its class."""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Protocol

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.epochs.epoch_store import Epochs


class ImageTable(Protocol):
    """A table with a row for each image of a store, in memory or read when it is asked for: an array behaves as one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole table, (images, ...)."""
        ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Read the rows of some images, (rows, ...)."""
        ...


class PairedEpochs:
    """A dataset for training and testing encoders.

    An item has ``eeg`` (electrodes, samples), ``image``, ``subject`` (number in training, -1 for others), and a value
    of each table that goes by the image.

    Args:
        epochs: epochs of a store.
        values: tables with a row for each image of the store, by name.
        subjects: names of the training subjects, in the order of their numbers.
        transform: function of epochs (batch, electrodes, samples) that keeps the shape, e.g. ``EpochInput``; None: the
            epochs stay as they are stored.
        wanted: (images,) bool, the images that are used; None: all.

    Raises:
        InputError: no epoch is of a wanted image.
    """

    def __init__(
        self,
        epochs: Epochs,
        values: Mapping[str, ImageTable],
        subjects: list[str],
        transform: Callable[[np.ndarray], np.ndarray] | None = None,
        wanted: np.ndarray | None = None,
    ):
        self._epochs, self._values, self._transform = epochs, values, transform
        image = epochs.table["image"].to_numpy()
        self._rows = np.arange(len(epochs)) if wanted is None else np.flatnonzero(wanted[image])
        if not len(self._rows):
            raise InputError("epochs: none of them is of an image that is used")
        numbers = {name: k for k, name in enumerate(subjects)}
        self._subject = epochs.table["subject"].map(numbers).fillna(-1).to_numpy(np.int64)

    @property
    def table(self) -> pandas.DataFrame:
        """Table with a row for each item; see :class:`Epochs`."""
        return self._epochs.table.iloc[self._rows].reset_index(drop=True)

    def __len__(self) -> int:
        return len(self._rows)

    def values(self, name: str) -> np.ndarray:
        """Read the values of a table for all items, (items, ...), and no EEG."""
        return self._values[name][self.table["image"].to_numpy()]

    def transformed(self, transform: Callable[[np.ndarray], np.ndarray]) -> "PairedEpochs":
        """Return the same items whose epochs, as they are stored, pass a function (batch, electrodes, samples)."""
        other = copy(self)
        other._transform = transform
        return other

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items, stacked."""
        rows = self._rows[indices]
        items = self._epochs.__getitems__(rows.tolist())
        if self._transform is not None:
            items["eeg"] = self._transform(items["eeg"])
        items["subject"] = self._subject[rows]
        return items | {name: values[items["image"]] for name, values in self._values.items()}


def identities(images: pandas.DataFrame) -> np.ndarray:
    """Number the images by their content, (images,) int64: two names of the same image have the same number.

    Args:
        images: table of a store's images, with ``sha256`` where the file is there.
    """
    names = images["sha256"].where(
        images["sha256"].notna(), "image " + images.index.astype(str).to_series(images.index)
    )
    return pandas.factorize(names)[0].astype(np.int64)


def permuted(values: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Permute the rows of a table within groups, every order being as likely as any other: a control.

    A row may stay in its own place: a pairing that is never right would be one that knows the right one.

    Args:
        values: (images, ...) table.
        groups: (images,) group of each image, e.g. its split.
        seed: seed of the order.

    Returns:
        (images, ...), the rows in another order.
    """
    draw, rearranged = np.random.default_rng(seed), values.copy()
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        rearranged[rows] = values[draw.permutation(rows)]
    return rearranged


def mismatched(image: np.ndarray, seed: int) -> np.ndarray:
    """Draw an order of epochs in which each takes the place of one of another image: a control.

    Args:
        image: (epochs,) row of the image seen.
        seed: seed of the order.

    Returns:
        (epochs,) indices of epochs.

    Raises:
        InputError: more than half of the epochs are of one image.
    """
    rows = np.random.default_rng(seed).permutation(len(image))
    rows = rows[np.argsort(image[rows], kind="stable")]
    most = int(np.unique(image, return_counts=True)[1].max()) if len(image) else 0
    if 2 * most > len(image) or not most:
        raise InputError(f"epochs: at most half of them may be of one image (found {most} of {len(image)})")
    order = np.empty(len(image), np.int64)
    order[rows] = np.roll(rows, most)
    return order
