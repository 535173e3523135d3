"""Tables of the report: results in, tables of text out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from eegdiffusion.core.statistics.calibration import calibration_error, calibration_interval
from eegdiffusion.core.statistics.classification_metrics import Interval
from eegdiffusion.core.statistics.seeds import Summary
from eegdiffusion.core.storage.splits import SPLITS
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report.classifier_comparison import ClassifierComparison
from eegdiffusion.report.classifier_results import ClassifierResults, EventData

METRIC_NAMES = {
    "cohen_kappa": "Cohen's kappa",
    "balanced_accuracy": "balanced accuracy",
    "f1_weighted": "weighted F1",
}


def format_number(value: float, digits: int = 3) -> str:
    """Write a number with so many digits, or a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:z.{digits}f}"


def format_spread(summary: Summary) -> str:
    """Write mean ± sd, or the mean alone where there is no sd."""
    mean = format_number(summary.mean)
    return mean if math.isnan(summary.sd) else f"{mean} ± {format_number(summary.sd)}"


def format_interval(interval: Interval) -> str:
    """Write a confidence interval."""
    return f"{format_number(interval.low)} to {format_number(interval.high)}"


def recordings_table(data: EventData) -> pandas.DataFrame:
    """Return a table of the subjects, recordings, hours and windows of each split."""
    rows = []
    for split in SPLITS:
        recordings = data.recordings[data.recordings["split"] == split]
        rows.append(
            {
                "split": split,
                "subjects": recordings["subject"].nunique(),
                "recordings": len(recordings),
                "hours": f"{recordings['duration_s'].sum() / 3600:.2f}",
                "event windows": (data.windows["split"] == split).sum(),
                "pretraining windows": (data.pretraining["split"] == split).sum(),
            }
        )
    return pandas.DataFrame(rows)


def class_table(data: EventData) -> pandas.DataFrame:
    """Return a table of the event windows of each class and split."""
    labels = pandas.Categorical(data.windows["label"], categories=range(len(data.classes)))
    splits = pandas.Categorical(data.windows["split"], categories=SPLITS)
    counts = pandas.crosstab(labels, splits, dropna=False)
    counts.index = pandas.Index(data.classes, name="class")
    counts["all"] = counts.sum(axis=1)
    return counts.reset_index()


def problems_table(data: EventData) -> pandas.DataFrame:
    """Return a table of the number of files that each check of ingestion objected to."""
    grouped = data.problems.groupby(["severity", "check"])["path"].nunique()
    return grouped.rename("files").reset_index()


def results_table(comparison: ClassifierComparison) -> pandas.DataFrame:
    """Return a table of the classifiers' metrics, with the interval of the balanced accuracy."""
    return pandas.DataFrame(
        [
            {
                "model": model,
                **{name: format_spread(summaries[metric]) for metric, name in METRIC_NAMES.items()},
                "95 % interval of balanced accuracy": format_interval(comparison.intervals[model]),
                "seeds": summaries["cohen_kappa"].n,
                "parameters": f"{comparison.classifiers[model].parameters:,}",
            }
            for model, summaries in comparison.summaries.items()
        ]
    )


def calibration_table(classifiers: Mapping[str, ClassifierResults], subjects: pandas.Series) -> pandas.DataFrame:
    """Make a row for each classifier: its calibration error with the interval, and what it was before a temperature.

    Args:
        classifiers: name -> test predictions.
        subjects: recording -> subject.
    """

    def mean_error(labels: np.ndarray, probabilities: np.ndarray) -> str:
        return format_number(float(np.mean([calibration_error(labels, each) for each in probabilities])))

    rows = []
    for name, results in classifiers.items():
        before = results.uncalibrated
        interval = calibration_interval(results.labels, results.probabilities, results.clusters(subjects))
        row = {"model": name, "calibration error": mean_error(results.labels, results.probabilities)}
        row["95 % interval"] = format_interval(interval)
        row["temperature"] = "–" if results.temperatures is None else f"{np.mean(results.temperatures):.2f}"
        row["error before"] = "–" if before is None else mean_error(results.labels, before)
        rows.append(row)
    return pandas.DataFrame(rows)


def _quoted(value: float | Sequence[float] | None) -> str:
    """Write a published number with all its digits: mean, or mean and sd."""
    if value is None:
        return "–"
    return format_number(value, 4) if isinstance(value, float) else " ± ".join(format_number(part, 4) for part in value)


SEIZURE_METRIC_NAMES = {"balanced_accuracy": "balanced accuracy", "auprc": "AUPRC", "auroc": "AUROC"}


