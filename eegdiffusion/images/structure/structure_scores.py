"""How well structure maps are predicted, always beside the mean field, the mean map of the training images.

A mean map that is the same for all images can look better than a prediction (it has the common outline, and no noise);
so maps are compared by what they deviate from it.
"""

import numpy as np
import pandas
from torch import Tensor

from eegdiffusion.core.statistics.retrieval import bootstrap, similarities
from eegdiffusion.images.structure.structure_kinds import StructureKind


def map_deviations(maps: Tensor, mean_field: Tensor) -> np.ndarray:
    """Compute what maps (n, C, H, W) deviate from the mean field, centred over each map's values: (n, values)."""
    difference = (maps - mean_field).flatten(1)
    return (difference - difference.mean(1, keepdim=True)).numpy()


def structure_table(kind: StructureKind, logits: Tensor, maps: Tensor, mean_field: Tensor) -> pandas.DataFrame:
    """Score predicted maps, a row each.

    Args:
        kind: what fits the kind of the maps.
        logits: (n, C, H, W) predicted logits.
        maps: (n, C, H, W) true maps, of n different images.
        mean_field: (C, H, W) mean map of the training images.

    Returns:
        ``loss`` and ``score`` of the kind, those of the mean field (``mean_field_loss``, ``mean_field_score``),
        Pearson's ``correlation`` of the deviations from the mean field, and ``two_way``: the share of the other images
        whose deviations the prediction's correlate with less than with the right ones (0.5 by chance).
    """
    constant = kind.prior(mean_field[None]).expand_as(maps)
    predicted = kind.activate(logits)
    similarity = similarities(map_deviations(predicted, mean_field), map_deviations(maps, mean_field))
    right = np.diag(similarity)[:, None]
    better = (similarity < right).sum(1) + 0.5 * ((similarity == right).sum(1) - 1)  # a constant is at chance
    return pandas.DataFrame(
        {
            "loss": kind.loss(logits, maps).numpy(),
            "mean_field_loss": kind.loss(constant, maps).numpy(),
            "score": kind.score(predicted, maps).numpy(),
            "mean_field_score": kind.score(kind.activate(constant), maps).numpy(),
            "correlation": right[:, 0],
            "two_way": better / max(1, len(maps) - 1),
        }
    )


def variance_ratio(predicted: Tensor, maps: Tensor) -> float:
    """Divide the variance of predicted maps over images by that of the true ones; 0 where all predictions are alike."""
    return float(predicted.var(0).mean() / maps.var(0).mean().clamp(min=1e-12))


def structure_metrics(table: pandas.DataFrame, prefix: str) -> dict[str, float]:
    """Average the scores of maps, with bootstrap intervals over images.

    Args:
        table: table of :func:`structure_table`, with a column ``image``.
        prefix: what the metrics' names begin with.

    Returns:
        score, the mean field's beside it, correlation, two_way, and gain: the share of the mean field's loss that is
        saved; gain and two_way with ``_low`` and ``_high``.
    """
    images = table["image"].to_numpy()
    gain = (table["mean_field_loss"] - table["loss"]) / table["mean_field_loss"].mean()
    metrics = {f"{prefix}_{name}": float(table[name].mean()) for name in ("score", "mean_field_score", "correlation")}
    for name, values in {"gain": gain, "two_way": table["two_way"]}.items():
        score = bootstrap(values.to_numpy(), images)
        metrics |= {
            f"{prefix}_{name}": score.mean,
            f"{prefix}_{name}_low": score.low,
            f"{prefix}_{name}_high": score.high,
        }
    return metrics
