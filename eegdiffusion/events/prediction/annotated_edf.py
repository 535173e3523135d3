"""A recording with its events as an EDF+ file, which viewers of EEG open."""

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import edfio
import numpy as np
import pandas


def write_annotated_edf(
    path: Path,
    signals: np.ndarray,
    channels: Sequence[str],
    rate_hz: float,
    events: pandas.DataFrame,
    start: datetime | None,
) -> None:
    """Write signals and events; the file names no patient.

    Args:
        path: EDF+ file to write.
        signals: (channels, samples) in uV; a last part of less than a second is left out.
        channels: names.
        rate_hz: their rate, a whole number.
        events: ``onset``, ``duration``, ``label``.
        start: date and time at which the recording starts.
    """
    samples = signals.shape[1] // round(rate_hz) * round(rate_hz)
    edf_signals = []
    for name, row in zip(channels, signals[:, :samples], strict=True):
        bound = math.ceil(np.abs(row).max()) + 1
        edf_signals.append(
            edfio.EdfSignal(row, rate_hz, label=name, physical_dimension="uV", physical_range=(-bound, bound))
        )
    document = edfio.Edf(
        edf_signals,
        recording=edfio.Recording(startdate=start.date() if start else None),
        starttime=start.time().replace(microsecond=0) if start else None,
        data_record_duration=1,
        annotations=[edfio.EdfAnnotation(e.onset, e.duration, e.label) for e in events.itertuples()],
    )
    document.write(path)
