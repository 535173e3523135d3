"""What fills the report's template, section by section."""

import importlib.metadata
import platform
from collections.abc import Mapping

from pandas import DataFrame

from components.ablate_lft.settings import Row
from eegdiffusion.core.observe.figures import figures
from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.core.observe.figures.metric_bars import metrics_by_model
from eegdiffusion.core.statistics.classification_metrics import confusion_matrix, per_class
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report import classifier_tables
from eegdiffusion.report.classifier_results import Classifier, Corpus
from eegdiffusion.report.comparison import CONTROL, LFT, Comparison, Spectra
from eegdiffusion.report.document import Document

PACKAGES = ["torch", "lightning", "diffusers", "pyhealth", "mne", "scikit-learn", "mlflow", "dvc"]


def summary(comparison: Comparison) -> dict:
    """The answers that a reader looks for first."""
    accuracy = {name: summaries["balanced_accuracy"] for name, summaries in comparison.summaries.items()}
    return {
        "lft": classifier_tables.spread(accuracy[LFT]),
        "lft_seeds": accuracy[LFT].n,
        "lft_interval": classifier_tables.interval(comparison.intervals[LFT]),
        "above_half": accuracy[LFT].mean > 0.5,
        "half_within_interval": comparison.intervals[LFT].contains(0.5),
        "control": classifier_tables.spread(accuracy[CONTROL]),
        "control_seeds": accuracy[CONTROL].n,
        "control_interval": classifier_tables.interval(comparison.intervals[CONTROL]),
        "control_at_chance": comparison.control_at_chance,
        "chance": f"1/{round(1 / comparison.chance)} = {comparison.chance:.3f}",
        "windows": len(comparison.lft.labels),
        "subjects": comparison.intervals[LFT].clusters,
    }


def data(corpus: Corpus) -> dict:
    """Recordings, windows, split, problems."""
    return {
        "recordings": classifier_tables.recordings_table(corpus),
        "class_counts": classifier_tables.class_table(corpus),
        "split": corpus.split,
        "problems": classifier_tables.problems_table(corpus) if len(corpus.problems) else None,
    }


def classification(doc: Document, comparison: Comparison, classes: list[str], published: Mapping) -> dict:
    """Metrics, classes, learning curves."""
    lft = comparison.lft
    confusion = sum(confusion_matrix(lft.labels, predicted, len(classes)) for predicted in lft.predicted)
    return {
        "results": classifier_tables.results_table(comparison),
        "published": classifier_tables.published_table(published),
        "classes": classifier_tables.per_class_table([per_class(lft.labels, seed, classes) for seed in lft.predicted]),
        "metrics_figure": metrics_by_model(
            comparison.summaries, classifier_tables.METRIC_NAMES, doc.titled("Test metrics by model")
        ),
        "confusion_figure": figures.confusion(confusion, classes, doc.titled("LFT, confusion matrix")),
        "curves_figure": learning_curves(
            {name: classifier.curves for name, classifier in comparison.classifiers.items()},
            {"train_loss": "training loss", "validation_cohen_kappa": "validation kappa"},
            doc.titled("Learning curves of the classifiers"),
        ),
    }


def ablations(
    ablated: Mapping[str, Classifier], rows: Mapping[str, Row], published: Mapping[str, Mapping]
) -> dict[str, DataFrame]:
    """Tables of the families of ablations that have rows; each begins with the LFT itself, under the paper's name."""
    measured = {
        key: classifier_tables.Measured(classifier.parameters, classifier.summaries)
        for key, classifier in ablated.items()
    }
    families: dict[str, dict[str, classifier_tables.Measured]] = {}
    for key, row in rows.items():
        default = next(iter(published[row.family]))
        family = families.setdefault(row.family, {default: measured[LFT]})
        family[row.name] = measured[key]
    return {name: classifier_tables.ablation_table(family, published[name]) for name, family in families.items()}


def pretraining(doc: Document, backbones: Mapping[str, Backbone], compared: Mapping[str, Spectra]) -> dict:
    """Backbones, their learning curves, and the EEG that they generate."""
    first = next(iter(backbones))
    return {
        "backbones": classifier_tables.backbones_table(backbones),
        "bands": classifier_tables.band_table({name: found.differences for name, found in compared.items()}),
        "pretraining_figure": learning_curves(
            {name: [backbone.curves] for name, backbone in backbones.items()},
            {"train_loss": "training loss", "validation_loss": "validation loss"},
            doc.titled("Learning curves of pretraining"),
        ),
        "traces": {
            name: figures.traces(
                backbone.real,
                backbone.generated,
                backbone.channels,
                backbone.rate_hz,
                doc.titled(f"Real and generated EEG, backbone {name}"),
            )
            for name, backbone in backbones.items()
        },
        "spectra_figure": figures.spectra(
            compared[first].frequencies,
            compared[first].real,
            {name: found.generated for name, found in compared.items()},
            backbones[first].channels,
            doc.titled("Power spectra"),
        ),
    }


def environment() -> str:
    """Versions of Python and of the packages that the numbers depend on."""
    packages = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    return ", ".join([f"Python {platform.python_version()}", *packages])
