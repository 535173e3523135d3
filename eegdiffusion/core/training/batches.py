"""The order in which samples are seen: a function of seed and round alone, however many devices share the work."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.batched_dataset import BatchedDataset


class ShuffledBatches(Sampler[list[int]]):
    """Batches of one device in one *round*: an epoch, or an equal part of it.

    A checkpoint is written after every round, so rounds bound what a killed process loses. Epoch e walks a fresh
    permutation drawn from (seed, e); a global batch is a run of it, of which device r takes every world-th sample
    from r on, so that shares differ by one sample at most. Samples that do not fill a batch are left for another epoch.

    Args:
        samples: number of samples.
        batch_size: samples in a global batch.
        seed: seed of the permutations.
        validations_per_epoch: parts of an epoch.
        rank: this device.
        world: number of devices.
    """

    def __init__(
        self, samples: int, batch_size: int, seed: int, validations_per_epoch: int = 1, rank: int = 0, world: int = 1
    ):
        if batch_size < world:
            raise InputError(f"batch_size: must be at least the number of devices, {world} (found {batch_size})")
        if samples < batch_size * validations_per_epoch:
            raise InputError(
                f"batch_size: {validations_per_epoch} x {batch_size} samples a round exceed the {samples} training "
                "samples"
            )
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.validations_per_epoch, self.rank, self.world = validations_per_epoch, rank, world
        self.round = 0

    def set_epoch(self, round_: int) -> None:
        """Choose the round; Lightning calls this with its own count of epochs, which are our rounds."""
        self.round = round_

    def __len__(self) -> int:
        return self.samples // self.batch_size // self.validations_per_epoch

    def __iter__(self) -> Iterator[list[int]]:
        epoch, part = divmod(self.round, self.validations_per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(self.samples)
        for batch in range(part * len(self), (part + 1) * len(self)):
            yield order[batch * self.batch_size : (batch + 1) * self.batch_size][self.rank :: self.world].tolist()


class BatchesInOrder(Sampler[list[int]]):
    """All samples once, in order."""

    def __init__(self, samples: int, batch_size: int):
        self.samples, self.batch_size = samples, batch_size

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for first in range(0, self.samples, self.batch_size):
            yield list(range(first, min(first + self.batch_size, self.samples)))


def _tensors(batch: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values) for name, values in batch.items()}


def loader(data: BatchedDataset, batches: Sampler[list[int]], workers: int = 0, pin_memory: bool = False) -> DataLoader:
    """Make a loader of batches, each a dictionary of tensors (batch, ...) by field.

    Args:
        data: the dataset.
        batches: indices of the samples of each batch, in the order in which the batches are seen.
        workers: processes that read ahead; 0 reads in this one.
        pin_memory: whether batches are put into page-locked memory, from which a GPU copies faster.
    """
    return DataLoader(
        data,
        batch_sampler=batches,
        collate_fn=_tensors,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
    )
