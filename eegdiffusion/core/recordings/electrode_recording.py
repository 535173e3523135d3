"""A recording of any lab, opened as the 19 electrodes that the montage needs, or refused."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eegdiffusion.core.recordings import amplitude, continuity, edf_checks, edf_header, edf_samples
from eegdiffusion.core.recordings.brainvision_header import channel_references
from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.electrode_labels import choose_electrodes
from eegdiffusion.core.recordings.fif_files import previous_part
from eegdiffusion.core.recordings.mne_recording import open_raw, require_rate
from eegdiffusion.core.recordings.recording_files import ending_of
from eegdiffusion.core.recordings.units import microvolts_per_value
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import ELECTRODES

if TYPE_CHECKING:
    import mne

ENDINGS = (".edf", ".bdf", ".vhdr", ".fif", ".fif.gz")
"""Endings of the files that are read."""

LONGEST_PAUSE_S = 86400.0
"""A recording whose clock jumps further between two pieces is refused: that is no pause, or a wrong clock."""

_BLOCK = 1 << 20
"""Samples that are read of an electrode at a time."""

_LOST = re.compile(r"does not match|truncated|incomplete|end of file", re.IGNORECASE)
"""What MNE's warnings say of files that end too early."""


@dataclass(frozen=True)
class ElectrodeRecording:
    """The electrodes of a recording, whose samples stay on disk.

    Attributes:
        path: its file.
        rate_hz: sampling rate.
        pieces: what was recorded without a pause, in order.
        start: clock at the first sample, if the file says so.
        read: (rows, first sample, stop sample) -> (rows, samples) float64 in volts, rows as in ``ELECTRODES``.
    """

    path: Path
    rate_hz: float
    pieces: list[Piece]
    start: datetime | None
    read: Callable[[Sequence[int], int, int], np.ndarray]

    @property
    def recorded_s(self) -> float:
        """Seconds that were recorded, without pauses."""
        return sum(piece.stop_sample - piece.first_sample for piece in self.pieces) / self.rate_hz

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the last on the clock."""
        last = self.pieces[-1]
        return last.onset_s + (last.stop_sample - last.first_sample) / self.rate_hz


def open_recording(path: Path, rename: Mapping[str, str]) -> ElectrodeRecording:
    """Open the electrodes of a recording, and check what can be checked without reading all of it.

    Args:
        path: an EDF, BDF, BrainVision (``.vhdr``) or FIF file.
        rename: further names of electrodes, e.g. ``{"X1": "A1"}``.

    Raises:
        InputError: the recording cannot be used; the message names file, channel or field, and rule.
    """
    ending = ending_of(path.name, ENDINGS)
    if ending is None:
        raise InputError(f"{path}: file: must be one of {', '.join(ENDINGS)}")
    if not path.is_file():
        raise InputError(f"{path}: file: there is no such file")
    recording = _open_edf(path, rename) if ending in (".edf", ".bdf") else _open_with_mne(path, ending, rename)
    if not recording.pieces:
        raise InputError(f"{path}: samples: must be more than none")
    continuity.require_forward_clock(path, recording.pieces, recording.rate_hz, LONGEST_PAUSE_S)
    _check_amplitude(recording)
    return recording


def _open_edf(path: Path, rename: Mapping[str, str]) -> ElectrodeRecording:
    header = edf_header.read_header(path)
    chosen = choose_electrodes(path, header.labels, rename)
    edf_checks.check_extent(header)
    edf_checks.check_signals(header, chosen)
    rate_hz = require_rate(header.rates[chosen[0]], f"{path}: sampling rate")
    pieces, offset_s = continuity.edf_pieces(header, rate_hz)
    start = continuity.clock_after(header.start, offset_s)

    def read(rows: Sequence[int], first: int, stop: int) -> np.ndarray:
        return edf_samples.read_samples(header, first, stop, [chosen[row] for row in rows])

    return ElectrodeRecording(path, rate_hz, pieces, start, read)


def _open_raw(path: Path, ending: str) -> "mne.io.BaseRaw":
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if ending != ".vhdr":
                _require_first_part(path)
            raw = open_raw(path, verbose="warning")
        except InputError:
            raise
        except Exception as error:  # MNE's readers raise all kinds for files that are none
            raise InputError(f"{path}: file: MNE cannot read it ({type(error).__name__}: {error})") from error
    for warning in caught:
        if _LOST.search(str(warning.message)):
            raise InputError(f"{path}: file: must be whole (MNE says: {warning.message})")
    return raw


def _require_first_part(path: Path) -> None:
    if before := previous_part(path):
        raise InputError(
            f"{path}: file: must be the first part of a recording that was split (the part before it is {before})"
        )


def _open_with_mne(path: Path, ending: str, rename: Mapping[str, str]) -> ElectrodeRecording:
    raw = _open_raw(path, ending)
    chosen = choose_electrodes(path, raw.ch_names, rename)
    labels = [raw.ch_names[k] for k in chosen]
    factors = microvolts_per_value(raw, path, labels) / 1e6
    if ending == ".vhdr":
        _require_one_reference(path, [channel_references(path)[k] for k in chosen], labels)
    if ending != ".vhdr":  # whose kinds follow from the units, which were just read
        for label, kind in zip(labels, raw.get_channel_types(labels), strict=True):
            if kind != "eeg":
                raise InputError(f"{path}: {label}: unit: must be volts, of the kind eeg (MNE found {kind})")
    if derived := [label for k, label in zip(chosen, labels, strict=True) if _is_bipolar(raw.info["chs"][k])]:
        raise InputError(f"{path}: {', '.join(derived)}: channels: must be referential (the file says bipolar)")
    bad = [label for label in labels if label in raw.info["bads"]]
    if bad:
        raise InputError(f"{path}: {', '.join(bad)}: the file marks the channel as bad; every electrode must be good")

    def read(rows: Sequence[int], first: int, stop: int) -> np.ndarray:
        values = np.empty((len(rows), stop - first))
        picks = [chosen[row] for row in rows]
        order = np.argsort(picks)  # MNE reads channels in the file's order
        try:
            for begin in range(first, stop, _BLOCK):
                end = min(begin + _BLOCK, stop)
                values[order, begin - first : end - first] = raw.get_data([picks[k] for k in order], begin, end)
        except Exception as error:
            raise InputError(f"{path}: file: MNE cannot read its samples ({type(error).__name__}: {error})") from error
        # Volts stay what MNE read, to the bit.
        return values if (factors == 1).all() else values * factors[list(rows), None]

    return ElectrodeRecording(
        path, float(raw.info["sfreq"]), continuity.raw_pieces(raw, path), continuity.raw_start(raw, path), read
    )


def _is_bipolar(channel: Mapping[str, Any]) -> bool:
    """Say whether MNE's description of a channel says that it is a difference of two electrodes."""
    from mne._fiff.constants import FIFF

    return int(channel["coil_type"]) == FIFF.FIFFV_COIL_EEG_BIPOLAR


