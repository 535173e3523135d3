"""A function over a whole dataset, batch by batch, in order and without gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.storage.batched_dataset import BatchedDataset


class ArrayDataset:
    """Arrays as a dataset: sample k has row k of each array.

    Args:
        arrays: (samples, ...) by name, of one length.
    """

    def __init__(self, **arrays: np.ndarray):
        self._arrays = arrays

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read samples, stacked, by name; the arrays keep their order in memory, on which sums may depend."""
        return {name: values[indices] for name, values in self._arrays.items()}


def in_parts_that_fit(function: Callable[[Tensor], Tensor], items: Tensor) -> Tensor:
    """Apply a function to items at once, or in halves, quarters and so on where a device's memory does not hold them.

    Args:
        function: (items, ...) -> (items, ...), each item on its own.
        items: (items, ...).

    Returns:
        what the function returns, on the CPU.

    Raises:
        InputError: not even one item fits.
    """
    try:
        return function(items).cpu()
    except torch.OutOfMemoryError as error:
        if len(items) < 2:
            raise InputError("--device: its memory does not hold a single window; choose another, or cpu") from error
    # Outside of the handler, which keeps what did not fit alive.
    torch.cuda.empty_cache()
    half = (len(items) + 1) // 2
    return torch.cat([in_parts_that_fit(function, part) for part in (items[:half], items[half:])])


@torch.inference_mode()
def batched[Outputs: (Tensor, tuple[Tensor, ...], dict[str, Tensor])](
    function: Callable[[dict[str, Tensor]], Outputs],
    data: BatchedDataset,
    batch_size: int,
    device: torch.device | None = None,
    desc: str | None = None,
) -> Outputs:
    """Apply a function to a dataset and concatenate what it returns, on the CPU.

    It draws nothing at random, so that what is computed after it does not depend on whether it ran.

    Args:
        function: takes the tensors (batch, ...) of a batch by name, on the device; returns a tensor (batch, ...), a
            tuple of them, or several by name.
        data: the samples.
        batch_size: number of samples in a batch; the last may hold fewer.
        device: device that the batches are put on; None: they stay on the CPU.
        desc: label of the progress bar; None shows no bar.

    Returns:
        the function's outputs for the samples in order, (samples, ...): a tensor, a tuple of them, or several by name.

    Raises:
        ValueError: the dataset is empty.
    """
    if not len(data):
        raise ValueError("data: must hold at least one sample")
    outputs: list[dict[Any, Tensor]] = []
    for start in progress(range(0, len(data), batch_size), desc=desc, unit="batch", disable=desc is None):
        samples = data.__getitems__(list(range(start, min(start + batch_size, len(data)))))
        output = function({name: torch.from_numpy(values).to(device) for name, values in samples.items()})
        match output:
            case Tensor():
                outputs.append({"": output.cpu()})
            case dict():
                outputs.append({name: values.cpu() for name, values in output.items()})
            case _:
                outputs.append({position: values.cpu() for position, values in enumerate(output)})
    joined = {name: torch.cat([part[name] for part in outputs]) for name in outputs[0]}
    match output:
        case Tensor():
            return joined[""]
        case dict():
            return joined
    return tuple(joined.values())
