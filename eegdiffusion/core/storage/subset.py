"""Part of a dataset, itself a dataset."""

from collections.abc import Mapping

import numpy as np

from eegdiffusion.core.storage.batched_dataset import BatchedDataset


def spread(size: int, wanted: int) -> np.ndarray:
    """Choose ``min(wanted, size)`` indices spread evenly over 0 .. size - 1."""
    return np.linspace(0, size - 1, min(wanted, size)).round().astype(int)


class Subset:
    """The samples of ``data`` at ``indices``, read through its batched ``__getitems__``."""

    def __init__(self, data: BatchedDataset, indices: np.ndarray):
        self.data, self.indices = data, np.asarray(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitems__(self, indices: list[int]) -> Mapping[str, np.ndarray]:
        return self.data.__getitems__(self.indices[indices].tolist())
