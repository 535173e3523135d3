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
    """Images made from EEG of one entry of ``image_generation``.

    Attributes:
        name: name of the entry.
        systems: results of each system, one or more.
        models: models that were trained for it.
    """

    name: str
    systems: list[SystemResults]
    models: list[ModelResults]


def read_generation_results(
    reconstructions: Path, models: Mapping[str, Path], generations: Iterable[str]
) -> list[GenerationResults]:
    """Read what the stages wrote of each entry of ``image_generation``.

    Args:
        reconstructions: folder with a folder for each entry, and in it one for each system.
        models: model, one of :data:`STAGES` -> folder with a folder for each entry.
        generations: names of the entries.

    Returns:
        the results, in the order of the entries.

    Raises:
        InputError: an entry has no reconstructions, or a file of scores is missing.
    """
    return [
        GenerationResults(
            name=name,
            systems=list(_system_results(reconstructions / name)),
            models=list(_model_results((model, folder / name) for model, folder in models.items())),
        )
        for name in generations
    ]


def _system_results(folder: Path) -> Iterable[SystemResults]:
    folders = sorted((path for path in folder.glob("*") if path.is_dir()), reverse=True)
    if not folders:
        raise InputError(f"{folder}: holds no reconstructions; run `dvc repro reconstruct`")
    for path in folders:
        scores = read_scores(path)
        for system in SYSTEMS:
            if system.full in scores.arms:
                yield SystemResults(system.of(scores.arms), read_reconstructions(path), scores)


def _model_results(folders: Iterable[tuple[str, Path]]) -> Iterable[ModelResults]:
    for model, folder in folders:
        path = folder / "metrics.json"
        if path.is_file():
            yield ModelResults(model, json.loads(path.read_text()), STAGES[model], folder)
