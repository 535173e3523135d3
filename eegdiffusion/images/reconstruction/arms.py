"""Arms of a reconstruction: the same items and noise, under conditions that tell what EEG contributes."""

from collections.abc import Mapping

import numpy as np

from eegdiffusion.core.storage.batched_array import Batches
from eegdiffusion.core.training.inference import BatchedDataset
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, permuted

Arms = Mapping[str, Batches]
"""What makes the images of each arm, by its name: (batch, height, width, 3) uint8, a row for each sample of each item,
item by item, from a given row on."""


class ZeroedEEG:
    """A dataset of epochs whose EEG is zero.

    Args:
        epochs: dataset of ``eeg`` and whatever else its items have.
    """

    def __init__(self, epochs: BatchedDataset):
        self._epochs = epochs

    def __len__(self) -> int:
        return len(self._epochs)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items, stacked."""
        items = self._epochs.__getitems__(indices)
        return {**items, "eeg": np.zeros_like(items["eeg"])}


def shuffled_rows(epochs: PairedEpochs, seed: int) -> np.ndarray:
    """Draw for each item an item of the same subject at random, (items,) rows."""
    subjects = epochs.table["subject"].to_numpy(str)
    return permuted(np.arange(len(epochs)), subjects, seed)
