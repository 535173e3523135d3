"""Headlines of the report: of each task one score, and its paired differences from what it has to be better than."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from eegdiffusion.core.statistics.retrieval import Score

HEADLINE_FILE = "headline.json"
"""File of the report that ``dvc metrics show`` reads."""

MOST_METRICS = 12
"""Largest number of metrics in it, so that they can be read side by side."""

SCREEN = 80
"""Columns that ``dvc metrics show`` may take, so that ``dvc exp show``, which adds more, stays below 120."""


Role = Literal["baseline", "control", "champion"]
"""What a model is compared with: another model of the task, one that knows nothing of EEG or labels, the registry's."""


@dataclass(frozen=True)
class PairedComparison:
    """The model of a headline beside another, on the same test items; differences are model minus other.

    Attributes:
        against: what it is compared with.
        role: what kind of model that is.
        mean: mean difference.
        low, high: 95 % interval of the difference; NaN where it cannot be estimated.
    """

    against: str
    role: Role
    mean: float
    low: float
    high: float

    @property
    def judged(self) -> bool:
        """Whether there is an interval to judge by."""
        return not math.isnan(self.low)

    @property
    def verdict(self) -> Literal["better", "worse", "undecided"]:
        """Whether the model is better or worse: where the interval leaves 0 out, else undecided."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "undecided"

    def sentence(self, model: str) -> str:
        """Say in words which of the two is better, and by how much."""
        if not self.judged:
            return f"{model} minus {self.against}: {self.mean:+z.3f}, without an interval"
        if self.verdict == "undecided":
            interval = f"{self.low:+z.3f} to {self.high:+z.3f}"
            return f"no clear difference of {model} from {self.against}: {self.mean:+z.3f} ({interval})"
        if self.verdict == "better":
            return f"{model} beats {self.against} by {self.mean:.3f} ({self.low:.3f} to {self.high:.3f})"
        return f"{self.against} beats {model} by {-self.mean:.3f} ({-self.high:.3f} to {-self.low:.3f})"


@dataclass(frozen=True)
class Headline:
    """The main score of a task.

    Attributes:
        key: name of the score in ``headline.json``.
        task: what was to be done, in words.
        model: name of the model that the score is of.
        metric: name of the score in words; more is better.
        corpus: corpus of the test items, ``surrogate ...`` where it is one.
        score: mean and 95 % interval.
        chance: score of a model that knows nothing; None where that is not known.
        tested_on: number of test items, in words.
        comparisons: paired differences, baselines before controls.
        notes: warnings that must stand beside the score.
        remarks: further sentences on the comparisons.
    """

    key: str
    task: str
    model: str
    metric: str
    corpus: str
    score: Score
    chance: float | None
    tested_on: str
    comparisons: Sequence[PairedComparison]
    notes: Sequence[str] = field(default_factory=tuple)
    remarks: Sequence[str] = field(default_factory=tuple)

    def without_champion(self) -> "Headline":
        """Return the headline with baselines and controls alone."""
        return replace(self, comparisons=[each for each in self.comparisons if each.role != "champion"])

    @property
    def gain(self) -> float | None:
        """Mean difference from the strongest of what the model is compared with; negative where that one is better."""
        return min((comparison.mean for comparison in self.comparisons), default=None)

    @property
    def beaten_by(self) -> list[str]:
        """Names of what is better than the model."""
        return [comparison.against for comparison in self.comparisons if comparison.verdict == "worse"]


def table_width(names: Iterable[str]) -> int:
    """Return the columns of the table in which ``dvc metrics show`` has metrics of these names, and the file's."""
    return len(f"reports/{HEADLINE_FILE}") + sum(2 + max(len(name), len("-0.1234")) for name in names)


def headline_metrics(headlines: Sequence[Headline]) -> dict[str, float]:
    """Name the scores of the headlines, at most :data:`MOST_METRICS`, and their gains where :data:`SCREEN` holds them.

    Returns:
        ``<key>``: the score, and ``<key>_gain``: its difference from the strongest baseline or control;
        rounded to four digits.
    """
    scores: dict[str, float] = {}
    with_gains: dict[str, float] = {}
    for headline in headlines[:MOST_METRICS]:
        scores[headline.key] = with_gains[headline.key] = round(headline.score.mean, 4)
        if headline.gain is not None:
            with_gains[f"{headline.key}_gain"] = round(headline.gain, 4)
    return with_gains if len(with_gains) <= MOST_METRICS and table_width(with_gains) <= SCREEN else scores


def write_headline_metrics(folder: Path, headlines: Sequence[Headline]) -> None:
    """Write ``headline.json``."""
    (folder / HEADLINE_FILE).write_text(json.dumps(headline_metrics(headlines), indent=2))
