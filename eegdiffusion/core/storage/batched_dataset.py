"""What trainings and inference ask of a dataset."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class BatchedDataset(Protocol):
    """A dataset that returns a whole batch at once, as the loaders of :mod:`eegdiffusion.core.training.batches` ask."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitems__(self, indices: list[int], /) -> Mapping[str, np.ndarray]:
        """Return the fields of some samples by name, each stacked along a first axis (samples, ...)."""
        ...
