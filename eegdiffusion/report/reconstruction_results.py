"""Results of images made from EEG: scores of reconstructions, and what the models' stages left."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.images.encoders.encoder_results import CLASSIFIED
from eegdiffusion.images.metrics.reconstruction_arms import SYSTEMS, System
from eegdiffusion.images.metrics.reconstruction_scores import Scores, read_scores
from eegdiffusion.images.metrics.reconstructions import Reconstructions, read_reconstructions

STAGES = {
    "structural VAE": "train_structural_vae",
    "generator": "prepare_generator",
    "EEG-ConDiffusion": "train_condiffusion",
    "ControlNet": "train_controlnet",
}
"""Model and the stage that trains it."""

GENERATOR = "generator"
MODELS = {
    "sgdm": ("structural VAE", GENERATOR, "ControlNet"),
    "condiffusion": (GENERATOR, "EEG-ConDiffusion"),
}
"""Models of each system."""


@dataclass(frozen=True)
class ModelResults:
    """What a stage wrote of a model.

    Attributes:
        name: name of the model.
        facts: its ``metrics.json``.
        stage: stage that trained it.
        folder: what the stage wrote.
    """

    name: str
    facts: dict
    stage: str
    folder: Path


@dataclass(frozen=True)
class SystemResults:
    """Images that a system reconstructed from EEG, and their scores.

    Attributes:
        system: the system, with the arms that were scored.
        reconstructions: images of these arms.
        scores: scores of these arms.
    """

    system: System
    reconstructions: Reconstructions
    scores: Scores


@dataclass(frozen=True)
class GenerationResults:
    """Images made from EEG in one study: an entry of ``sgdm`` or ``condiffusion``.

    Attributes:
        name: name of the entry.
        systems: results of its system.
        models: models that were trained for it.
        recognised: (items,) bool, whether the classifier of EEG that conditions the generator names the concept of each
            item; None of a system without one.
    """

    name: str
    systems: list[SystemResults]
    models: list[ModelResults]
    recognised: np.ndarray | None = None


def read_generation_results(
    reconstructions: Path,
    models: Mapping[str, Path],
    studies: Iterable[tuple[str, str, str]],
    classifiers: Mapping[str, Path] | None = None,
) -> list[GenerationResults]:
    """Read what the stages wrote of each study.

    Args:
        reconstructions: folder with a folder for each system, and in it one for each study.
        models: model, one of :data:`STAGES` -> folder with a folder for each study, of the generator for each corpus.
        studies: system (``sgdm`` or ``condiffusion``), name of the study, and its corpus.
        classifiers: folder of the training of the classifier that conditions the generator, by name of the study of
            ``condiffusion``.

    Returns:
        the results, in the order of the studies.

    Raises:
        InputError: an entry has no reconstructions, or a file of scores is missing.
    """
    generations = []
    for system, name, corpus in studies:
        systems = list(_system_results(reconstructions / system / name, f"reconstruct_{system}"))
        folders = ((model, models[model] / (corpus if model == GENERATOR else name)) for model in MODELS[system])
        classifier = (classifiers or {}).get(name) if system == "condiffusion" else None
        recognised = recognised_items(classifier, systems[0]) if classifier and systems else None
        generations.append(GenerationResults(name, systems, list(_model_results(folders)), recognised))
    return generations


def recognised_items(classifier: Path, results: SystemResults) -> np.ndarray | None:
    """Tell which items a classifier of EEG names by their concept, from the epochs that their pictures are made of.

    Args:
        classifier: folder of its training.
        results: pictures of the system that it conditions.

    Returns:
        (items,) bool; None where the classifier was tested on epochs of other repetitions than the pictures are of.
    """
    path, facts = classifier / CLASSIFIED, classifier / "metrics.json"
    if not (path.is_file() and facts.is_file()):
        return None
    if json.loads(facts.read_text())["repetitions"] != results.scores.context.repetitions:
        return None
    table = read_parquet(path)
    columns = sorted((name for name in table if re.fullmatch(r"p\d+", name)), key=lambda name: int(name[1:]))
    table["right"] = table[columns].to_numpy().argmax(1) == table["label"].to_numpy()
    # Of several epochs of an item the first is the one that a picture is made from.
    right = table.drop_duplicates(["subject", "image"]).set_index(["subject", "image"])["right"]
    items = pandas.MultiIndex.from_frame(results.reconstructions.items[["subject", "image"]])
    return right.reindex(items, fill_value=False).to_numpy(bool)


def _system_results(folder: Path, stage: str) -> Iterable[SystemResults]:
    if not folder.is_dir():
        raise InputError(f"{folder}: holds no reconstructions; run `dvc repro {stage}`")
    scores = read_scores(folder)
    for system in SYSTEMS:
        if system.full in scores.arms:
            yield SystemResults(system.of(scores.arms), read_reconstructions(folder), scores)


def _model_results(folders: Iterable[tuple[str, Path]]) -> Iterable[ModelResults]:
    for model, folder in folders:
        path = folder / "metrics.json"
        if path.is_file():
            yield ModelResults(model, json.loads(path.read_text()), STAGES[model], folder)
