"""What readers of the report look for first: an ML engineer, a scientist of EEG, and a physician."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import yaml

from eegdiffusion.core.statistics.classification_metrics import confusion_matrix, per_class
from eegdiffusion.report.report_results import EventResults

GLOSSARY = Path(__file__).with_name("glossary.yaml")

NO_EVENTS = ("EYEM", "ARTF", "BCKG")
"""Classes that a physician does not look for."""


@dataclass(frozen=True)
class Detection:
    """How a class of events is found by the LFT, windows of all seeds pooled.

    Attributes:
        name: name of the class.
        windows: number of test windows of it.
        sensitivity: share of them that are put into the class, in %; None where it does not occur.
        predictive_value: share of the windows put into the class that are of it, in %; None where none are.
    """

    name: str
    windows: int
    sensitivity: str | None
    predictive_value: str | None


def detections(events: EventResults) -> list[Detection]:
    """Compute sensitivity and positive predictive value of the classes that a physician looks for."""
    lft = events.comparison.lft
    labels = pandas.concat([pandas.Series(lft.labels)] * len(lft.predicted)).to_numpy()
    table = per_class(labels, lft.predicted.ravel(), events.data.classes)
    rows = table[~table.index.isin(NO_EVENTS)]
    return [
        Detection(
            str(name), int(row["support"]) // len(lft.predicted), _percent(row["recall"]), _percent(row["precision"])
        )
        for name, row in rows.iterrows()
    ]


def _percent(share: float) -> str | None:
    return None if pandas.isna(share) else f"{100 * share:.0f}"


def most_frequent_confusion(events: EventResults) -> str:
    """Say which class is most often taken for which other one; empty where nothing is confused."""
    lft, classes = events.comparison.lft, events.data.classes
    counts = np.sum([confusion_matrix(lft.labels, predicted, len(classes)) for predicted in lft.predicted], axis=0)
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    for k in range(len(classes)):
        shares[k, k] = 0
    row, column = divmod(int(shares.argmax()), len(classes))
    if not shares[row, column]:
        return ""
    return f"{100 * shares[row, column]:.0f} % of the windows of {classes[row]} are taken for {classes[column]}"


def largest_band_difference(events: EventResults) -> str:
    """Say in which band generated EEG is furthest from real EEG, mean over channels; empty without a backbone."""
    worst = ("", "", 0.0)
    for name, spectra in events.spectra.items():
        for band, change in spectra.differences.groupby("band", sort=False)["difference"].mean().items():
            if abs(change) > abs(worst[2]):
                worst = (name, str(band), float(change))
    backbone, band, change = worst
    if not backbone:
        return ""
    return f"furthest apart is the {band} band of the backbone {backbone}, {change:+.2f} in log10 of the power"


def glossary_table(classes: Sequence[str]) -> pandas.DataFrame | None:
    """Return the meaning of each class that the glossary has; None where it has none of them."""
    meanings = yaml.safe_load(GLOSSARY.read_text())
    known = [name for name in classes if name.lower() in meanings]
    rows = [
        dict(zip(("class", "is short for", "what it is"), (name, *meanings[name.lower()]), strict=True))
        for name in known
    ]
    return pandas.DataFrame(rows) if rows else None
