"""Tables of images made from EEG: scores in, tables of text out."""

from collections.abc import Mapping, Sequence

import pandas

from eegdiffusion.core.statistics.paired_difference import Difference
from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.images.metrics.reconstruction_arms import MEANING, System
from eegdiffusion.images.metrics.reconstruction_scores import Metric, Scores
from eegdiffusion.report import model_facts
from eegdiffusion.report.classifier_tables import format_number
from eegdiffusion.report.reconstruction_results import ModelResults

ITEMWISE_KINDS = ("pixcorr", "ssim", "two_way", "correlation_distance", "n_way", "concept")
"""Kinds of metrics that each item has."""

PUBLISHED = {
    "pixcorr": "PixCorr", "ssim": "SSIM", "alexnet2": "AlexNet(2)", "alexnet5": "AlexNet(5)", "inception": "Inception",
    "clip": "CLIP", "swav": "SwAV distance", "inception_score": "Inception Score", "fid": "FID", "accuracy": "accuracy",
}  # fmt: skip

PARAMETERS = {"parameters": "parameters trained", "frozen": "frozen"}


def metric_label(metric: Metric) -> str:
    """Name a metric with its network, layer and direction."""
    where = f"{metric.side} × {metric.side} pixels" if metric.network is None else f"{metric.network}, {metric.layer}"
    if metric.kind in ("pixcorr", "ssim"):
        where = f"at {metric.side} px"
    if metric.kind in ("n_way", "concept", "inception_score"):
        where = str(metric.network)
    return f"{metric.title}, {where} {'↑' if metric.higher_is_better else '↓'}"


def itemwise_metrics(scores: Scores) -> list[Metric]:
    """Return the metrics that each item has; the pixels' first, so that they stand beside the networks'."""
    return [metric for metric in scores.metrics.values() if metric.kind in ITEMWISE_KINDS]


def _format_score(score: Score) -> str:
    return f"{format_number(score.mean)} ({format_number(score.low)} to {format_number(score.high)})"


def arms_table(scores: Scores, system: System) -> pandas.DataFrame:
    """Return a row for each arm: means over items with intervals; what chance gets in the last row."""
    rows = []
    for arm in system.arms:
        row = {"arm": arm, "what it is": MEANING[arm], "pictures an item": scores.samples(arm)}
        rows.append(row | {metric_label(m): _format_score(scores.score(arm, m.key)) for m in itemwise_metrics(scores)})
    chance = {metric_label(m): "–" if m.chance is None else format_number(m.chance) for m in itemwise_metrics(scores)}
    return pandas.DataFrame([*rows, {"arm": "chance", "what it is": "", "pictures an item": "–"} | chance])


def sets_table(scores: Scores, system: System) -> pandas.DataFrame:
    """Return a table of the scores of all pictures of an arm."""
    rows = []
    for arm in system.arms:
        values = scores.sets[scores.sets["arm"] == arm]
        row = {"arm": arm, "pictures": values["pictures"].max()}
        for metric, value in zip(values["metric"], values["value"], strict=True):
            row[metric_label(scores.metrics[metric])] = format_number(value, 2)
        rows.append(row)
    return pandas.DataFrame(rows)


def subjects_table(scores: Scores, system: System) -> pandas.DataFrame | None:
    """Return a row for each arm and score with a column for each subject and their mean, as papers have it.

    The Inception Score of each subject's images stands beside N-way accuracy of the same network, which says whether
    they show what was seen.

    Returns:
        the table; None where the subjects were not told apart.
    """
    if scores.subject_sets.empty:
        return None
    rows = []
    for metric in scores.metrics.values():
        for arm in system.arms:
            if metric.kind == "inception_score":
                chosen = scores.subject_sets
                chosen = chosen[(chosen["arm"] == arm) & (chosen["metric"] == metric.key)]
            elif metric.kind in ("n_way", "concept"):
                chosen = scores.items(arm, metric.key)
            else:
                continue
            values, digits = chosen.groupby("subject")["value"].mean(), 2 if metric.kind == "inception_score" else 3
            row = {"score": metric_label(metric), "arm": arm}
            row |= {subject: format_number(value, digits) for subject, value in values.items()}
            chance = "–" if metric.chance is None else format_number(metric.chance)
            rows.append(row | {"mean": format_number(values.mean(), digits), "chance": chance})
    return pandas.DataFrame(rows)


def format_mean_difference(difference: Difference) -> str:
    """Write a difference and its interval, with signs."""
    return f"{difference.mean:+z.3f} ({difference.low:+z.3f} to {difference.high:+z.3f})"


def format_difference(difference: Difference) -> str:
    """Write a difference, its interval and its sign test."""
    return f"{format_mean_difference(difference)}; p {difference.p_sign:.2g}"


def differences_table(scores: Scores, system: System) -> pandas.DataFrame:
    """Return a row for each metric, a column for each arm that the full one is compared with."""
    rows = []
    for metric in itemwise_metrics(scores):
        row = {"metric": metric_label(metric)}
        for arm in (*system.controls, *system.others):
            row[f"{system.full} − {arm}"] = format_difference(scores.difference(system.full, arm, metric.key))
        rows.append(row)
    return pandas.DataFrame(rows)


def metrics_table(scores: Scores) -> pandas.DataFrame:
    """Return a table of what each metric was measured with."""
    return pandas.DataFrame(
        [
            {
                "metric": metric_label(metric),
                "image size in px": metric.side,
                "network": metric.network or "–",
                "layer": metric.layer or "–",
                "weights": metric.weights or "–",
                "stands beside": metric_label(scores.metrics[metric.baseline]) if metric.baseline else "–",
            }
            for metric in scores.metrics.values()
        ]
    )


def models_table(models: Sequence[ModelResults]) -> pandas.DataFrame:
    """Return a table of the models: parameters, trained and frozen, and the sizes of training and data."""
    rows = []
    for model in models:
        row = {"model": model.name}
        for key, name in PARAMETERS.items():
            row[name] = f"{_total(model.facts[key]):,.0f}" if key in model.facts else "–"
        sizes = ", ".join(f"{name} {value}" for name, value in model_facts.sizes(model.facts).items())
        rows.append(row | {"training and data": sizes or "–"})
    return pandas.DataFrame(rows)


def measured_table(models: Sequence[ModelResults]) -> pandas.DataFrame:
    """Return a row for each number that the models' stages measured, with its interval where it has one."""
    rows = [
        {"model": model.name, "measured": name, "value (interval)": value}
        for model in models
        for name, value in model_facts.measured(model.facts).items()
    ]
    return pandas.DataFrame(rows, columns=["model", "measured", "value (interval)"])


def _total(count: int | Mapping[str, int]) -> int:
    """Return a number of parameters, or the sum over a model's parts."""
    return count if isinstance(count, int) else sum(map(_total, count.values()))


def published_table(published: Mapping) -> pandas.DataFrame:
    """Return a table of published numbers, whose they are and how sure the quotation is."""
    used = [key for key in PUBLISHED if any(key in row for row in published.values())]
    return pandas.DataFrame(
        [
            {"method": name.partition(",")[0], "subjects": row["subjects"]}
            | {PUBLISHED[key]: _quoted(row.get(key)) for key in used}
            | {"protocol": row["protocol"]}
            for name, row in published.items()
        ]
    )


def _quoted(value: float | Sequence[float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, int | float) else f"{value[0]:g}–{value[1]:g}"
