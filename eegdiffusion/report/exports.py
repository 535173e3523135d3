"""The report's numbers for machines: ``metrics.json`` for DVC metrics, tables for DVC plots."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.statistics.classification_metrics import METRICS
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report.classifier_results import Classifier, Corpus
from eegdiffusion.report.comparison import Comparison, Spectra


def _key(name: str) -> str:
    """``LFT, shuffled labels`` -> ``lft_shuffled_labels``."""
    return re.sub(r"\W+", "_", name.lower())


def flat_metrics(
    corpus: str,
    comparison: Comparison,
    backbones: Mapping[str, Backbone],
    compared: Mapping[str, Spectra],
    ablated: Mapping[str, Classifier],
) -> dict[str, str | float | bool]:
    """The report's main numbers by flat names, without those that do not exist (the sd of a single seed)."""
    found = {
        "corpus": corpus,
        "test_windows": len(comparison.lft.labels),
        "control_interval_contains_chance": comparison.control_at_chance,
    }
    for name, summaries in comparison.summaries.items():
        for metric in METRICS:
            found[f"{_key(name)}_{metric}_mean"] = summaries[metric].mean
            found[f"{_key(name)}_{metric}_sd"] = summaries[metric].sd
        found[f"{_key(name)}_balanced_accuracy_low"] = comparison.intervals[name].low
        found[f"{_key(name)}_balanced_accuracy_high"] = comparison.intervals[name].high
        found[f"{_key(name)}_seeds"] = summaries[METRICS[0]].n
        found[f"{_key(name)}_parameters"] = comparison.classifiers[name].parameters
    for key, classifier in ablated.items():
        summaries = classifier.summaries
        found |= {f"ablation_{_key(key)}_{metric}_mean": summaries[metric].mean for metric in METRICS}
    for name, backbone in backbones.items():
        found[f"ssmdp_{_key(name)}_validation_loss"] = backbone.facts["validation_loss"]
        found[f"ssmdp_{_key(name)}_parameters"] = backbone.facts["parameters"]
        for band, change in compared[name].differences.groupby("band", sort=False)["difference"].mean().items():
            found[f"ssmdp_{_key(name)}_{band}_log10_difference"] = change
    return {name: value for name, value in found.items() if not (isinstance(value, float) and math.isnan(value))}


def confusion_rows(comparison: Comparison, classes: list[str]) -> pandas.DataFrame:
    """A row for each test window and seed of the LFT: ``actual`` and ``predicted`` class."""
    names = np.array(classes)
    predicted = comparison.lft.predicted
    actual = np.tile(comparison.lft.labels, len(predicted))
    return pandas.DataFrame({"actual": names[actual], "predicted": names[predicted.ravel()]})


def kappa_rows(comparison: Comparison) -> pandas.DataFrame:
    """Validation kappa, a column for each model (mean of the seeds still in training), a row for each epoch."""
    columns = {
        name: pandas.concat(classifier.curves).groupby("epoch")["validation_cohen_kappa"].mean()
        for name, classifier in comparison.classifiers.items()
    }
    return pandas.DataFrame(columns).rename(columns=_key).reset_index()


def loss_rows(backbones: Mapping[str, Backbone]) -> pandas.DataFrame:
    """Validation loss of pretraining, a column for each backbone, a row for each epoch."""
    columns = {name: backbone.curves.set_index("epoch")["validation_loss"] for name, backbone in backbones.items()}
    return pandas.DataFrame(columns).reset_index()


def spectra_rows(backbones: Mapping[str, Backbone], compared: Mapping[str, Spectra]) -> pandas.DataFrame:
    """Power spectra in uV^2/Hz, a column for each backbone's channel and kind, a row for each frequency."""
    columns = {}
    for name, found in compared.items():
        for c, channel in enumerate(backbones[name].channels):
            columns[f"real {channel}"] = found.real[c]
            columns[f"{name} {channel}"] = found.generated[c]
    return pandas.DataFrame({"frequency_hz": next(iter(compared.values())).frequencies, **columns})


def write(
    folder: Path,
    corpus: Corpus,
    comparison: Comparison,
    backbones: Mapping[str, Backbone],
    compared: Mapping[str, Spectra],
    ablated: Mapping[str, Classifier],
    further: Mapping[str, str | float | bool],
) -> None:
    """Write ``metrics.json``, with ``further`` metrics in it, and ``plots/*.csv``."""
    metrics = flat_metrics(corpus.name, comparison, backbones, compared, ablated) | further
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2))
    (folder / "plots").mkdir()
    rows = {
        "confusion": confusion_rows(comparison, corpus.classes),
        "validation_kappa": kappa_rows(comparison),
        "pretraining_loss": loss_rows(backbones),
        "spectra": spectra_rows(backbones, compared),
    }
    for name, table in rows.items():
        table.to_csv(folder / "plots" / f"{name}.csv", index=False)