def _require_one_reference(path: Path, references: Sequence[str], labels: Sequence[str]) -> None:
    """Check that a header's column of references names one alone, as it cancels in a derivation."""
    if len({reference.upper() for reference in references}) > 1:
        listed = ", ".join(
            f"{label} against {reference or 'none'}" for label, reference in zip(labels, references, strict=True)
        )
        raise InputError(f"{path}: channels: must have one reference, which cancels in a derivation (found {listed})")


def _check_amplitude(recording: ElectrodeRecording) -> None:
    """Check the amplitude of segments of each piece that is long enough, or else of the longest."""
    longest = max(recording.pieces, key=lambda piece: piece.stop_sample - piece.first_sample)
    least = amplitude.SEGMENT_S * recording.rate_hz
    for piece in [piece for piece in recording.pieces if piece.stop_sample - piece.first_sample >= least] or [longest]:
        first, samples = piece.first_sample, piece.stop_sample - piece.first_sample

        def read(start: int, stop: int, first: int = first) -> np.ndarray:
            return recording.read(range(len(ELECTRODES)), first + start, first + stop)

        segments = amplitude.read_segments(read, samples, recording.rate_hz) * 1e6
        require_finite(recording.path, ELECTRODES, np.isfinite(segments).all(axis=(0, 2)))
        amplitude.require_eeg_amplitude(segments, ELECTRODES, f"{recording.path}: unit")


def require_finite(path: Path, names: Sequence[str], finite: Sequence[bool] | np.ndarray) -> None:
    """Check that channels have numbers throughout.

    Args:
        path: file of the recording, for the error.
        names: names of channels.
        finite: whether each has no NaN or infinity.

    Raises:
        InputError: one has; the message names it.
    """
    if not all(finite):
        listed = [name for name, good in zip(names, finite, strict=True) if not good]
        raise InputError(f"{path}: {', '.join(listed)}: signal: must be finite (found NaN or infinity)")
