"""Results of images made from EEG: scores of reconstructions, and what the models' stages left."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.metrics.reconstruction_arms import SYSTEMS, System
from eegdiffusion.images.metrics.reconstruction_scores import Scores, read_scores
from eegdiffusion.images.metrics.reconstructions import Reconstructions, read_reconstructions

FIGURES = "figures"


@dataclass(frozen=True)
class Trained:
    """What a stage left of a model.

    Attributes:
        name: of the model.
        facts: its ``metrics.json``; empty where there is none.
        figures: PNG files that it drew.
    """

    name: str
    facts: dict
    figures: list[Path]


@dataclass(frozen=True)
class Reconstructed:
    """Pictures that a system made, and their scores.

    Attributes:
        system: with the arms that were scored.
        pictures, scores: of these arms.
    """

    system: System
    pictures: Reconstructions
    scores: Scores


@dataclass(frozen=True)
class Generation:
    """Images made from EEG of one study.

    Attributes:
        name: entry of ``image_generation``.
        reconstructed: by each system.
        trained: models, those that left something.
    """

    name: str
    reconstructed: list[Reconstructed]
    trained: list[Trained]


def read_generations(reconstructions: Path, models: Mapping[str, Path], studies: Iterable[str]) -> list[Generation]:
    """Read what the stages left of each study.

    Args:
        reconstructions: of all studies, a folder each, and in it a folder a system.
        models: name -> folder of all studies.
        studies: entries of the section ``image_generation``.

    Raises:
        InputError: a study has no reconstructions, or a file of scores is missing.
    """
    return [
        Generation(
            name=name,
            reconstructed=list(_reconstructed(reconstructions / name)),
            trained=list(_trained((label, folder / name) for label, folder in models.items())),
        )
        for name in studies
    ]


def _reconstructed(folder: Path) -> Iterable[Reconstructed]:
    folders = sorted((path for path in folder.glob("*") if path.is_dir()), reverse=True)
    if not folders:
        raise InputError(f"{folder}: holds no reconstructions; run `dvc repro reconstruct`")
    for path in folders:
        scores = read_scores(path)
        for system in SYSTEMS:
            if system.full in scores.arms:
                yield Reconstructed(system.of(scores.arms), read_reconstructions(path), scores)


def _figures(folder: Path) -> list[Path]:
    return sorted((folder / FIGURES).glob("*.png"))


def _trained(folders: Iterable[tuple[str, Path]]) -> Iterable[Trained]:
    for label, folder in folders:
        path = folder / "metrics.json"
        facts = json.loads(path.read_text()) if path.is_file() else {}
        found = Trained(label, facts, _figures(folder))
        if found.facts or found.figures:
            yield found
