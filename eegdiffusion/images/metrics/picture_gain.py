"""What EEG contributes to the pictures of a system, in a few numbers, which a model's gate reads."""

from eegdiffusion.images.metrics.reconstruction_arms import SYSTEMS
from eegdiffusion.images.metrics.reconstruction_scores import Scores
from eegdiffusion.images.metrics.score_reconstructions import CONCEPT

METRICS = {"two_way": "lite0", "concept": CONCEPT}
"""Name here -> metric: two-way identification on the pooled features of the packaged EfficientNet-lite0, which every
run has, and concepts that a classifier of true pictures names."""


def picture_gain(scores: Scores) -> dict[str, float]:
    """Compare pictures of the right EEG with those of each control, item by item.

    Args:
        scores: scores of all arms of a system.

    Returns:
        for ``two_way`` and, where it was measured, ``concept``: ``<name>`` of the arm that uses all of the EEG, and for
        each control (``shuffled``: EEG of another image, ``zeroed``: EEG of zeros) ``<name>_<control>`` and
        ``<name>_gain_<control>``, the paired difference, with its 95 % interval over test images, ``_low``, ``_high``.
    """
    (system,) = (system for system in SYSTEMS if system.full in scores.arms)
    metrics = {}
    for name, key in METRICS.items():
        if key not in scores.metrics:
            continue
        metrics[name] = scores.score(system.full, key).mean
        for arm in system.controls:
            control = "shuffled" if "shuffled" in arm else "zeroed"
            gain, difference = f"{name}_gain_{control}", scores.difference(system.full, arm, key)
            metrics[f"{name}_{control}"] = scores.score(arm, key).mean
            metrics |= {gain: difference.mean, f"{gain}_low": difference.low, f"{gain}_high": difference.high}
    return metrics
