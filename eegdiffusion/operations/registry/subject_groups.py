"""Scores by groups of subjects: age band, sex and length of the recording, where headers or participants tell them.

Nothing of a single subject leaves this module: of groups of fewer than :data:`FEWEST` subjects it says no score.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.recordings.edf_header import has_date, read_header
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.classification_metrics import balanced_accuracy, bootstrap_interval, confusion_matrix
from eegdiffusion.core.storage.text_files import read_tsv

FEWEST = 5
"""Smallest number of subjects of a group whose score is said; less would be a score of persons."""

UNKNOWN = "not stated"
"""Group of recordings that do not say what they are."""

AGE_BANDS = {"0-1": (0, 2), "2-17": (2, 18), "18-39": (18, 40), "40-64": (40, 65), "65 and older": (65, 130)}
"""Band -> years from and below."""

LENGTHS = {"up to 1 min": (0, 60), "1-10 min": (60, 600), "10-60 min": (600, 3600), "over 1 h": (3600, float("inf"))}
"""Band of a recording's length -> seconds above and up to."""

KINDS = {"age": "age in years", "sex": "sex", "length": "length of the recording"}
"""Column -> what the groups are by."""

EDF = (".edf", ".bdf")


@dataclass(frozen=True)
class GroupScore:
    """Score of a model on the test windows of a group of subjects.

    Attributes:
        kind: what the group is by, in words.
        group: which group.
        subjects, windows: how many there are.
        balanced_accuracy: mean over seeds.
        low, high: its 95 % interval over subjects and seeds.
    """

    kind: str
    group: str
    subjects: int
    windows: int
    balanced_accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupScores:
    """Scores of all groups that are large enough.

    Attributes:
        scores: of each group.
        left_out: what the groups are by -> how many groups were too small, or held one class alone.
        unstated: what nothing is known of, for all recordings.
    """

    scores: Sequence[GroupScore]
    left_out: Mapping[str, int]
    unstated: Sequence[str]


def _band(value: float | None, bands: Mapping[str, tuple[float, float]], upper_ends: bool) -> str:
    """Return the band of a value; bands hold their lower ends, or their upper ones."""
    if value is None or not np.isfinite(value):
        return UNKNOWN
    inside = (lambda low, high: low < value <= high) if upper_ends else (lambda low, high: low <= value < high)
    return next((name for name, ends in bands.items() if inside(*ends)), UNKNOWN)


def _sex(text: object) -> str:
    letter = str(text).strip().casefold()[:1]
    return {"m": "male", "f": "female"}.get(letter, UNKNOWN)


def _of_header(path: Path) -> tuple[float | None, str]:
    """Read age and sex from EDF's identification of the patient: EDF+'s fields, or TUH's ``Age:``."""
    try:
        header = read_header(path)
    except (InputError, OSError):
        return None, UNKNOWN
    parts = header.patient.split()
    sex = _sex(parts[1]) if len(parts) > 1 and parts[1].upper() in ("M", "F") else UNKNOWN
    if stated := re.search(r"\bAge:(\d{1,3})\b", header.patient):
        return float(stated[1]), sex
    born = re.search(r"\b\d\d-[A-Z]{3}-(\d{4})\b", header.patient.upper())
    if born and header.start is not None and has_date(header.start):
        return float(header.start.year - int(born[1])), sex
    return None, sex


def _of_participants(root: Path) -> dict[str, tuple[float | None, str]]:
    """Read age and sex of each subject from BIDS's ``participants.tsv``, where there is one."""
    path = root / "participants.tsv"
    if not path.is_file():
        return {}
    table = read_tsv(path, trim=True)
    table.columns = [str(name).strip().lower() for name in table]
    if "participant_id" not in table:
        return {}
    ages = pandas.to_numeric(table.get("age", pandas.Series(index=table.index, dtype=object)), errors="coerce")
    sexes = table.get("sex", pandas.Series("", index=table.index))
    names = "sub-" + table["participant_id"].str.removeprefix("sub-")
    return {name: (float(age), _sex(sex)) for name, age, sex in zip(names, ages, sexes, strict=True)}


def subject_groups(root: Path, recordings: pandas.DataFrame) -> pandas.DataFrame:
    """Put recordings into groups.

    Args:
        root: the corpus; where it is not here, age and sex are not stated.
        recordings: recording, path, subject, duration_s.

    Returns:
        a row for each recording: recording, subject, and its group by each of ``KINDS``. No age and no name is in it.
    """
    participants = _of_participants(root)
    rows = []
    for row in recordings.to_dict("records"):
        age, sex = participants.get(row["subject"], (None, UNKNOWN))
        path = root / row["path"]
        if age is None and sex == UNKNOWN and path.suffix.lower() in EDF and path.is_file():
            age, sex = _of_header(path)
        length = _band(row["duration_s"], LENGTHS, upper_ends=True)
        groups = {"age": _band(age, AGE_BANDS, upper_ends=False), "sex": sex, "length": length}
        rows.append({"recording": row["recording"], "subject": row["subject"]} | groups)
    return pandas.DataFrame(rows, columns=["recording", "subject", *KINDS])


def group_scores(predictions: Sequence[pandas.DataFrame], groups: pandas.DataFrame, classes: int) -> GroupScores:
    """Score a model in each group that has :data:`FEWEST` subjects or more.

    Args:
        predictions: ``predictions.parquet`` of each seed, on the same windows: recording, label, p0, p1, ...
        groups: see :func:`subject_groups`.
        classes: number of classes.
    """
    first = predictions[0]
    labels = first["label"].to_numpy()
    columns = [f"p{k}" for k in range(classes)]
    predicted = np.stack([table[columns].to_numpy().argmax(1) for table in predictions])
    of_windows = groups.set_index("recording").loc[first["recording"]]
    subjects = of_windows["subject"].to_numpy()
    scores: list[GroupScore] = []
    left_out: dict[str, int] = {}
    unstated: list[str] = []
    for column, kind in KINDS.items():
        values = of_windows[column].to_numpy()
        if set(values) == {UNKNOWN}:
            unstated.append(kind)
            continue
        for group in [*AGE_BANDS, *LENGTHS, "female", "male", UNKNOWN]:
            chosen = values == group
            count = len(set(subjects[chosen]))
            if not count:
                continue
            if count < FEWEST or len(set(labels[chosen])) < 2:
                left_out[kind] = left_out.get(kind, 0) + 1
            else:
                confusions = [confusion_matrix(labels[chosen], each[chosen], classes) for each in predicted]
                means = balanced_accuracy(np.stack(confusions))
                interval = bootstrap_interval(labels[chosen], predicted[:, chosen], subjects[chosen], classes)
                counts = count, int(chosen.sum()), float(np.mean(means))
                scores.append(GroupScore(kind, group, *counts, interval.low, interval.high))
    return GroupScores(scores, left_out, unstated)
