"""Probabilities of each second of a recording: what its events are made of, for whoever decides otherwise."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas
import pyarrow
from pyarrow import parquet

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.parquet_file import read_parquet

ONSET = "onset"
"""Column of the second's beginning, in seconds after the recording's first sample; other columns are classes."""


def write_second_probabilities(
    path: Path, windows: Sequence[tuple[float, np.ndarray]], classes: Sequence[str], step_s: float
) -> None:
    """Write a Parquet table with a row for each second.

    Args:
        path: the file.
        windows: of each piece of the recording the time of its first row, and the (seconds, classes) probabilities; NaN
            where there is no prediction.
        classes: names.
        step_s: seconds from row to row.
    """
    onsets = [start + step_s * np.arange(len(part)) for start, part in windows]
    values = np.concatenate([part for _, part in windows]).astype(np.float32)
    table = pandas.DataFrame(values, columns=list(classes))
    table.insert(0, ONSET, np.concatenate(onsets))
    with path.open("wb") as file:  # pandas would open it by its name, which need not be text
        parquet.write_table(pyarrow.Table.from_pandas(table, preserve_index=False), file)


def read_second_probabilities(path: Path) -> pandas.DataFrame:
    """Read what :func:`write_second_probabilities` wrote.

    Raises:
        InputError: the file is no such table.
    """
    try:
        table = read_parquet(path)
        values = table.to_numpy(np.float64)
    except ValueError as error:
        raise InputError(f"{path}: must be a table of probabilities that eeg predict wrote ({error})") from error
    if list(table)[:1] != [ONSET] or table.shape[1] < 3:
        raise InputError(f"{path}: columns: must be {ONSET} and two classes or more (found {', '.join(table)})")
    if (
        not (np.isnan(values) | ((values >= 0) & (values < np.inf))).all()
        or np.nanmax(values[:, 1:], initial=0) > 1 + 1e-6
    ):
        raise InputError(f"{path}: probabilities: must lie between 0 and 1")
    return table
