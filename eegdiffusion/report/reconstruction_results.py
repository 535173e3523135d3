"""Results of images made from EEG: scores of reconstructions, and what the models' stages left."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
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
    """

    name: str
    systems: list[SystemResults]
    models: list[ModelResults]


def read_generation_results(
    reconstructions: Path, models: Mapping[str, Path], studies: Iterable[tuple[str, str, str]]
) -> list[GenerationResults]:
    """Read what the stages wrote of each study.

    Args:
        reconstructions: folder with a folder for each system, and in it one for each study.
        models: model, one of :data:`STAGES` -> folder with a folder for each study, of the generator for each corpus.
        studies: system (``sgdm`` or ``condiffusion``), name of the study, and its corpus.

    Returns:
        the results, in the order of the studies.

    Raises:
        InputError: an entry has no reconstructions, or a file of scores is missing.
    """
    return [
        GenerationResults(
            name=name,
            systems=list(_system_results(reconstructions / system / name, f"reconstruct_{system}")),
            models=list(
                _model_results(
                    (model, models[model] / (corpus if model == GENERATOR else name)) for model in MODELS[system]
                )
            ),
        )
        for system, name, corpus in studies
    ]


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
