"""Headlines of the report: main scores, paired differences, and the few numbers that DVC compares."""

import math

import pytest

from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.report.headline import (
    MOST_METRICS,
    SCREEN,
    Headline,
    PairedComparison,
    headline_metrics,
    table_width,
)


def _headline(key: str, *comparisons: PairedComparison) -> Headline:
    score = Score(0.59168, 0.5, 0.7)
    return Headline(key, "EEG events", "LFT", "balanced accuracy", "surrogate", score, 1 / 6, "windows", comparisons)


WORSE = PairedComparison("band powers", "baseline", -0.11234, -0.2, -0.05)
BETTER = PairedComparison("SPaRCNet", "baseline", 0.2, 0.1, 0.3)
EVEN = PairedComparison("ContraWR", "baseline", 0.01, -0.1, 0.12)
FEW = PairedComparison("permuted pairs", "control", 0.1, math.nan, math.nan)


@pytest.mark.parametrize(
    ("comparison", "verdict", "sentence"),
    [
        (WORSE, "worse", "band powers beats LFT by 0.112 (0.050 to 0.200)"),
        (BETTER, "better", "LFT beats SPaRCNet by 0.200 (0.100 to 0.300)"),
        (EVEN, "undecided", "no clear difference of LFT from ContraWR: +0.010 (-0.100 to +0.120)"),
        (FEW, "undecided", "LFT minus permuted pairs: +0.100, without an interval"),
    ],
)
def test_a_difference_is_said_plainly_whoever_is_better(comparison, verdict, sentence):
    assert comparison.verdict == verdict
    assert comparison.sentence("LFT") == sentence


def test_the_gain_is_over_the_strongest_and_negative_where_it_is_better():
    headline = _headline("lft", BETTER, WORSE, EVEN)
    assert headline.gain == WORSE.mean
    assert headline.beaten_by == ["band powers"]
    assert headline_metrics([headline]) == {"lft": 0.5917, "lft_gain": -0.1123}
    assert headline_metrics([_headline("lft")]) == {"lft": 0.5917}


@pytest.mark.parametrize(("count", "metrics_each"), [(1, 2), (2, 2), (3, 1), (7, 1), (12, 1), (30, 1)])
def test_there_are_never_more_metrics_than_can_be_read(count, metrics_each):
    metrics = headline_metrics([_headline(f"task{k}", BETTER) for k in range(count)])
    assert len(metrics) == min(count * metrics_each, MOST_METRICS)
    assert all(f"task{k}" in metrics for k in range(min(count, MOST_METRICS)))


def test_the_demos_metrics_fit_a_screen():
    names = ("lft", "retrieval", "concepts", "sgdm", "condiffusion")
    metrics = headline_metrics([_headline(name, WORSE) for name in names])
    assert list(metrics) == list(names)
    assert table_width(metrics) <= SCREEN
