"""What the logits of a classifier say: probabilities of classes, and the loss that trains them."""

import torch
from torch import Tensor
from torch.nn import functional


def class_probabilities(logits: Tensor) -> Tensor:
    """Return the probabilities of classes.

    Args:
        logits: (batch, classes); or (batch, 1), of the second of two classes.

    Returns:
        (batch, classes) float32, two classes for one logit; rows sum to 1.
    """
    logits = logits.float()
    return torch.cat([(-logits).sigmoid(), logits.sigmoid()], -1) if logits.shape[-1] == 1 else logits.softmax(-1)


def classification_loss(
    logits: Tensor, labels: Tensor, label_smoothing: float = 0.0, positive_weight: float = 1.0
) -> Tensor:
    """Return the mean cross-entropy of a batch.

    Args:
        logits: (batch, classes); or (batch, 1), of the second of two classes.
        labels: (batch,) int64, 0-based.
        label_smoothing: share of each label that is spread evenly over all classes.
        positive_weight: factor on the loss of the second class's windows, where there is one logit.
    """
    if logits.shape[-1] > 1:
        return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    targets = labels.to(logits) * (1 - label_smoothing) + label_smoothing / 2
    weight = torch.full_like(logits[0], positive_weight)
    return functional.binary_cross_entropy_with_logits(logits[:, 0], targets, pos_weight=weight)