def _millions(published: Mapping) -> str:
    """Write a published number of parameters as it is printed."""
    return f"{published['parameters_m']:.10g} M" if "parameters_m" in published else "–"


def published_table(models: Mapping[str, Mapping], metrics: Mapping[str, str]) -> pandas.DataFrame:
    """Return a table of the papers' numbers.

    Args:
        models: model -> metric -> mean and sd over seeds, with ``parameters_m`` and ``frozen`` where the paper says.
        metrics: metric -> name of its column.
    """
    sized = any("parameters_m" in entry for entry in models.values())
    return pandas.DataFrame(
        [
            {
                "model": model,
                **({"parameters": _millions(entry)} if sized else {}),
                **({"backbone": "frozen" if entry.get("frozen") else "trained"} if sized else {}),
                **{name: _quoted(entry[metric]) for metric, name in metrics.items()},
            }
            for model, entry in models.items()
        ]
    )


@dataclass(frozen=True)
class AblationResult:
    """Result of one row of an ablation.

    Attributes:
        parameters: number of weights, counted.
        metrics: metric -> summary over seeds.
    """

    parameters: int
    metrics: Mapping[str, Summary]


def ablation_table(rows: Mapping[str, AblationResult], published: Mapping[str, Mapping]) -> pandas.DataFrame:
    """Return a table of one family of ablations, measured here beside what the paper gives on TUEV.

    Args:
        rows: variant -> result; the first is the default.
        published: variant -> metric -> the paper's number, for the variants and metrics that the paper gives.
    """
    quoted = {metric: name for metric, name in METRIC_NAMES.items() if any(metric in row for row in published.values())}
    sized = any("parameters_m" in row for row in published.values())
    return pandas.DataFrame(
        [
            {
                "variant": variant,
                "parameters": f"{result.parameters:,}",
                **({"parameters, published": _millions(published.get(variant, {}))} if sized else {}),
                "seeds": result.metrics["cohen_kappa"].n,
                **{name: format_spread(result.metrics[metric]) for metric, name in METRIC_NAMES.items()},
                **{
                    f"{name}, published (TUEV)": _quoted(published.get(variant, {}).get(metric))
                    for metric, name in quoted.items()
                },
            }
            for variant, result in rows.items()
        ]
    )


def per_class_table(tables: Sequence[pandas.DataFrame]) -> pandas.DataFrame:
    """Make a row for each class: precision, recall, F1, mean ± sd over seeds, and the number of windows.

    Args:
        tables: :func:`~eegdiffusion.core.statistics.classification_metrics.per_class` of each seed.
    """
    joined = pandas.concat(tables).groupby(level=0, sort=False)
    means, spreads, n = joined.mean(), joined.std(), len(tables)
    rows = pandas.DataFrame(
        {
            score: [format_spread(Summary(means.at[name, score], spreads.at[name, score], n)) for name in means.index]
            for score in ("precision", "recall", "f1")
        }
    ).rename(columns={"f1": "F1"})
    rows.insert(0, "class", means.index)
    return rows.assign(windows=means["support"].astype(int).to_numpy())


def backbones_table(backbones: Mapping[str, Backbone]) -> pandas.DataFrame:
    """Return a table of the schedule, embedding, size and loss of the backbones."""
    return pandas.DataFrame(
        [
            {
                "backbone": name,
                "noise schedule": backbone.facts["schedule"],
                "mu-law": "yes" if backbone.facts["mu_law"] else "no",
                "parameters": f"{backbone.facts['parameters']:,}",
                "training samples": f"{backbone.facts['training_samples']:,}",
                "best epoch": f"{backbone.facts['best_epoch']:g}",
                "validation loss": format_number(backbone.facts["validation_loss"], 4),
            }
            for name, backbone in backbones.items()
        ]
    )


def band_table(differences: Mapping[str, pandas.DataFrame]) -> pandas.DataFrame:
    """Return band power of generated minus real EEG for each backbone: mean over channels, and their range.

    Args:
        differences: backbone -> :func:`eegdiffusion.core.signal.spectra.band_differences`.
    """
    columns = {}
    for backbone, table in differences.items():
        grouped = table.groupby("band", sort=False)
        columns["band"] = grouped["low_hz"].first().index
        edges = grouped[["low_hz", "high_hz"]].first().to_numpy()
        columns["Hz"] = [f"{low:g} to {high:g}" for low, high in edges]
        change = grouped["difference"].agg(["mean", "min", "max"])
        columns[backbone] = [f"{mean:+z.2f} ({low:+z.2f} to {high:+z.2f})" for mean, low, high in change.to_numpy()]
    return pandas.DataFrame(columns)
