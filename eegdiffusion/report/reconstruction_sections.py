"""Values of the report's part on images made from EEG: numbers and tables for its template."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas

from eegdiffusion.images.metrics.reconstruction_arms import System
from eegdiffusion.images.metrics.reconstruction_scores import Metric, Scores
from eegdiffusion.report import reconstruction_tables as tables
from eegdiffusion.report.reconstruction_results import GenerationResults, SystemResults


@dataclass(frozen=True)
class ControlVerdict:
    """Whether the full arm is above a control on two-way identification.

    Attributes:
        full, control: arms.
        above: metrics on which the interval of the difference lies above 0, in words.
        not_above: the others.
    """

    full: str
    control: str
    above: list[str]
    not_above: list[str]


def control_verdicts(scores: Scores, system: System) -> list[ControlVerdict]:
    """Compare the full arm with the controls on every two-way identification."""
    verdicts = []
    for control in system.controls:
        above: list[str] = []
        not_above: list[str] = []
        for metric in _two_way(scores):
            difference = scores.difference(system.full, control, metric.key)
            words = f"{tables.metric_label(metric)} {tables.format_mean_difference(difference)}"
            (above if difference.low > 0 else not_above).append(words)
        verdicts.append(ControlVerdict(system.full, control, above, not_above))
    return verdicts


def _two_way(scores: Scores) -> list[Metric]:
    return [metric for metric in scores.metrics.values() if metric.kind == "two_way"]


def _generation_values(generation: GenerationResults, number: int) -> dict:
    scores = generation.systems[0].scores
    return {
        "name": generation.name,
        "number": number,
        "corpus": scores.context.corpus,
        "surrogate": scores.context.corpus.startswith("surrogate"),
        "warnings": scores.context.warnings,
        "models": tables.models_table(generation.models) if generation.models else None,
        "measured": tables.measured_table(generation.models) if generation.models else None,
        "metrics": tables.metrics_table(scores),
        "recognised": None if generation.recognised is None else int(generation.recognised.sum()),
        "systems": [_system_values(results, number) for results in generation.systems],
    }


def _system_values(results: SystemResults, number: int) -> dict:
    system, scores, context = results.system, results.scores, results.scores.context
    measured_with = {metric.network for metric in scores.metrics.values() if metric.network}
    return {
        "name": system.name,
        "context": context,
        "picture": " × ".join(map(str, scores.picture)),
        "subjects": scores.subjects,
        "images": scores.images,
        "scored": len(scores.items(system.full, "pixcorr")),
        "clip": next((name for name in measured_with if name.startswith("CLIP")), None),
        "circular": sorted(name for name in measured_with if _letters(name) == _letters(context.aligned_with)),
        "verdicts": control_verdicts(scores, system),
        "arms": tables.arms_table(scores, system),
        "differences": _unless_empty(tables.differences_table(scores, system)),
        "sets": _unless_empty(tables.sets_table(scores, system)),
        "by_subject": tables.subjects_table(scores, system),
        "file": f"images{number}_{system.full}",
    }


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _unless_empty(table: pandas.DataFrame) -> pandas.DataFrame | None:
    return table if table.shape[1] > 2 or (table.shape[1] == 2 and "metric" in table) else None


def reconstruction_values(generations: list[GenerationResults], published: Mapping) -> dict:
    """Make the values of the part on images made from EEG; an empty list where there is none.

    Args:
        generations: results of each study.
        published: the papers' numbers.

    Returns:
        variable of the template -> value.
    """
    return {
        "generations": [_generation_values(results, number) for number, results in enumerate(generations, start=1)],
        "published_reconstruction": tables.published_table(published["reconstruction"]),
        "published_generation": tables.published_table(published["generation"]),
    }


def flat_reconstruction_metrics(generations: list[GenerationResults]) -> dict[str, str | float | bool]:
    """Collect the main numbers by flat names."""
    metrics: dict[str, str | float | bool] = {}
    for generation in generations:
        key = f"images_{generation.name}"
        for results in generation.systems:
            scores = results.scores
            metrics[f"{key}_corpus"] = scores.context.corpus
            for arm in results.system.arms:
                for metric in tables.itemwise_metrics(scores):
                    score, name = scores.score(arm, metric.key), f"{key}_{arm}_{metric.key}"
                    metrics |= {name: score.mean, f"{name}_low": score.low, f"{name}_high": score.high}
            for arm, metric, value in scores.sets[["arm", "metric", "value"]].itertuples(index=False):
                metrics[f"{key}_{arm}_{metric}"] = float(value)
            of_subjects = scores.subject_sets[["arm", "metric", "subject", "value"]]
            for arm, metric, subject, value in of_subjects.itertuples(index=False):
                metrics[f"{key}_{arm}_{metric}_{subject}"] = float(value)
            for verdict in control_verdicts(scores, results.system):
                metrics[f"{key}_{verdict.full}_above_{verdict.control}"] = not verdict.not_above
    return metrics
