"""The data of an encoder's training: which epochs, in which form, with which features or classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas

from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.signal.epoch_scaler import EpochInput, fit_input
from eegdiffusion.images.epochs.epoch_store import TASK, EpochStore
from eegdiffusion.images.epochs.paired_epochs import ImageTable, PairedEpochs
from eegdiffusion.images.epochs.protocols import Fold

ALL = 1_000_000
"""Number of repetitions that stands for all there are."""

READ = 512
"""Number of epochs that are read at a time."""

FITTED = 2048
"""Largest number of epochs from which the scale of the electrodes is taken."""


def read_all(data: PairedEpochs) -> dict[str, np.ndarray]:
    """Read all items of a dataset, stacked by name; they must fit into memory."""
    parts = [
        data.__getitems__(list(range(k, min(k + READ, len(data)))))
        for k in progress(range(0, len(data), READ), desc="reading epochs", leave=False, disable=len(data) <= READ)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class Pairs:
    """Epochs of one fold.

    Attributes:
        store: epoch store of the corpus.
        split: (images,) ``train``, ``validation``, ``test``, or empty where an image is not used.
        values: tables with a row for each image, by name, that training sees.
        truth: the same tables for testing; they differ where training sees a control.
        fold: training and test subjects.
        band: (low, high) in Hz of the band filter; None: none.
        train_task: task of the epochs of training and validation, such as ``perception``; None: all.
        test_task: task of the test epochs, such as ``imagery``; None: all.
    """

    store: EpochStore
    split: np.ndarray
    values: Mapping[str, ImageTable]
    truth: Mapping[str, ImageTable]
    fold: Fold
    band: tuple[float, float] | None
    train_task: str | None = None
    test_task: str | None = None

    def part(
        self,
        split: str,
        average: int,
        subjects: list[str] | None = None,
        draws: int | None = None,
        as_stored: bool = False,
    ) -> PairedEpochs:
        """Return the epochs of a split, paired with the tables.

        Args:
            split: train, validation or test.
            average: number of repetitions that are averaged into an epoch.
            subjects: names of subjects; None: the fold's test subjects of the split ``test``, else its training
                subjects.
            draws: largest number of epochs of an image; None: as many as its repetitions make.
            as_stored: whether the epochs come as they are stored; otherwise filtered and scaled, see :attr:`input`.
        """
        at_most = None if draws is None else average * draws
        subjects = subjects or (self.fold.test if split == "test" else self.fold.train)
        epochs = self.store.epochs(None, subjects, average, at_most, self.task_of(split))
        values = self.truth if split == "test" else self.values
        transform = None if as_stored else self.input
        return PairedEpochs(epochs, values, self.fold.train, transform, self.split == split)

    def task_of(self, split: str) -> str | None:
        """Return the task of the epochs of a split; None: all."""
        return self.test_task if split == "test" else self.train_task

    @cached_property
    def input(self) -> EpochInput:
        """Filter and scale of the electrodes, fitted to single training epochs."""
        data = self.part("train", 1, as_stored=True)
        chosen = np.random.default_rng(0).permutation(len(data))[:FITTED]
        return fit_input(data.__getitems__(np.sort(chosen).tolist())["eeg"], self.store.description.sfreq, self.band)

    def repetitions(self, subject: str) -> int:
        """Return the least number of repetitions of a test image by a subject."""
        index = self.store.index
        rows = index[(index["subject"] == subject) & (self.split == "test")[index["image"]]]
        if self.test_task is not None:
            rows = rows[rows[TASK] == self.test_task]
        return int(rows.groupby(["image", *([TASK] if TASK in rows else [])]).size().min())

    def split_hash(self) -> str:
        """Hash the test images and the subjects that they are tested with; see :func:`split_hash`."""
        return split_hash(self.store.images, self.split == "test", self.fold.test, self.test_task)


def split_hash(images: pandas.DataFrame, chosen: np.ndarray, subjects: list[str], task: str | None = None) -> str:
    """Hash test images and the subjects that they are tested with: results compare where it is equal.

    Args:
        images: table of a store's images.
        chosen: (images,) bool, the test images.
        subjects: names of the test subjects.
        task: task of the test epochs; None: all.
    """
    test = images.loc[chosen, ["name", "concept", "sha256"]]
    return text_hash(test.to_csv(index=False), subjects, *([] if task is None else [task]))
