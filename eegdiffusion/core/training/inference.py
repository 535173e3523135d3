"""A function over a whole dataset, batch by batch, in order and without gradients."""

from collections.abc import Callable

import torch
from torch import Tensor
from tqdm import tqdm

from eegdiffusion.core.training.batches import BatchesInOrder, loader


@torch.inference_mode()
def batched[Outputs: (Tensor, tuple[Tensor, ...])](
    function: Callable[[dict[str, Tensor]], Outputs],
    data,
    batch_size: int,
    device: torch.device | None = None,
    desc: str | None = None,
) -> Outputs:
    """Apply a function to a dataset and concatenate what it returns, on the CPU.

    Args:
        function: a batch, key -> tensor (batch, ...) on the device, -> a tensor (batch, ...), or a tuple of them.
        data: dataset with ``__len__`` and ``__getitems__(indices) -> key -> stacked NumPy array``.
        batch_size: samples in a batch; the last may hold fewer.
        device: where the batches are put; None: they stay on the CPU.
        desc: words before a progress bar; None: there is no bar.

    Returns:
        the function's outputs for the samples in order, (samples, ...): a tensor, or a tuple of them.

    Raises:
        ValueError: the dataset is empty.
    """
    if not len(data):
        raise ValueError("data: must hold at least one sample")
    outputs = []
    with tqdm(total=len(data), desc=desc, unit="sample", disable=desc is None) as bar:
        for batch in loader(data, BatchesInOrder(len(data), batch_size)):
            output = function({name: values.to(device) for name, values in batch.items()} if device else batch)
            outputs.append(output.cpu() if isinstance(output, Tensor) else tuple(part.cpu() for part in output))
            bar.update(len(next(iter(batch.values()))))
    if isinstance(outputs[0], Tensor):
        return torch.cat(outputs)
    return tuple(torch.cat(parts) for parts in zip(*outputs, strict=True))
