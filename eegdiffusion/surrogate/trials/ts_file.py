"""Labelled trials of ``.ts`` files, the text format of the UEA archive: samples by commas, ``:`` between channels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError


def read_trials(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the trials of a file, which must be of equal length.

    Returns:
        (trials, channels, samples) float64; (trials,) their labels.

    Raises:
        InputError: the file has no trial, or one of another shape, or what is no number.
    """
    with path.open(encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    begin = next((k + 1 for k, line in enumerate(lines) if line.lower() == "@data"), len(lines))
    trials: list[np.ndarray] = []
    labels = []
    for number, line in enumerate(lines[begin:], begin + 1):
        if not line:
            continue
        *channels, label = line.split(":")
        try:
            trial = np.array([channel.split(",") for channel in channels], np.float64)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: samples: must be numbers, as many a channel ({error})") from error
        if trials and trial.shape != trials[0].shape:
            rule = f"must be of {trials[0].shape} channels and samples, as the first (found {trial.shape})"
            raise InputError(f"{path}, line {number}: samples: {rule}")
        trials.append(trial)
        labels.append(label.strip())
    if not trials:
        raise InputError(f"{path}: @data: must be followed by trials")
    return np.stack(trials), np.array(labels)


def first_occurrences(groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Tell which trials are the first of equal ones, within a group and across groups.

    Args:
        groups: arrays (trials, channels, samples).

    Returns:
        (trials,) bool of each group.
    """
    seen: set[bytes] = set()
    kept = []
    for trials in groups:
        first = np.zeros(len(trials), bool)
        for k, trial in enumerate(trials):
            content = trial.tobytes()
            first[k] = content not in seen
            seen.add(content)
        kept.append(first)
    return kept
