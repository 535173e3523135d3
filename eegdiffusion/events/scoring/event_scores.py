"""Scores of predicted events against those of a reference, by events and by seconds, as SzCORE has them.

Dan et al., SzCORE: A Seizure Community Open-source Research Evaluation framework, Epilepsia 2024; the counts are those
of its package ``timescoring``.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas
from timescoring.annotations import Annotation as TimedEvents
from timescoring.scoring import EventScoring, SampleScoring

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.corpora.window_labels import Annotation

RATE_HZ = 10
"""Rate of the masks that events are made of, as in ``timescoring``."""

METRICS = ("sensitivity", "precision", "f1", "false_per_hour", "false_per_day")

UNITS = ("event", "sample")
"""What is counted: events, by any overlap; or seconds."""

ALL = "mean"
"""Stands for a subject in rows of the mean over subjects."""


@dataclass(frozen=True)
class EventRule:
    """How predicted events are held against those of the reference; the defaults are SzCORE's.

    Attributes:
        tolerance_start_s: seconds before an event in which a prediction finds it.
        tolerance_end_s: seconds after an event in which a prediction finds it.
        shortest_gap_s: events that are closer are one event.
        longest_s: longer events are several.
    """

    tolerance_start_s: float = 30.0
    tolerance_end_s: float = 60.0
    shortest_gap_s: float = 90.0
    longest_s: float = 300.0


OVERLAP = EventRule(0.0, 0.0, 0.0, float("inf"))
"""Any overlap of events as they are, for events of a second such as spikes."""


@dataclass(frozen=True)
class Counts:
    """What is counted in a recording, or in all of a subject.

    Attributes:
        reference: events (or seconds) of the reference.
        detected: those of them that are found.
        false: predicted events (or seconds) without one of the reference.
        seconds: length of the recordings.
    """

    reference: int
    detected: int
    false: int
    seconds: float

    @staticmethod
    def total(parts: Iterable["Counts"]) -> "Counts":
        """Return the counts of several recordings together."""
        return Counts(*(sum(values) for values in zip(*map(astuple, parts), strict=True)))

    def metrics(self) -> dict[str, float]:
        """Compute :data:`METRICS`; NaN where a metric would divide by nothing."""
        predicted = self.detected + self.false
        return {
            "sensitivity": self.detected / self.reference if self.reference else np.nan,
            "precision": self.detected / predicted if predicted else np.nan,
            "f1": 2 * self.detected / (self.reference + predicted) if self.reference + self.false else np.nan,
            "false_per_hour": self.false / self.seconds * 3600,
            "false_per_day": self.false / self.seconds * 86400,
        }


def count_recording(
    reference: Sequence[Annotation], predicted: Sequence[Annotation], duration_s: float, rule: EventRule
) -> dict[str, Counts]:
    """Count what of one class is found in a recording, by events and by seconds.

    Args:
        reference: events of the reference, in order.
        predicted: predicted events, in order.
        duration_s: seconds of the recording.
        rule: when a predicted event finds one of the reference.

    Returns:
        unit -> counts.
    """
    samples = round(duration_s * RATE_HZ)
    both = [
        TimedEvents([_on_mask(span, duration_s) for span in spans], RATE_HZ, samples)
        for spans in (reference, predicted)
    ]
    parameters = EventScoring.Parameters(
        toleranceStart=rule.tolerance_start_s,
        toleranceEnd=rule.tolerance_end_s,
        maxEventDuration=rule.longest_s,
        minDurationBetweenEvents=rule.shortest_gap_s,
    )
    scores = {"event": EventScoring(*both, parameters), "sample": SampleScoring(*both)}
    return {
        unit: Counts(int(score.refTrue), int(score.tp), int(score.fp), score.numSamples / score.fs)
        for unit, score in scores.items()
    }


def _on_mask(span: Annotation, duration_s: float) -> tuple[float, float]:
    """Return what of an event lies in the recording; one between two samples of the mask takes the sample it is in."""
    start_s, stop_s = max(span.start_s, 0.0), min(span.stop_s, duration_s)
    if round(start_s * RATE_HZ) < round(stop_s * RATE_HZ):
        return start_s, stop_s
    sample = min(int(start_s * RATE_HZ), round(duration_s * RATE_HZ) - 1)
    return sample / RATE_HZ, (sample + 1) / RATE_HZ


def score_table(
    counts: Sequence[tuple[str, str, str, Counts]], level: float = 0.95, replicates: int = 2000
) -> pandas.DataFrame:
    """Make a table of scores: a row for each class, unit and subject, and one for the mean over subjects.

    A subject's counts are those of all of its recordings together. The mean is over the subjects that have the metric;
    its interval draws subjects with replacement, and there is none of one subject.

    Args:
        counts: class, unit, subject, counts of each recording.
        level: nominal coverage of the intervals.
        replicates: draws of the bootstrap.

    Returns:
        columns class, unit, subject, recordings, hours, reference, detected, false, and each of :data:`METRICS`, with
        its ends ``_low`` and ``_high`` in rows of means.
    """
    rows = []
    for label in dict.fromkeys(label for label, *_ in counts):
        for unit in UNITS:
            subjects: dict[str, list[Counts]] = {}
            for name, counted, subject, count in counts:
                if (name, counted) == (label, unit):
                    subjects.setdefault(subject, []).append(count)
            rows += _rows(label, unit, subjects, level, replicates) if subjects else []
    return pandas.DataFrame(rows)


def _rows(label: str, unit: str, subjects: dict[str, list[Counts]], level: float, replicates: int) -> list[dict]:
    totals = {subject: Counts.total(parts) for subject, parts in subjects.items()}
    if any(not total.seconds for total in totals.values()):
        raise InputError("recordings: must be longer than 0 s")
    metrics = np.array([list(total.metrics().values()) for total in totals.values()])
    rows = [
        _row(label, unit, subject, len(subjects[subject]), total) | total.metrics() for subject, total in totals.items()
    ]
    whole = _row(label, unit, ALL, sum(map(len, subjects.values())), Counts.total(totals.values()))
    whole |= dict(zip(METRICS, _means(metrics), strict=True))
    if len(totals) > 1:
        draws = np.random.default_rng(0).integers(0, len(totals), (replicates, len(totals)))
        means = _means(metrics[draws].swapaxes(0, 1))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="All-NaN")  # a metric that no subject has
            low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
        for metric, ends in zip(METRICS, zip(low, high, strict=True), strict=True):
            whole |= dict(zip((f"{metric}_low", f"{metric}_high"), ends, strict=True))
    return [whole, *rows]


def _means(values: np.ndarray) -> np.ndarray:
    """Average over the first axis what is there; NaN where nothing is."""
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(finite, values, 0).sum(0) / finite.sum(0)


def _row(label: str, unit: str, subject: str, recordings: int, total: Counts) -> dict[str, object]:
    fields = {"class": label, "unit": unit, "subject": subject, "recordings": recordings}
    return fields | {
        "hours": total.seconds / 3600,
        "reference": total.reference,
        "detected": total.detected,
        "false": total.false,
    }
