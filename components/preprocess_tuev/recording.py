"""One recording from EDF to Arrow, and the windows of all of them."""

from pathlib import Path

import numpy as np
import pandas
from threadpoolctl import threadpool_limits

from components.data import store, tuev
from components.signal.filtering import Filtering
from components.signal.montage import derivations


def preprocess(path: Path, target: Path, *, filtering: Filtering, sign: str, processing: str) -> None:
    """Filter, resample and derive a recording, and write it to the store's format.

    Args:
        path: EDF file.
        target: Arrow file to write.
        filtering, sign: settings.
        processing: their fingerprint, kept in the file.
    """
    # Recordings share the cores; a filter that spreads over all of them would slow the others.
    with threadpool_limits(1):
        signals = tuev.derive(path, filtering, sign)
    metadata = {"sfreq": repr(filtering.rate_hz), "processing": processing}
    store.write_recording(target, signals, derivations(sign), metadata)


def window_tables(
    recordings: pandas.DataFrame, events: pandas.DataFrame, folder: Path, rate_hz: float
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Index the event windows and the pretraining windows of preprocessed recordings.

    Args:
        recordings, events: tables of ingestion.
        folder: the store's recordings.
        rate_hz: their sampling rate.

    Returns:
        event windows: recording, split, start_sample, channel, label, row;
        pretraining windows: recording, split, start_sample, labels (22 of 0 to 6).
    """
    windows, pretraining = [], []
    by_recording = dict(list(events.groupby("recording")))
    for recording in recordings.itertuples():
        samples = store.MappedRecording(folder / store.file_name(recording.recording)).samples
        place = {"recording": recording.recording, "split": recording.split}
        found = []
        for row in by_recording[recording.recording].sort_values("row").itertuples():
            event = tuev.Event(row.channel, row.start_s, row.stop_s, row.label)
            found.append(event)
            start = tuev.window_start(event, samples, rate_hz, f"{recording.recording}.rec, row {row.row}")
            labelled = {"channel": event.channel, "label": event.label, "row": row.row}
            windows.append(place | {"start_sample": start} | labelled)
        for (start_s, stop_s), labels in tuev.distinct_windows(found).items():
            event = tuev.Event(0, start_s, stop_s, 1)
            start = tuev.window_start(event, samples, rate_hz, recording.recording)
            pretraining.append(place | {"start_sample": start, "labels": labels.astype(np.int8)})
    return pandas.DataFrame(windows), pandas.DataFrame(pretraining)
