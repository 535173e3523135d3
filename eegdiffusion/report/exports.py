"""The report's numbers for machines: ``metrics.json`` for DVC metrics, tables for DVC plots."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.statistics.classification_metrics import METRICS
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report.classifier_comparison import ClassifierComparison, GeneratedSpectra
from eegdiffusion.report.report_results import EventResults


def metric_key(name: str) -> str:
    """Return a name as a key: ``LFT, shuffled labels`` becomes ``lft_shuffled_labels``."""
    return re.sub(r"\W+", "_", name.lower())


def flat_event_metrics(events: EventResults) -> dict[str, str | float | bool]:
    """Collect the main numbers of the events branch by flat names, without those that are NaN (the sd of one seed)."""
    comparison = events.comparison
    metrics: dict[str, str | float | bool] = {
        "corpus": events.data.name,
        "test_windows": len(comparison.lft.labels),
    }
    if comparison.control_at_chance is not None:
        metrics["control_interval_contains_chance"] = comparison.control_at_chance
    for name, summaries in comparison.summaries.items():
        for metric in METRICS:
            metrics[f"{metric_key(name)}_{metric}_mean"] = summaries[metric].mean
            metrics[f"{metric_key(name)}_{metric}_sd"] = summaries[metric].sd
        metrics[f"{metric_key(name)}_balanced_accuracy_low"] = comparison.intervals[name].low
        metrics[f"{metric_key(name)}_balanced_accuracy_high"] = comparison.intervals[name].high
        metrics[f"{metric_key(name)}_seeds"] = summaries[METRICS[0]].n
        metrics[f"{metric_key(name)}_parameters"] = comparison.classifiers[name].parameters
    for key, classifier in events.ablated.items():
        summaries = classifier.summaries
        metrics |= {f"ablation_{metric_key(key)}_{metric}_mean": summaries[metric].mean for metric in METRICS}
    for name, backbone in events.backbones.items():
        metrics[f"ssmdp_{metric_key(name)}_validation_loss"] = backbone.facts["validation_loss"]
        metrics[f"ssmdp_{metric_key(name)}_parameters"] = backbone.facts["parameters"]
        for band, change in events.spectra[name].differences.groupby("band", sort=False)["difference"].mean().items():
            metrics[f"ssmdp_{metric_key(name)}_{band}_log10_difference"] = change
    return {name: value for name, value in metrics.items() if not (isinstance(value, float) and math.isnan(value))}


def confusion_rows(comparison: ClassifierComparison, classes: list[str]) -> pandas.DataFrame:
    """Return a row for each test window and seed of the LFT: ``actual`` and ``predicted`` class."""
    names = np.array(classes)
    predicted = comparison.lft.predicted
    actual = np.tile(comparison.lft.labels, len(predicted))
    return pandas.DataFrame({"actual": names[actual], "predicted": names[predicted.ravel()]})


def kappa_rows(comparison: ClassifierComparison) -> pandas.DataFrame:
    """Return validation kappa, a column for each model (mean of the seeds still in training), a row for each epoch."""
    columns = {
        name: pandas.concat(classifier.curves).groupby("epoch")["validation_cohen_kappa"].mean()
        for name, classifier in comparison.classifiers.items()
    }
    return pandas.DataFrame(columns).rename(columns=metric_key).reset_index()


def loss_rows(backbones: Mapping[str, Backbone]) -> pandas.DataFrame:
    """Return the validation loss of pretraining, a column for each backbone, a row for each epoch."""
    columns = {name: backbone.curves.set_index("epoch")["validation_loss"] for name, backbone in backbones.items()}
    return pandas.DataFrame(columns).reset_index()


def spectra_rows(backbones: Mapping[str, Backbone], compared: Mapping[str, GeneratedSpectra]) -> pandas.DataFrame:
    """Return the power spectra in uV^2/Hz, a column for each backbone's channel and kind, a row for each frequency."""
    columns = {}
    for name, spectra in compared.items():
        for c, channel in enumerate(backbones[name].channels):
            columns[f"real {channel}"] = spectra.real[c]
            columns[f"{name} {channel}"] = spectra.generated[c]
    return pandas.DataFrame({"frequency_hz": next(iter(compared.values())).frequencies, **columns})


def write_exports(folder: Path, metrics: Mapping[str, str | float | bool], events: EventResults | None) -> None:
    """Write ``metrics.json`` and ``plots/*.csv``; of the latter there is none without the branch of EEG events.

    Args:
        folder: output of the stage; made when missing.
        metrics: main numbers of both branches, by flat names.
        events: results of the branch of EEG events.
    """
    (folder / "plots").mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2))
    if events is None:
        return
    tables = {
        "confusion": confusion_rows(events.comparison, events.data.classes),
        "validation_kappa": kappa_rows(events.comparison),
        "pretraining_loss": loss_rows(events.backbones),
        "spectra": spectra_rows(events.backbones, events.spectra),
    }
    for name, table in tables.items():
        write_table(folder / "plots" / f"{name}.csv", table, na_rep="nan")  # DVC draws nothing as zero
