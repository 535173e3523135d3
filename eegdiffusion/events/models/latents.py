"""Pooling of latents over time into tokens, and the parts in which long signals go through the backbone."""

from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError

STATISTICS = ("std", "mean")
PART_ORDERS = ("physical", "reference")

SMALLEST_VARIANCE = 1e-20
"""Variance below which no gradient passes a standard deviation."""


def part_slices(length: int, part_samples: int) -> list[slice]:
    """Cut ``length`` samples into consecutive parts of ``part_samples`` samples; the last may be shorter."""
    if part_samples < 1:
        raise InputError(f"part_samples: must be at least 1 sample (found {part_samples})")
    return [slice(start, min(start + part_samples, length)) for start in range(0, length, part_samples)]


def order_parts(signals: Tensor, part_samples: int, order: str) -> Tensor:
    """Lay out the parts of multi-channel signals as they go through the backbone (EEGDM, arXiv:2508.14086).

    EEGDM's public implementation folds the f parts of C channels into f C rows, channel after channel, and unfolds the
    rows as f parts of C channels: row r, which holds part r mod f of channel r // f, stands in the place of part r // C
    of channel r mod C. The weights of its classifiers of 10-s windows know no other order.

    Args:
        signals: (B, C, L).
        part_samples: samples of a part.
        order: ``physical``, each part in the place of its own channel, in order of time; or ``reference``.

    Returns:
        (B, C, L); the signals themselves where they are one part, or the order is the physical one.

    Raises:
        InputError: there is no such order, or the signals are not of whole parts.
    """
    if order not in PART_ORDERS:
        raise InputError(f"parts: must be one of {', '.join(PART_ORDERS)} (found {order!r})")
    batch, channels, length = signals.shape
    if order == "physical" or length <= part_samples:
        return signals
    if length % part_samples:
        rule = f"must be whole parts of {part_samples} samples in the reference's order"
        raise InputError(f"signals: {rule} (found {length})")
    return signals.reshape(batch, -1, channels, part_samples).transpose(1, 2).reshape(signals.shape)


def pool(activity: Tensor, window: int, statistic: str) -> Tensor:
    """Pool over non-overlapping windows of time: (..., H, L) -> (..., L // window, H); a remainder is left out."""
    count = activity.shape[-1] // window
    windows = activity[..., : count * window].unflatten(-1, (count, window))
    mean = windows.mean(-1, keepdim=True)
    if statistic == "mean":
        return mean.squeeze(-1).transpose(-1, -2)
    # Two passes: as exact as torch.std and several times faster on a CPU.
    deviation = windows - mean
    if deviation.requires_grad:  # the root has no slope at 0
        return (deviation.square().sum(-1) / (window - 1)).clamp_min(SMALLEST_VARIANCE).sqrt().transpose(-1, -2)
    return (deviation.square_().sum(-1) / (window - 1)).sqrt_().transpose(-1, -2)


def check_pooling(length: int, window: int, statistic: str, name: str = "latents", remainder: bool = False) -> None:
    """Raise InputError unless ``length`` samples fill whole windows, or at least one where a remainder may be left."""
    if statistic not in STATISTICS:
        raise InputError(f"statistic: must be one of {', '.join(STATISTICS)} (found {statistic!r})")
    if window < (2 if statistic == "std" else 1):
        raise InputError(f"window: must be at least 1 sample, 2 for std (found {window})")
    if length < window or (length % window and not remainder):
        raise InputError(f"window: {name} of {length} samples must be a multiple of the window (found {window})")


def pool_latents(latents: Tensor, window: int = 200, statistic: str = "std") -> Tensor:
    """Pool latents into tokens.

    Args:
        latents: (B, C, n, L, H), from ``SSMDP.latents``.
        window: samples to a pool; L must be a multiple of it.
        statistic: ``std`` (unbiased) or ``mean``.

    Returns:
        (B, n, p, C, H), p = L / window pools.

    Raises:
        InputError: the latents are not 5-dimensional, or L is not a multiple of the window.
    """
    if latents.dim() != 5:
        rule = "must have shape (batch, channels, layers, samples, width)"
        raise InputError(f"latents: {rule} (found {tuple(latents.shape)})")
    check_pooling(latents.shape[3], window, statistic)
    return pool(latents.transpose(3, 4), window, statistic).permute(0, 2, 3, 1, 4)
