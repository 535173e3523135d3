"""Values of the report's part on EEG events, section by section: numbers and tables for its template."""

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Protocol

from pandas import DataFrame

from eegdiffusion.core.statistics.classification_metrics import per_class
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report import classifier_tables, readers
from eegdiffusion.report.classifier_comparison import CONTROL, LFT, ClassifierComparison, GeneratedSpectra
from eegdiffusion.report.classifier_results import ClassifierResults, EventData
from eegdiffusion.report.report_results import EventResults
from eegdiffusion.report.subset_results import subset_table

PACKAGES = ["torch", "lightning", "diffusers", "pyhealth", "mne", "scikit-learn", "mlflow", "dvc"]


class Ablation(Protocol):
    """What the report needs of an entry of ``ablations`` or ``lft_tests``: its table, and its name in it."""

    family: str
    name: str


def summary_values(comparison: ClassifierComparison) -> dict:
    """Collect the answers that a reader looks for first."""
    accuracy = {name: summaries["balanced_accuracy"] for name, summaries in comparison.summaries.items()}
    control = {}
    if CONTROL in accuracy:
        control = {
            "control": classifier_tables.format_spread(accuracy[CONTROL]),
            "control_seeds": accuracy[CONTROL].n,
            "control_interval": classifier_tables.format_interval(comparison.intervals[CONTROL]),
        }
    return control | {
        "lft": classifier_tables.format_spread(accuracy[LFT]),
        "lft_seeds": accuracy[LFT].n,
        "lft_interval": classifier_tables.format_interval(comparison.intervals[LFT]),
        "above_half": accuracy[LFT].mean > 0.5,
        "half_within_interval": comparison.intervals[LFT].contains(0.5),
        "control_at_chance": comparison.control_at_chance,
        "chance": f"1/{round(1 / comparison.chance)} = {comparison.chance:.3f}",
        "windows": len(comparison.lft.labels),
        "subjects": comparison.intervals[LFT].clusters,
    }


def data_values(data: EventData) -> dict:
    """Make the tables of recordings, windows, split and problems."""
    return {
        "recordings": classifier_tables.recordings_table(data),
        "class_counts": classifier_tables.class_table(data),
        "split": data.split,
        "problems": classifier_tables.problems_table(data) if len(data.problems) else None,
    }


def classification_values(comparison: ClassifierComparison, classes: list[str], published: Mapping) -> dict:
    """Make the tables of metrics, of published numbers, and of classes.

    Args:
        comparison: the LFT, its control and the baselines.
        classes: names of the labels, in their order.
        published: the papers' numbers.

    Returns:
        variable of the template -> table.
    """
    lft = comparison.lft
    return {
        "results": classifier_tables.results_table(comparison),
        "published": classifier_tables.published_table(published["models"], classifier_tables.METRIC_NAMES),
        "published_seizures": classifier_tables.published_table(
            published["chbmit"], classifier_tables.SEIZURE_METRIC_NAMES
        ),
        "classes": classifier_tables.per_class_table([per_class(lft.labels, seed, classes) for seed in lft.predicted]),
    }


def calibration_values(events: EventResults) -> dict:
    """Make the table of calibration errors of all classifiers but the control."""
    classifiers = {name: each for name, each in events.comparison.classifiers.items() if name != CONTROL}
    return {"calibration": classifier_tables.calibration_table(classifiers, events.data.subjects)}


def reader_values(events: EventResults) -> dict:
    """Collect what the captions and the report's first section say of the classifiers and backbones in words."""
    accuracy = {name: metrics["balanced_accuracy"].mean for name, metrics in events.comparison.summaries.items()}
    return {
        "best_model": max(accuracy, key=lambda name: accuracy[name]),
        "confused": readers.most_frequent_confusion(events),
        "detections": readers.detections(events),
        "glossary": readers.glossary_table(events.data.classes),
        "largest_band": readers.largest_band_difference(events),
        "channels": len(events.data.channels),
        "channel_ids": events.data.channel_ids,
        "event_layout": events.data.layout,
        "event_warnings": events.data.warnings,
        "window_s": events.data.window_s,
        "rate_hz": events.data.rate_hz,
    }


def subset_values(events: EventResults) -> dict:
    """Make the table of scores on fewer channels, and say how the LFT was trained; None where it takes all alone."""
    if not events.subsets:
        return {"subsets": None}
    lft = events.comparison.lft
    subjects = lft.windows["recording"].map(events.data.subjects).to_numpy()
    table = subset_table(events.subsets, lft.labels, subjects, len(events.data.classes))
    return {"subsets": table, "subset_training": events.subsets[LFT].tested.channel_dropout}


def ablation_values(
    ablated: Mapping[str, ClassifierResults],
    ablations: Mapping[str, Ablation],
    published: Mapping[str, Mapping],
) -> dict[str, DataFrame]:
    """Make a table of each family of ablations; it begins with the LFT itself, under the paper's name.

    Args:
        ablated: the LFT, and the classifier of each ablation by its entry.
        ablations: entries of the sections ``ablations`` and ``lft_tests``.
        published: family -> variant -> the paper's numbers; its first variant is the default.

    Returns:
        family -> table.
    """
    results = {
        key: classifier_tables.AblationResult(classifier.parameters, classifier.summaries)
        for key, classifier in ablated.items()
    }
    families: dict[str, dict[str, classifier_tables.AblationResult]] = {}
    for key, ablation in ablations.items():
        default = next(iter(published.get(ablation.family, [])), "as in finetune_lft")
        family = families.setdefault(ablation.family, {default: results[LFT]})
        family[ablation.name] = results[key]
    return {
        name: classifier_tables.ablation_table(family, published.get(name, {})) for name, family in families.items()
    }


def pretraining_values(backbones: Mapping[str, Backbone], spectra: Mapping[str, GeneratedSpectra]) -> dict:
    """Make the tables of the backbones, and of the band power of the EEG that they generate."""
    return {
        "backbones": classifier_tables.backbones_table(backbones),
        "bands": classifier_tables.band_table({name: compared.differences for name, compared in spectra.items()}),
    }


def environment() -> str:
    """List the versions of Python and of the packages that the numbers depend on."""
    packages = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    return ", ".join([f"Python {platform.python_version()}", *packages])
