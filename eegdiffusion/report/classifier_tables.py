"""Tables of the report: results in, tables of text out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas

from eegdiffusion.core.statistics.classification_metrics import Interval
from eegdiffusion.core.statistics.seeds import Summary
from eegdiffusion.core.storage.splits import SPLITS
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report.classifier_results import Corpus
from eegdiffusion.report.comparison import Comparison

METRIC_NAMES = {
    "cohen_kappa": "Cohen's kappa",
    "balanced_accuracy": "balanced accuracy",
    "f1_weighted": "weighted F1",
}


def number(value: float, digits: int = 3) -> str:
    """Write a number, or a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:z.{digits}f}"


def spread(summary: Summary) -> str:
    """Write mean ± sd, or the mean alone where there is no sd."""
    mean = number(summary.mean)
    return mean if math.isnan(summary.sd) else f"{mean} ± {number(summary.sd)}"


def interval(found: Interval) -> str:
    """Write a confidence interval."""
    return f"{number(found.low)} to {number(found.high)}"


def recordings_table(corpus: Corpus) -> pandas.DataFrame:
    """Subjects, recordings, hours and windows of each split."""
    rows = []
    for split in SPLITS:
        recordings = corpus.recordings[corpus.recordings["split"] == split]
        rows.append(
            {
                "split": split,
                "subjects": recordings["subject"].nunique(),
                "recordings": len(recordings),
                "hours": f"{recordings['duration_s'].sum() / 3600:.2f}",
                "event windows": (corpus.windows["split"] == split).sum(),
                "pretraining windows": (corpus.pretraining["split"] == split).sum(),
            }
        )
    return pandas.DataFrame(rows)


def class_table(corpus: Corpus) -> pandas.DataFrame:
    """Event windows of each class and split."""
    labels = pandas.Categorical(corpus.windows["label"], categories=range(1, len(corpus.classes) + 1))
    splits = pandas.Categorical(corpus.windows["split"], categories=SPLITS)
    counts = pandas.crosstab(labels, splits, dropna=False)
    counts.index = pandas.Index(corpus.classes, name="class")
    counts["all"] = counts.sum(axis=1)
    return counts.reset_index()


def problems_table(corpus: Corpus) -> pandas.DataFrame:
    """Number of files that each check of ingestion objected to."""
    grouped = corpus.problems.groupby(["severity", "check"])["path"].nunique()
    return grouped.rename("files").reset_index()


def results_table(comparison: Comparison) -> pandas.DataFrame:
    """Metrics of the classifiers, with the interval of the balanced accuracy."""
    return pandas.DataFrame(
        [
            {
                "model": model,
                **{name: spread(summaries[metric]) for metric, name in METRIC_NAMES.items()},
                "95 % interval of balanced accuracy": interval(comparison.intervals[model]),
                "seeds": summaries["cohen_kappa"].n,
                "parameters": f"{comparison.classifiers[model].parameters:,}",
            }
            for model, summaries in comparison.summaries.items()
        ]
    )


def _quoted(value: float | Sequence[float] | None) -> str:
    """Write a published number with all its digits: mean, or mean and sd."""
    if value is None:
        return "–"
    return number(value, 4) if isinstance(value, float) else " ± ".join(number(part, 4) for part in value)


def published_table(published: Mapping) -> pandas.DataFrame:
    """The papers' numbers, each with its source; ``published`` is what ``published.yaml`` holds."""
    return pandas.DataFrame(
        [
            {
                "model": model,
                **{name: _quoted(entry[metric]) for metric, name in METRIC_NAMES.items()},
                "source": published["sources"][entry["source"]],
            }
            for model, entry in published["models"].items()
        ]
    )


@dataclass(frozen=True)
class Measured:
    """What one row of a table of results measured.

    Attributes:
        parameters: number of weights, counted.
        metrics: metric -> summary over seeds.
    """

    parameters: int
    metrics: Mapping[str, Summary]


def ablation_table(rows: Mapping[str, Measured], published: Mapping[str, Mapping]) -> pandas.DataFrame:
    """One family of ablations, measured here beside what the paper gives on TUEV.

    Args:
        rows: variant -> what was measured; the first is the default.
        published: variant -> metric -> the paper's number, for the variants and metrics that the paper gives.
    """
    quoted = {metric: name for metric, name in METRIC_NAMES.items() if any(metric in row for row in published.values())}
    return pandas.DataFrame(
        [
            {
                "variant": variant,
                "parameters": f"{measured.parameters:,}",
                "seeds": measured.metrics["cohen_kappa"].n,
                **{name: spread(measured.metrics[metric]) for metric, name in METRIC_NAMES.items()},
                **{
                    f"{name}, published (TUEV)": _quoted(published.get(variant, {}).get(metric))
                    for metric, name in quoted.items()
                },
            }
            for variant, measured in rows.items()
        ]
    )


def per_class_table(tables: Sequence[pandas.DataFrame]) -> pandas.DataFrame:
    """Scores of each class, mean ± sd over seeds; ``tables`` holds :func:`metrics.per_class` of each seed."""
    joined = pandas.concat(tables).groupby(level=0, sort=False)
    means, spreads, n = joined.mean(), joined.std(), len(tables)
    rows = pandas.DataFrame(
        {
            score: [spread(Summary(means.at[name, score], spreads.at[name, score], n)) for name in means.index]
            for score in ("precision", "recall", "f1")
        }
    ).rename(columns={"f1": "F1"})
    rows.insert(0, "class", means.index)
    return rows.assign(windows=means["support"].astype(int).to_numpy())


def backbones_table(backbones: Mapping[str, Backbone]) -> pandas.DataFrame:
    """Schedule, embedding, size and loss of the backbones."""
    return pandas.DataFrame(
        [
            {
                "backbone": name,
                "noise schedule": backbone.facts["schedule"],
                "mu-law": "yes" if backbone.facts["mu_law"] else "no",
                "parameters": f"{backbone.facts['parameters']:,}",
                "training samples": f"{backbone.facts['training_samples']:,}",
                "best epoch": f"{backbone.facts['best_epoch']:g}",
                "validation loss": number(backbone.facts["validation_loss"], 4),
            }
            for name, backbone in backbones.items()
        ]
    )


def band_table(differences: Mapping[str, pandas.DataFrame]) -> pandas.DataFrame:
    """Band power of generated minus real EEG, mean over channels and the range of the channels, for each backbone.

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
