"""Scores of the probes of a task, and their paired differences, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas

from eegdiffusion.core.statistics.classification_metrics import (
    bootstrap_interval,
    paired_bootstrap,
    prediction_metrics,
)
from eegdiffusion.events.probes.chosen_probe import Choice
from eegdiffusion.events.probes.feature_names import PRETRAINED


@dataclass(frozen=True)
class TaskProbe:
    """What was chosen for some features, and what it says of the test windows.

    Attributes:
        choices: variant and probe, for each of several seeds.
        predicted: (seeds, test windows) labels.
    """

    choices: Sequence[Choice]
    predicted: np.ndarray


def score_probes(
    probes: Mapping[str, TaskProbe], labels: np.ndarray, groups: np.ndarray, classes: int
) -> pandas.DataFrame:
    """Return a row for each features: what was chosen, its score in cross-validation, test metrics, low and high.

    Scores are means over seeds; the interval of the balanced accuracy draws groups and seeds.

    Args:
        probes: features -> their probes.
        labels: (windows,) of the test windows.
        groups: (windows,), whose windows are alike.
        classes: number of classes.
    """
    rows = []
    for name, each in probes.items():
        scores = pandas.DataFrame([prediction_metrics(labels, predicted) for predicted in each.predicted])
        interval = bootstrap_interval(labels, each.predicted, groups, classes)
        rows.append(
            {
                "features": name,
                "variant": "; ".join(dict.fromkeys(choice.variant for choice in each.choices)),
                "probe": "; ".join(dict.fromkeys(choice.probe for choice in each.choices)),
                "seeds": len(each.predicted),
                "cross_validation": float(np.mean([choice.score for choice in each.choices])),
            }
            | scores.mean().to_dict()
            | {"low": interval.low, "high": interval.high}
        )
    return pandas.DataFrame(rows)


def differences_from_pretrained(
    probes: Mapping[str, TaskProbe], labels: np.ndarray, groups: np.ndarray, classes: int
) -> pandas.DataFrame:
    """Return ``against``, and the paired difference of the pretrained backbone's balanced accuracy: mean, low, high."""
    first = probes[PRETRAINED].predicted
    return pandas.DataFrame(
        {"against": name} | asdict(paired_bootstrap(labels, first, each.predicted, groups, classes))
        for name, each in probes.items()
        if name != PRETRAINED
    )
