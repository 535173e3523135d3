"""Figures of the report, drawn from the results that it read; in the order of its sections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.core.observe.figures.metric_bars import metrics_by_model
from eegdiffusion.core.statistics.calibration import reliability
from eegdiffusion.core.statistics.classification_metrics import confusion_matrix
from eegdiffusion.events.figures import eeg_figures
from eegdiffusion.events.figures.calibration_figures import reliability_diagram
from eegdiffusion.events.figures.probe_figures import probe_curves
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.events.results.probes import ProbeResults
from eegdiffusion.images.figures.encoder_figures import repetition_curves
from eegdiffusion.images.figures.model_figures import draw_model
from eegdiffusion.images.figures.reconstruction_figures import Reconstructed, draw_reconstructions, drawn_items
from eegdiffusion.images.figures.structure_figures import draw_maps
from eegdiffusion.report.classifier_comparison import LFT, ClassifierComparison, GeneratedSpectra
from eegdiffusion.report.classifier_results import ClassifierResults
from eegdiffusion.report.classifier_tables import METRIC_NAMES
from eegdiffusion.report.encoder_runs import EncoderCorpus
from eegdiffusion.report.encoder_sections import averaged_results, chance_of
from eegdiffusion.report.reconstruction_results import GenerationResults, SystemResults

SHOWN, RECOGNISED = 8, 10
"""Items of a grid of reconstructions."""

ENCODER_CAPTIONS = {
    "retrieved": "Test images that were seen and what their EEG retrieved, the right one framed; drawn at random",
    "evoked": "Evoked potential: mean over all test images and repetitions; images follow quickly, and so do the "
    "responses to the next ones",
    "importance": "Importance of electrodes: what the margin of the right image loses without each",
    "saliency": "Saliency by occlusion: what the margin of the right image loses without a stretch of time or a band, "
    "all electrodes at once (bars) and each alone (topographies); short epochs hold little of the lowest band",
}
"""Figure of an encoder -> caption, in the order in which they are shown."""

MODEL_CAPTIONS = {
    "reconstructions": "Test pictures, what the structural VAE makes of them, and of their structure",
    "structure": "Structure predicted from EEG beside that of the picture seen",
    "traversals": "Latent traversals of the structural VAE",
    "curves": "Learning curves: losses of the training and of the validation split by epoch",
    "generator": "Held-out pictures, what the autoencoder keeps of them, and what the generator makes of prompts for "
    "their concepts",
    "held_out_captions": "What the generator makes of captions that were held out of its training, drawn at random",
    "samples": "Test pictures seen, and samples from their EEG, from zeros and from the EEG of another image",
    "pictures": "Test pictures seen, their structure, and what is made of the structure predicted from EEG",
}
"""Figure of a model that makes images -> caption; of others, their name."""


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Attributes:
        figure: the figure that is saved.
        name: name of its file, without ending.
        caption: sentence below it.
    """

    figure: Figure
    name: str
    caption: str


def draw_classifiers(comparison: ClassifierComparison, classes: Sequence[str], corpus: str) -> dict[str, Figure]:
    """Draw metrics, confusion and learning curves of the classifiers.

    Args:
        comparison: the LFT, its control and the baselines.
        classes: names of the labels, in their order.
        corpus: name of the corpus, for the titles.

    Returns:
        ``metrics``, ``confusion``, ``reliability``, ``learning_curves``.
    """
    lft = comparison.lft
    counts = np.sum([confusion_matrix(lft.labels, predicted, len(classes)) for predicted in lft.predicted], axis=0)
    return {
        "metrics": metrics_by_model(comparison.summaries, METRIC_NAMES, f"Test metrics by model ({corpus} data)"),
        "confusion": eeg_figures.confusion(counts, classes, f"LFT, confusion matrix ({corpus} data)"),
        "reliability": _draw_reliability(lft, f"LFT, reliability of its probabilities ({corpus} data)"),
        "learning_curves": learning_curves(
            {name: classifier.curves for name, classifier in comparison.classifiers.items()},
            {"train_loss": "training loss", "validation_cohen_kappa": "validation kappa"},
            f"Learning curves of the classifiers ({corpus} data)",
        ),
    }


def _draw_reliability(lft: ClassifierResults, title: str) -> Figure:
    labels = np.tile(lft.labels, len(lft.probabilities))
    states = {"as trained": lft.uncalibrated, "calibrated": lft.probabilities}
    curves = {name: reliability(labels, np.concatenate(each)) for name, each in states.items() if each is not None}
    return reliability_diagram(curves, title)


def draw_probes(probes: Mapping[str, ProbeResults], comparison: ClassifierComparison, corpus: str) -> dict[str, Figure]:
    """Draw the curves of probes of each entry of latents, beside the LFT and a classifier that knows nothing."""
    levels = {"LFT": comparison.summaries[LFT]["balanced_accuracy"].mean, "chance": comparison.chance}
    title = f"Probes of frozen features ({corpus} data)"
    return {name: probe_curves(results.table, title, levels) for name, results in probes.items()}


