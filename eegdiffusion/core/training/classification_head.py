"""What the logits of a classifier say: probabilities of classes, and the loss that trains them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def class_probabilities(logits: Tensor, multi_label: bool = False) -> Tensor:
    """Return the probabilities of classes.

    Args:
        logits: (batch, classes); or (batch, 1), of the second of two classes.
        multi_label: whether a window may be of several classes, or of none.

    Returns:
        (batch, classes) float32, two classes for one logit; rows sum to 1 unless ``multi_label``.
    """
    logits = logits.float()
    if multi_label:
        return logits.sigmoid()
    return torch.cat([(-logits).sigmoid(), logits.sigmoid()], -1) if logits.shape[-1] == 1 else logits.softmax(-1)


def classification_loss(
    logits: Tensor, labels: Tensor, label_smoothing: float = 0.0, positive_weight: float | Sequence[float] = 1.0
) -> Tensor:
    """Return the mean cross-entropy of a batch.

    Args:
        logits: (batch, classes); or (batch, 1), of the second of two classes.
        labels: (batch,) int64, 0-based; or (batch, classes) of 0 and 1, where a window may be of several classes.
        label_smoothing: share of each label that is spread evenly over all classes, or over yes and no of each.
        positive_weight: factor on the loss of the second class's windows, where there is one logit; of each class's
            windows, or one for all, where a window may be of several.
    """
    if labels.dim() == 2:
        targets = labels.to(logits) * (1 - label_smoothing) + label_smoothing / 2
        weight = torch.as_tensor(positive_weight, dtype=logits.dtype, device=logits.device).expand(logits.shape[-1])
        return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)
    if logits.shape[-1] > 1:
        return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    targets = labels.to(logits) * (1 - label_smoothing) + label_smoothing / 2
    weight = torch.as_tensor(positive_weight, dtype=logits.dtype, device=logits.device).expand(1)
    return functional.binary_cross_entropy_with_logits(logits[:, 0], targets, pos_weight=weight)
