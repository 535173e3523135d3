"""One recording from EDF to Arrow, and the windows of all of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas
from threadpoolctl import threadpool_limits

from eegdiffusion.core.recordings import amplitude
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.derivations import tcp_index
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.montages import Montage
from eegdiffusion.core.signal.units import UNIT_UV
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.store import window_store


def preprocess(
    path: Path,
    target: Path,
    derive: Callable[[Path, Filtering], np.ndarray] = tuev.derive,
    *,
    filtering: Filtering,
    processing: str,
    channels: Sequence[str] = tuple(BIPOLAR),
) -> None:
    """Filter, resample and derive a recording, and write it to the store's format.

    Args:
        path: file of the recording.
        target: Arrow file to write.
        derive: (path, filtering) -> (channels, samples) float64 in units of 100 uV.
        filtering: band, notch and sampling rate.
        processing: fingerprint of filters and montage, kept in the file.
        channels: names of the channels.

    Raises:
        InputError: what would be stored has not the amplitude of EEG.
    """
    # Recordings share the cores; a filter that spreads over all of them would slow the others.
    with threadpool_limits(1):
        signals = derive(path, filtering)

    def microvolts(start: int, stop: int) -> np.ndarray:
        return signals[:, start:stop] * UNIT_UV

    # Ingestion looked at the file by itself; this is what will be trained on.
    segments = amplitude.read_segments(microvolts, signals.shape[1], filtering.rate_hz)
    if fault := amplitude.amplitude_fault(segments):
        raise InputError(f"{path}: preprocessed signals: {fault}")
    metadata = {"sfreq": repr(filtering.rate_hz), "processing": processing}
    window_store.write_recording(target, signals, list(channels), metadata)


def window_tables(
    recordings: pandas.DataFrame,
    events: pandas.DataFrame,
    samples: dict[str, int],
    rate_hz: float,
    window_s: float = 5,
    montage: Montage = tuev.TCP22.montage,
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Index the event windows and the pretraining windows of preprocessed recordings.

    Args:
        recordings: table of the recordings, as ingestion writes it.
        events: table of the events, as ingestion writes it.
        samples: length of each preprocessed recording in samples, by its name.
        rate_hz: their sampling rate.
        window_s: seconds in a window, where the events say where their windows begin.
        montage: channels of the recordings.

    Returns:
        event windows: recording, split, start_sample, channel, label, row;
        pretraining windows: recording, split, start_sample, labels (channels, 0-based, -1 where a channel has no
        event).
    """
    if "start_sample" in events:
        return _given_windows(recordings, events, samples, round(window_s * rate_hz), len(montage.channels))
    return _tuev_windows(recordings, events, samples, rate_hz, montage)


def _given_windows(
    recordings: pandas.DataFrame, events: pandas.DataFrame, samples: dict[str, int], length: int, channels: int
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Index windows whose first samples the events say; each distinct one is a pretraining window."""
    beyond = (events["start_sample"] < 0) | (events["start_sample"] + length > events["recording"].map(samples))
    if beyond.any():
        row = events[beyond].iloc[0]
        raise InputError(
            f"{row['recording']}: start_sample: a window must lie within the {samples[row['recording']]} samples of "
            f"the preprocessed recording (found {row['start_sample']} to {row['start_sample'] + length})"
        )
    windows = events.merge(recordings[["recording", "split"]], on="recording")
    windows = windows[["recording", "split", "start_sample", "channel", "label", "row"]]
    pretraining = windows.drop_duplicates(["recording", "start_sample"], keep="last")
    labels = [np.full(channels, label, np.int8) for label in pretraining["label"]]
    return windows, pretraining[["recording", "split", "start_sample"]].assign(labels=labels)


def _tuev_windows(
    recordings: pandas.DataFrame, events: pandas.DataFrame, samples: dict[str, int], rate_hz: float, montage: Montage
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Index TUEV's windows of five seconds around events of one."""
    derivation_of = [tcp_index(name) for name in montage.names]
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
            pretraining.append(common | {"start_sample": start, "labels": _labels_of(derivation_of, labels)})
    return pandas.DataFrame(windows), pandas.DataFrame(pretraining)


def _labels_of(derivations: Sequence[int | None], labels: np.ndarray) -> np.ndarray:
    """Return the label of each channel of a montage, of which some may be none of TUEV's derivations."""
    return np.array([tuev.NO_EVENT if k is None else labels[k] for k in derivations], np.int8)