def draw_backbones(
    backbones: Mapping[str, Backbone], spectra: Mapping[str, GeneratedSpectra], corpus: str
) -> dict[str, Figure | dict[str, Figure]]:
    """Draw learning curves of pretraining, generated beside real EEG, and their power spectra.

    Args:
        backbones: backbones by name; the real EEG is that of the first.
        spectra: spectra of each backbone.
        corpus: name of the corpus, for the titles.

    Returns:
        ``pretraining``, ``traces`` (a figure for each backbone), ``spectra``.
    """
    first = next(iter(backbones))
    return {
        "pretraining": learning_curves(
            {name: [backbone.curves] for name, backbone in backbones.items()},
            {"train_loss": "training loss", "validation_loss": "validation loss"},
            f"Learning curves of pretraining ({corpus} data)",
        ),
        "traces": {
            name: eeg_figures.traces(
                backbone.real,
                backbone.generated,
                backbone.channels,
                backbone.rate_hz,
                f"Real and generated EEG, backbone {name} ({corpus} data)",
            )
            for name, backbone in backbones.items()
        },
        "spectra": eeg_figures.spectra(
            spectra[first].frequencies,
            spectra[first].real,
            {name: compared.generated for name, compared in spectra.items()},
            backbones[first].channels,
            f"Power spectra ({corpus} data)",
        ),
    }


def draw_encoders(corpus: EncoderCorpus, number: int) -> dict[str, Figure | list[PageFigure] | None]:
    """Draw retrieval by repetitions, and what the first encoder trained on recorded pairs stored to be drawn.

    Args:
        corpus: results of one corpus of images.
        number: number of the corpus in the report, for the names of files.

    Returns:
        ``curves`` (None where no encoder was tested with several numbers of repetitions) and ``encoder``.
    """
    curves = {f"{result.label}, {result.protocol}": result.repetition_curve() for result in averaged_results(corpus)}
    title = f"Retrieval by repetitions averaged ({corpus.name} data)"
    return {
        "curves": repetition_curves(curves, chance_of(corpus), title) if curves else None,
        "encoder": _encoder_figures(corpus, number),
    }


def _encoder_figures(corpus: EncoderCorpus, number: int) -> list[PageFigure]:
    for result in corpus.aligned:
        if result.experiment.pairs != "recorded":
            continue
        for run in result.runs:  # one of them, the best on the validation split, is kept to be drawn
            figures = draw_model("train_eeg_encoder", run.folder)
            if figures:
                return [
                    PageFigure(figures[name], f"eeg{number}_{name}", f"{caption}; {result.label}, {result.protocol}")
                    for name, caption in ENCODER_CAPTIONS.items()
                    if name in figures
                ]
    return []


def draw_generation(generation: GenerationResults, number: int) -> dict[str, dict[str, Figure] | list[PageFigure]]:
    """Draw reconstructions of each system, and what the stages of the models stored to be drawn.

    Args:
        generation: results of one study.
        number: number of the entry in the report, for the names of files.

    Returns:
        ``grids``: name of the system -> figure; ``recognised``: the same of items that the classifier of EEG names;
        ``models``: figures of the models.
    """
    return {
        "grids": {system.system.name: _reconstruction_grid(system, generation.name) for system in generation.systems},
        "recognised": _recognised_grids(generation),
        "models": _model_figures(generation, number),
    }


def _recognised_grids(generation: GenerationResults) -> dict[str, Figure]:
    """Draw items at random of those that the classifier names right; nothing where none is, or there is no such one."""
    if generation.recognised is None or not generation.recognised.any():
        return {}
    named, grids = np.flatnonzero(generation.recognised), {}
    for results in generation.systems:
        items = results.reconstructions.items.iloc[named]
        title = f"{generation.name}, EEG named right"
        grids[results.system.name] = _reconstruction_grid(results, title, named[drawn_items(items, RECOGNISED)])
    return grids


def _reconstruction_grid(results: SystemResults, generation: str, items: np.ndarray | None = None) -> Figure:
    """Draw these items, or some at random, the first sample of each arm."""
    images, rows = results.reconstructions, []
    for k in drawn_items(images.items, SHOWN) if items is None else items:
        item = images.items.iloc[k]
        structures = {name: draw_maps(maps[k : k + 1])[0] for name, maps in images.structure.items()}
        arms = {arm: images.arms[arm][k, 0] for arm in results.system.arms}
        rows.append(Reconstructed(f"{item['concept']}\n{item['subject']}", images.seen[k], arms, structures))
    return draw_reconstructions(rows, f"{results.system.name}, {generation} ({results.scores.context.corpus} data)")


def _model_figures(generation: GenerationResults, number: int) -> list[PageFigure]:
    shown = []
    for model in generation.models:
        for name, figure in sorted(draw_model(model.stage, model.folder).items()):
            caption = MODEL_CAPTIONS.get(name, name.replace("_", " ").capitalize())
            file = "_".join([f"images{number}", model.name.lower().replace(" ", "_"), name])
            shown.append(PageFigure(figure, file, f"{caption}; {model.name}, {generation.name}"))
    return shown
