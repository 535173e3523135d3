"""What a classifier's test predictions say beyond its scores: by group of subjects, of its probabilities and errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.statistics.calibration import calibration_error, calibration_interval
from eegdiffusion.core.statistics.classification_metrics import confusion_matrix
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.events.results.classifier_io import PREDICTIONS
from eegdiffusion.operations.registry.subject_groups import GroupScores, group_scores, subject_groups

WORST = 3
"""Classes whose errors are said."""


@dataclass(frozen=True)
class Calibration:
    """Whether a version's probabilities come true on the test windows.

    Attributes:
        error: expected calibration error.
        low, high: its 95 % interval over subjects; None where there are fewer than two.
        temperature: by which the logits were divided; None where they were not.
    """

    error: float
    low: float | None
    high: float | None
    temperature: float | None


@dataclass(frozen=True)
class PredictionEvidence:
    """What the test predictions say.

    Attributes:
        groups: scores by group of subjects, where the corpus's index is here.
        calibration: of the registered seed.
        failures: the classes that are missed most, a sentence each.
    """

    groups: GroupScores | None
    calibration: Calibration
    failures: Sequence[str]


def _index(data: Mapping[str, str]) -> Path | None:
    """Return the index of the corpus of events among what a stage depended on, or beside it."""
    folders = [Path(path) for path in data if Path(path).parts[:2] == ("data", "events")]
    indexes = [Path(*folder.parts[:3], "index") for folder in folders if len(folder.parts) > 2]
    return next((index for index in indexes if (index / "recordings.parquet").is_file()), None)


def _failures(tables: Sequence[pandas.DataFrame], classes: Sequence[str]) -> list[str]:
    """Say of the classes that are missed most how often, and what they are taken for."""
    columns = [f"p{k}" for k in range(len(classes))]
    counts = np.zeros((len(classes), len(classes)), int)
    for table in tables:
        counts += confusion_matrix(table["label"].to_numpy(), table[columns].to_numpy().argmax(1), len(classes))
    support = np.maximum(counts.sum(1), 1)
    missed = 1 - np.diag(counts) / support
    sentences = []
    for k in np.argsort(-missed, kind="stable")[:WORST]:
        if counts[k].sum() and missed[k] > 0:
            others = np.where(np.arange(len(classes)) == k, -1, counts[k])
            taken, share = classes[int(others.argmax())], others.max() / support[k]
            sentences.append(
                f"Of the test windows of {classes[k]}, {missed[k]:.0%} are called something else, most often {taken} "
                f"({share:.0%})."
            )
    return sentences


def prediction_evidence(
    folders: Sequence[Path], chosen: Path, facts: Mapping, data: Mapping[str, str]
) -> PredictionEvidence | None:
    """Read what the test predictions of a classifier say.

    Args:
        folders: folders of the results of all seeds.
        chosen: folder of the registered one.
        facts: its ``metrics.json``.
        data: what its stage depended on: path -> hash.

    Returns:
        None where there are no predictions of one class a window.
    """
    if not folders or not all((folder / PREDICTIONS).is_file() for folder in folders):
        return None
    if facts.get("head") == "multi_label" or not facts.get("classes"):
        return None
    classes = list(facts["classes"])
    tables = [read_parquet(folder / PREDICTIONS) for folder in folders]
    columns = ["label", *(f"p{k}" for k in range(len(classes)))]
    if any(set(columns) - set(table) for table in tables):
        return None
    index, groups = _index(data), None
    own = read_parquet(chosen / PREDICTIONS)
    labels, probabilities = own["label"].to_numpy(), own[columns[1:]].to_numpy()
    low = high = None
    if index is not None:
        recordings = read_parquet(index / "recordings.parquet")
        recordings = recordings[recordings["recording"].isin(set(own["recording"]))]
        of_groups = subject_groups(Path(read_json(index / "corpus.json")["entry"]["root"]), recordings)
        subjects = own["recording"].map(of_groups.set_index("recording")["subject"])
        if len(recordings) == own["recording"].nunique():
            groups = group_scores(tables, of_groups, len(classes))
            if subjects.nunique() > 1:
                interval = calibration_interval(labels, probabilities[None], subjects.to_numpy())
                low, high = interval.low, interval.high
    temperature = facts.get("temperature")
    calibration = Calibration(calibration_error(labels, probabilities), low, high, temperature)
    return PredictionEvidence(groups, calibration, _failures(tables, classes))
