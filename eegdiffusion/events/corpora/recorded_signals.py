"""Recordings of any format for the annotated layouts: electrodes in volts, and the annotations of the file itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.edf_header import ANNOTATIONS, Header, read_header
from eegdiffusion.core.recordings.electrode_labels import read_channels
from eegdiffusion.core.recordings.mne_recording import open_raw
from eegdiffusion.core.recordings.recording_channels import open_channels
from eegdiffusion.core.recordings.scalp_recording import ScalpRecording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.corpora.corpus_reader import SubjectPlace
from eegdiffusion.events.corpora.labelled_corpus import AnnotatedRecording, Doubt
from eegdiffusion.events.corpora.window_labels import Annotation

_STRUCTURE = ("bad", "edge", "boundary", "new segment")


def annotated_recording(
    recording: ScalpRecording, place: SubjectPlace, spans: list[Annotation], described_by: str = ""
) -> AnnotatedRecording:
    """Put an opened recording and its annotations together.

    Args:
        recording: the recording, which is the whole of its file.
        place: its subject and the split that the corpus gives.
        spans: its annotations.
        described_by: fingerprint of what decides its signals beside its file.
    """

    def read(rows: Sequence[int], first: int, stop: int) -> np.ndarray:
        return recording.cut(first, stop, rows) / 1e6

    return AnnotatedRecording(
        part="",
        place=place,
        labels=recording.channels,
        sfreq=recording.sfreq,
        pieces=recording.pieces,
        read=read,
        spans=spans,
        doubts=[Doubt("channels", doubt) for doubt in recording.doubts],
        described_by=described_by,
    )


def annotations_of(path: Path) -> list[Annotation]:
    """Return a recording's own annotations, EDF+ or MNE's, in seconds from its first sample.

    Boundaries and what MNE calls bad are none.

    Raises:
        InputError: MNE cannot read the file, or a time is no number.
    """
    raw = open_raw(path)
    annotations = raw.annotations
    if not np.isfinite([annotations.onset, annotations.duration]).all():
        raise InputError(f"{path}: annotations: their times must be numbers")
    offset_s = raw.first_time if annotations.orig_time is not None else 0.0
    rows = zip(annotations.onset, annotations.duration, annotations.description, strict=True)
    return [
        Annotation(float(onset - offset_s), float(onset - offset_s + duration), str(text).strip())
        for onset, duration, text in rows
        if not str(text).strip().lower().startswith(_STRUCTURE)
    ]


@dataclass(frozen=True)
class RecordedSignals:
    """The channels of an EDF or BDF file that share the rate of its first electrode.

    Attributes:
        labels: their labels.
        sfreq: that rate in Hz.
        pieces: continuous pieces.
        read: (rows, first, stop) -> (rows, samples) float64 in volts.
    """

    labels: list[str]
    sfreq: float
    pieces: list[Piece]
    read: Callable[[Sequence[int], int, int], np.ndarray]


def open_signals(path: Path) -> RecordedSignals:
    """Open the channels of an EDF or BDF file as they were recorded, derivations of two electrodes included.

    Raises:
        InputError: it is none, is not whole, or has no channel that is of an electrode.
    """
    header = read_header(path)
    channels = open_channels(path)
    labels = list(channels.kinds)
    electrodes = [label for label, known in zip(labels, read_channels(labels, {}, {}), strict=True) if known]
    if not electrodes:
        raise InputError(f"{path}: channels: must have electrodes (found {', '.join(labels) or 'none'})")
    rates = dict(zip(labels, [header.rates[k] for k in _signals(header)], strict=True))
    first = channels.select(electrodes[:1])
    kept = [label for label in labels if rates[label] == first.sfreq]

    def read(rows: Sequence[int], start: int, stop: int) -> np.ndarray:
        chosen = [kept[row] for row in rows]
        volts = np.array([channels.microvolts(label) / 1e6 for label in chosen])
        if np.isnan(volts).any():
            listed = ", ".join(
                f"{label} {channels.unit(label)!r}" for label, k in zip(chosen, volts, strict=True) if k != k
            )
            raise InputError(f"{path}: unit: must be one of voltage (found {listed})")
        signals = channels.select(chosen).read(start, stop)
        signals *= volts[:, None]
        return signals

    return RecordedSignals(kept, first.sfreq, first.pieces, read)


def _signals(header: Header) -> list[int]:
    return [k for k, label in enumerate(header.labels) if label.upper() not in ANNOTATIONS]
