"""Headline of the classification of EEG events: the LFT beside its baselines, its control and the champion."""

from eegdiffusion.core.statistics.classification_metrics import paired_bootstrap
from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.events.results.champion_predictions import ChampionPredictions
from eegdiffusion.report.champion import compare_champion
from eegdiffusion.report.classifier_comparison import CONTROL, LFT, ClassifierComparison
from eegdiffusion.report.classifier_results import ClassifierResults, EventData
from eegdiffusion.report.headline import Headline, PairedComparison, Role


def compare_with_lft(
    comparison: ClassifierComparison,
    name: str,
    other: ClassifierResults,
    role: Role,
    data: EventData,
) -> PairedComparison:
    """Compare the LFT's balanced accuracy with another classifier's on the same windows, drawing subjects."""
    lft = comparison.lft
    clusters = lft.windows["recording"].map(data.subjects).to_numpy()
    difference = paired_bootstrap(lft.labels, lft.predicted, other.predicted, clusters, lft.probabilities.shape[-1])
    return PairedComparison(name, role, difference.mean, difference.low, difference.high)


def event_headline(
    comparison: ClassifierComparison, data: EventData, champion: ChampionPredictions | None = None
) -> Headline:
    """Make the headline of the LFT.

    Args:
        comparison: the LFT, its control and the baselines.
        data: corpus of EEG events.
        champion: what the registry's champion said of its test windows, where that is kept.
    """
    champions, remarks = compare_champion(comparison.lft, champion)
    others = {name: results for name, results in comparison.classifiers.items() if name not in (LFT, CONTROL)}
    rivals = [compare_with_lft(comparison, name, results, "baseline", data) for name, results in others.items()]
    rivals += [compare_with_lft(comparison, name, results, "champion", data) for name, results in champions.items()]
    if CONTROL in comparison.classifiers:
        control = comparison.classifiers[CONTROL]
        rivals.append(compare_with_lft(comparison, "shuffled labels", control, "control", data))
    interval, summary = comparison.intervals[LFT], comparison.summaries[LFT]["balanced_accuracy"]
    return Headline(
        key="lft",
        task="EEG events",
        model=LFT,
        metric="balanced accuracy",
        corpus=data.name,
        score=Score(summary.mean, interval.low, interval.high),
        chance=comparison.chance,
        tested_on=f"{len(comparison.lft.labels)} windows of {interval.clusters} subjects, {summary.n} seeds",
        comparisons=rivals,
        remarks=remarks,
        notes=data.warnings,
    )
