"""The EEG of a new subject as blocks in the order of recording: the first ones adapt a model, the last ones choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL, Pairs
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, identities
from eegdiffusion.images.epochs.protocols import Fold

ADAPTING, TEST = "adapting", "test"
"""Parts of a subject's epochs: of all images that do not test, and of the corpus's test images."""

VALIDATING = 0.2
"""Share of the blocks that choose, the last ones; at least one does."""

UNORDERED = ("things_eeg2_preprocessed", "eegcvpr40")
"""Layouts whose epochs do not come in the order of recording: they are drawn in a random order."""


class Rows:
    """Some samples of a dataset, as a dataset.

    Args:
        data: the dataset.
        rows: indices of its samples.
    """

    def __init__(self, data: PairedEpochs, rows: np.ndarray):
        self._data, self._rows = data, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, indices: list[int]) -> Mapping[str, np.ndarray]:
        """Read samples, stacked by name."""
        return self._data.__getitems__(self._rows[indices].tolist())

    def values(self, name: str) -> np.ndarray:
        """Read the values of a table for all samples, (samples, ...), and no EEG."""
        return self._data.values(name)[self._rows]


@dataclass(frozen=True)
class BlockSplit:
    """Epochs of the first blocks of a subject.

    Attributes:
        train: those of the earlier blocks, but of images that the validation blocks show.
        validation: those of the last blocks.
        all: both, and what was left out of the training.
    """

    train: Rows
    validation: Rows
    all: Rows


class SubjectBlocks:
    """Epochs of a subject, scaled as a model takes them, in blocks of equal length.

    Args:
        store: epoch store that has the subject.
        subject: name of the subject.
        features: (images, width) what the model is aligned with, NaN where an image has no file.
        input_: filter and scale of the model's epochs.
        step_s: seconds from an image to the next.
        block_s: seconds of a block.

    Raises:
        InputError: the store has no such subject, or has no epochs of it that adapt, or none that test.
    """

    def __init__(
        self, store: EpochStore, subject: str, features: np.ndarray, input_: EpochInput, step_s: float, block_s: float
    ):
        subjects = sorted(store.index["subject"].unique())
        if subject not in subjects:
            raise InputError(
                f"SUBJECT: must be one of {', '.join(subjects)}, the subjects of {store.path} (found {subject})"
                f"{nearest(subject, subjects)}"
            )
        split = store.images["split"].to_numpy(str)
        part = np.where(np.isfinite(features).all(1), np.where(split == TEST, TEST, ADAPTING), "")
        truth = {"features": features, "identity": identities(store.images)}
        self.pairs = Pairs(store, part, truth, truth, Fold(subject, [subject], [subject]), input_.band)
        self.subject, self.step_s, self._input = subject, step_s, input_
        shown = set(store.index.loc[store.index["subject"] == subject, "image"])
        for name in (ADAPTING, TEST):
            if not shown & set(np.flatnonzero(part == name)):
                raise InputError(f"SUBJECT: {subject}: must have epochs of {name} images (found none in {store.path})")
        self.per_block = max(1, round(block_s / step_s))
        if self.blocks < 2:
            raise InputError(
                f"--block: {subject}: must have two blocks or more, one to adapt to and one to choose by; its "
                f"{len(self._adapting)} epochs are {len(self._adapting) * step_s:.3g} s (found {block_s:g} s a block)"
            )

    @cached_property
    def _adapting(self) -> PairedEpochs:
        return self.pairs.part(ADAPTING, 1, as_stored=True).transformed(self._input)

    @cached_property
    def _order(self) -> np.ndarray:
        rows = np.arange(len(self._adapting))
        if self.pairs.store.description.layout in UNORDERED:
            return np.random.default_rng(0).permutation(rows)
        return rows

    @property
    def blocks(self) -> int:
        """Number of whole blocks."""
        return len(self._adapting) // self.per_block

    def minutes(self, blocks: int) -> float:
        """Return the minutes of so many blocks."""
        return blocks * self.per_block * self.step_s / 60

    def blocks_within(self, minutes: float | None) -> int:
        """Return the number of whole blocks within so many minutes; None: all of them.

        Raises:
            InputError: they are fewer than two.
        """
        if minutes is None:
            return self.blocks
        count = min(self.blocks, int(minutes / self.minutes(1) + 1e-9))
        if count < 2:
            raise InputError(f"--minutes: must be two blocks or more, {self.minutes(2):.3g} min (found {minutes:g})")
        return count

    def first(self, blocks: int) -> BlockSplit:
        """Divide the first blocks into those that adapt and those that choose.

        Raises:
            InputError: the validation blocks show one image alone, or every image of the training blocks too.
        """
        rows = self._order[: blocks * self.per_block]
        start = (blocks - max(1, round(VALIDATING * blocks))) * self.per_block
        identity = self._adapting.values("identity")
        chosen_by = set(identity[rows[start:]])
        train = rows[:start][[number not in chosen_by for number in identity[rows[:start]]]]
        if len(chosen_by) < 2 or len(train) < 2:
            raise InputError(
                f"--block: {self.subject}: the last of {blocks} blocks must show two images or more, and the others "
                f"images that it does not show (found {len(chosen_by)} images, and {len(train)} epochs of others)"
            )
        return BlockSplit(*(Rows(self._adapting, part) for part in (train, rows[start:], rows)))

    @cached_property
    def test(self) -> PairedEpochs:
        """The test epochs: averages over all repetitions of each test image."""
        return self.pairs.part(TEST, ALL, as_stored=True).transformed(self._input)
