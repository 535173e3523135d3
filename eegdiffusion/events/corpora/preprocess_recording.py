"""One recording from EDF to Arrow, and the windows of all of them."""

from pathlib import Path

import numpy as np
import pandas
from threadpoolctl import threadpool_limits

from eegdiffusion.core.recordings import amplitude
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.montage import derivations
from eegdiffusion.core.signal.units import UNIT_UV
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.store import window_store


def preprocess(path: Path, target: Path, *, filtering: Filtering, sign: str, processing: str) -> None:
    """Filter, resample and derive a recording, and write it to the store's format.

    Args:
        path: EDF file.
        target: Arrow file to write.
        filtering: band, notch and sampling rate.
        sign: signs of the derivations (see :mod:`eegdiffusion.core.signal.montage`).
        processing: fingerprint of both, kept in the file.

    Raises:
        InputError: what would be stored has not the amplitude of EEG.
    """
    # Recordings share the cores; a filter that spreads over all of them would slow the others.
    with threadpool_limits(1):
        signals = tuev.derive(path, filtering, sign)

    def microvolts(start: int, stop: int) -> np.ndarray:
        return signals[:, start:stop] * UNIT_UV

    # Ingestion looked at the file by itself; this is what will be trained on.
    segments = amplitude.read_segments(microvolts, signals.shape[1], filtering.rate_hz)
    if fault := amplitude.amplitude_fault(segments):
        raise InputError(f"{path}: preprocessed signals: {fault}")
    metadata = {"sfreq": repr(filtering.rate_hz), "processing": processing}
    window_store.write_recording(target, signals, derivations(sign), metadata)


def window_tables(
    recordings: pandas.DataFrame, events: pandas.DataFrame, samples: dict[str, int], rate_hz: float
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Index the event windows and the pretraining windows of preprocessed recordings.

    Args:
        recordings: table of the recordings, as ingestion writes it.
        events: table of the events, as ingestion writes it.
        samples: length of each preprocessed recording in samples, by its name.
        rate_hz: their sampling rate.

    Returns:
        event windows: recording, split, start_sample, channel, label, row;
        pretraining windows: recording, split, start_sample, labels (22, 0-based, -1 where a channel has no event).
    """
    windows, pretraining = [], []
    by_recording = dict(list(events.groupby("recording")))
    for recording in recordings.itertuples():
        length = samples[recording.recording]
        common = {"recording": recording.recording, "split": recording.split}
        rows = by_recording[recording.recording].sort_values("row")
        events_of = [tuev.Event(r.channel, r.start_s, r.stop_s, r.label) for r in rows.itertuples()]
        starts = tuev.window_starts(events_of, length, rate_hz, f"{recording.recording}.rec")
        for row, event, start in zip(rows["row"], events_of, starts, strict=True):
            windows.append(common | {"start_sample": start, "channel": event.channel, "label": event.label, "row": row})
        distinct = tuev.distinct_windows(events_of)
        starts = tuev.window_starts(list(distinct), length, rate_hz, f"{recording.recording}.rec")
        for labels, start in zip(distinct.values(), starts, strict=True):
            pretraining.append(common | {"start_sample": start, "labels": labels.astype(np.int8)})
    return pandas.DataFrame(windows), pandas.DataFrame(pretraining)
