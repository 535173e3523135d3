"""Headlines of images made from EEG: of each system the full arm beside those in which the EEG says less."""

from collections import Counter
from collections.abc import Sequence

from eegdiffusion.images.metrics.reconstruction_scores import Metric, Scores
from eegdiffusion.report.headline import Headline, PairedComparison, Role
from eegdiffusion.report.reconstruction_results import GenerationResults, SystemResults
from eegdiffusion.report.reconstruction_tables import metric_label

RIVALS = {
    "ridge": "ridge regression",
    "structure_only": "structure alone",
}
"""Arms that get along with less than the full one, and their names in headlines."""

CONTROLS = {
    "zeroed_eeg": "EEG of zeros",
    "shuffled_eeg": "shuffled EEG",
    "condiffusion_zeroed": "EEG of zeros",
    "condiffusion_shuffled": "shuffled EEG",
}
"""Arms whose EEG says nothing about the image, and their names in headlines."""


def headline_metric(scores: Scores) -> Metric | None:
    """Choose the metric of the headline: two-way identification by CLIP, else by the deepest network's last layer.

    Returns:
        the metric; None where no two-way identification was measured.
    """
    two_way = [metric for metric in scores.metrics.values() if metric.kind == "two_way"]
    by_network = [metric for metric in two_way if metric.network is not None]
    by_clip = [metric for metric in by_network if metric.network and metric.network.startswith("CLIP")]
    return next(reversed(by_clip or by_network or two_way), None)


def image_headlines(generations: Sequence[GenerationResults]) -> list[Headline]:
    """Make a headline of each study in which images were identified; it names the study where a system has several."""
    studies = Counter(results.system.name for generation in generations for results in generation.systems)
    return [
        _headline(results, metric, f"_{generation.name}" if studies[results.system.name] > 1 else "")
        for generation in generations
        for results in generation.systems
        if (metric := headline_metric(results.scores)) is not None
    ]


def _headline(results: SystemResults, metric: Metric, ending: str) -> Headline:
    system, scores = results.system, results.scores
    rivals = []
    kinds: tuple[tuple[dict[str, str], Role], ...] = (RIVALS, "baseline"), (CONTROLS, "control")
    for arms, role in kinds:
        for arm in (*system.others, *system.controls):
            if arm in arms:
                difference = scores.difference(system.full, arm, metric.key)
                ends = difference.mean, difference.low, difference.high
                rivals.append(PairedComparison(arms[arm], role, *ends))
    words = metric_label(metric).removesuffix(" ↑")
    return Headline(
        key=system.name.lower().removeprefix("eeg-") + ending,
        task="Image made from EEG",
        model=system.name,
        metric=words[0].lower() + words[1:],
        corpus=scores.context.corpus,
        score=scores.score(system.full, metric.key),
        chance=metric.chance,
        tested_on=f"{scores.images} images, {len(scores.subjects)} subjects",
        comparisons=rivals,
        notes=scores.context.warnings,
    )
