"""A recording of any lab, opened as the channels of electrodes that it has; what cannot be used is said by name."""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegdiffusion.core.recordings import amplitude, continuity
from eegdiffusion.core.recordings.brainvision_header import channel_references
from eegdiffusion.core.recordings.channel_derivation import DerivedChannels, derive_some_channels
from eegdiffusion.core.recordings.channel_kinds import auxiliary_kind
from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.electrode_labels import RecordedChannel, read_channels
from eegdiffusion.core.recordings.fif_files import previous_part
from eegdiffusion.core.recordings.mne_recording import open_raw
from eegdiffusion.core.recordings.recording_channels import VOLTS, Channels, EdfChannels, MneChannels, Signals
from eegdiffusion.core.recordings.recording_files import ending_of
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.derivations import electrodes_of

if TYPE_CHECKING:
    import mne

ENDINGS = (".edf", ".bdf", ".vhdr", ".set", ".fif", ".fif.gz")
"""Endings of the files that are read."""

LONGEST_PAUSE_S = 86400.0
"""A recording whose clock jumps further between two pieces is refused: that is no pause, or a wrong clock."""

NOT_FINITE = "signal: must be finite (found NaN or infinity)"

_LOST = re.compile(r"does not match|truncated|incomplete|end of file", re.IGNORECASE)
"""What MNE's warnings say of files that end too early."""


@dataclass(frozen=True)
class ElectrodeRecording:
    """The channels of a recording that are of electrodes, whose samples stay on disk.

    Attributes:
        path: its file.
        rate_hz: sampling rate.
        pieces: what was recorded without a pause, in order.
        start: clock at the first sample, if the file says so.
        labels: labels of the channels that can be used.
        left_out: what other channels of electrodes are, and why they cannot be used.
        rename: labels or electrodes that are called otherwise, and what they are.
        references: electrodes whose reference the file says beside their label.
        read: (rows, first sample, stop sample) -> (rows, samples) float64 in volts, rows as in ``labels``.
    """

    path: Path
    rate_hz: float
    pieces: list[Piece]
    start: datetime | None
    labels: list[str]
    left_out: dict[RecordedChannel, str]
    rename: Mapping[str, str]
    references: Mapping[str, str]
    read: Callable[[Sequence[int], int, int], np.ndarray] = field(repr=False)

    @property
    def recorded_s(self) -> float:
        """Seconds that were recorded, without pauses."""
        return sum(piece.stop_sample - piece.first_sample for piece in self.pieces) / self.rate_hz

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the last on the clock."""
        last = self.pieces[-1]
        return last.onset_s + (last.stop_sample - last.first_sample) / self.rate_hz

    def derive(self, names: Sequence[str], faulty: Mapping[int, str] | None = None) -> "PartialDerivation":
        """Find out which channels of a montage follow from the recording's.

        Args:
            names: channels of the montage.
            faulty: rows that must not be used, and why.
        """
        faulty = faulty or {}
        labels = [None if row in faulty else label for row, label in enumerate(self.labels)]
        channels, lacking = derive_some_channels(
            self.path, labels, names, rename=self.rename, references=self.references
        )
        reasons = dict(self.left_out)
        for row, channel in enumerate(read_channels(self.labels, self.rename, self.references)):
            if row in faulty and channel:
                reasons[channel] = faulty[row]
        return PartialDerivation(channels, {name: _why(name, said, reasons) for name, said in lacking.items()})


@dataclass(frozen=True)
class PartialDerivation:
    """The channels of a montage that follow from a recording.

    Attributes:
        channels: how they do.
        lacking: the montage's other channels, and why they do not.
    """

    channels: DerivedChannels
    lacking: dict[str, str]

    def require(self, path: Path, fewest: int) -> None:
        """Check that channels are as many as a model can be asked about.

        Args:
            path: file of the recording, for the error.
            fewest: number of channels.

        Raises:
            InputError: they are fewer; the message says which lack, and why.
        """
        names, count = self.channels.names, len(self.channels.names) + len(self.lacking)
        if len(names) >= fewest:
            return
        rule = f"must give {'all' if fewest == count else f'{fewest} or more'} of the model's {count}"
        raise InputError(
            f"{path}: channels: {rule}, as it was tested on no fewer (found {len(names)}, without "
            f"{reasons_text(self.lacking)}); --rename OTHER=ELECTRODE names an electrode that is called otherwise"
        )


def reasons_text(lacking: Mapping[str, str]) -> str:
    """Say which channels lack, those with one reason together: ``A1-T3 (A1: is not recorded), ...``."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in lacking.items():
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in by_reason.items())


def channel_name(channel: RecordedChannel) -> str:
    """Return what a recorded channel is: an electrode, or a derivation of two."""
    return f"{channel.electrode}-{channel.against}" if channel.bipolar else channel.electrode


def _why(name: str, said: str, left_out: Mapping[RecordedChannel, str]) -> str:
    """Say why a channel of a montage lacks: by what is wrong with the channels of its electrodes, or what was said."""
    ends = set(electrodes_of(name))
    reasons = [
        f"{channel_name(channel)}: {reason}"
        for channel, reason in left_out.items()
        if (ends >= {channel.electrode, channel.against} if channel.bipolar else channel.electrode in ends)
    ]
    return ", ".join(dict.fromkeys(reasons)) or said


def open_recording(path: Path, rename: Mapping[str, str]) -> ElectrodeRecording:
    """Open the electrodes of a recording, and check what can be checked without reading all of it.

    An electrode that cannot be used is left out, with the reason; the others are read all the same.

    Args:
        path: an EDF, BDF, BrainVision (``.vhdr``), EEGLAB (``.set``) or FIF file.
        rename: further names of electrodes, e.g. ``{"X1": "A1"}``.

    Raises:
        InputError: the recording cannot be used; the message names file, channel or field, and rule.
    """
    ending = ending_of(path.name, ENDINGS)
    if ending is None:
        raise InputError(f"{path}: file: must be one of {', '.join(ENDINGS)}")
    if not path.is_file():
        raise InputError(f"{path}: file: there is no such file")
    channels = _open_channels(path, ending)
    references = _stated_references(path, list(channels.kinds), rename) if ending == ".vhdr" else {}
    recorded = _electrodes(path, channels, rename, references)
    left_out = {label: reason for label in recorded if (reason := _fault(channels, label, recorded[label]))}
    usable = [label for label in recorded if label not in left_out]
    if not usable:
        raise InputError(f"{path}: channels: must have electrodes that can be used (found {_listed(left_out)})")
    rate_hz = max(Counter(channels.rate(label) for label in usable).items(), key=lambda item: (item[1], item[0]))[0]
    left_out |= {
        label: f"sampling rate: must be that of the other electrodes, {rate_hz:g} Hz (found {rate:g})"
        for label in usable
        if (rate := channels.rate(label)) != rate_hz
    }
    usable = [label for label in usable if label not in left_out]
    signals = channels.select(usable)
    if not signals.pieces:
        raise InputError(f"{path}: samples: must be more than none")
    continuity.require_forward_clock(path, signals.pieces, rate_hz, LONGEST_PAUSE_S)
    left_out |= _repeated(channels, {label: recorded[label] for label in usable}, signals)
    usable = [label for label in usable if label not in left_out]
    left_out |= _amplitude_faults(path, _reader(channels, usable), usable, signals)
    usable = [label for label in usable if label not in left_out]
    said = {recorded[label]: reason for label, reason in left_out.items() if reason}
    return ElectrodeRecording(
        path, rate_hz, signals.pieces, channels.start(), usable, said, rename, references, _reader(channels, usable)
    )


def _open_channels(path: Path, ending: str) -> Channels:
    return EdfChannels(path) if ending in (".edf", ".bdf") else MneChannels(_open_raw(path, ending), path)


def _open_raw(path: Path, ending: str) -> "mne.io.BaseRaw":
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if ending in (".fif", ".fif.gz"):
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


def _stated_references(path: Path, labels: Sequence[str], rename: Mapping[str, str]) -> dict[str, str]:
    """Return the reference of each electrode of which a BrainVision header names one."""
    read = read_channels(labels, rename, {})
    return {
        channel.electrode: reference
        for channel, reference in zip(read, channel_references(path), strict=False)
        if channel and not channel.bipolar and reference
    }


def _electrodes(
    path: Path, channels: Channels, rename: Mapping[str, str], references: Mapping[str, str]
) -> dict[str, RecordedChannel]:
    """Return the channels that are of electrodes, by label.

    Raises:
        InputError: there are none.
    """
    labels = list(channels.kinds)
    read = read_channels(labels, rename, references)
    recorded = {
        label: channel
        for label, channel in zip(labels, read, strict=True)
        # DC1, LO2 and the like are called as electrodes are.
        if channel and (channel.renamed or auxiliary_kind(label) is None)
    }
    if not recorded:
        raise InputError(f"{path}: channels: must have electrodes (found {', '.join(labels) or 'none'})")
    return recorded


def _fault(channels: Channels, label: str, channel: RecordedChannel) -> str | None:
    if label in channels.bad:
        return "the file marks the channel as bad"
    return channels.fault(label)


def _listed(left_out: Mapping[str, str]) -> str:
    return ", ".join(f"{label}: {reason}" for label, reason in left_out.items())


def _repeated(channels: Channels, recorded: Mapping[str, RecordedChannel], signals: Signals) -> dict[str, str]:
    """Find channels that are of the same electrodes: of those with one signal the first is kept, else none of them."""
    groups: dict[tuple[str, str], list[str]] = {}
    for label, channel in recorded.items():
        groups.setdefault((channel.electrode, channel.against), []).append(label)
    length = min(signals.samples, round(amplitude.SEGMENT_S * signals.sfreq))
    left_out: dict[str, str] = {}
    for several in [group for group in groups.values() if len(group) > 1]:
        values = channels.select(several).read(0, length)
        if (values == values[0]).all():
            left_out |= dict.fromkeys(several[1:], "")
        else:
            left_out |= dict.fromkeys(several, f"must occur once (found {len(several)} times, with other samples)")
    return left_out


def _reader(channels: Channels, labels: Sequence[str]) -> Callable[[Sequence[int], int, int], np.ndarray]:
    """Return what reads rows of ``labels``: (rows, first, stop) -> (rows, samples) float64 in volts."""

    @cache
    def some(rows: tuple[int, ...]) -> tuple[Signals, np.ndarray]:
        chosen = [labels[row] for row in rows]
        microvolts = [channels.microvolts(label) for label in chosen]
        # EEGLAB's files have no unit; MNE takes microvolts, which are custom, and gives volts.
        volts = np.array([VOLTS if np.isnan(factor) else factor for factor in microvolts]) / VOLTS
        return channels.select(chosen), volts[:, None]

    def read(rows: Sequence[int], first: int, stop: int) -> np.ndarray:
        order = np.argsort(rows, kind="stable")
        signals, volts = some(tuple(np.asarray(rows)[order].tolist()))
        values = np.empty((len(rows), stop - first))
        values[order] = signals.read(first, stop) * volts
        return values

    return read


def _amplitude_faults(
    path: Path, read: Callable[[Sequence[int], int, int], np.ndarray], labels: Sequence[str], signals: Signals
) -> dict[str, str]:
    """Check the amplitude of segments of each piece that is long enough, or else of the longest.

    Returns:
        electrodes that are of another scale than the others, or have samples that are no numbers, and which it is.

    Raises:
        InputError: the amplitude of all is not that of EEG.
    """
    longest = max(signals.pieces, key=lambda piece: piece.stop_sample - piece.first_sample)
    least = amplitude.SEGMENT_S * signals.sfreq
    left_out: dict[str, str] = {}
    for piece in [piece for piece in signals.pieces if piece.stop_sample - piece.first_sample >= least] or [longest]:
        first, samples = piece.first_sample, piece.stop_sample - piece.first_sample

        def cut(start: int, stop: int, first: int = first) -> np.ndarray:
            return read(range(len(labels)), first + start, first + stop)

        segments = amplitude.read_segments(cut, samples, signals.sfreq) * VOLTS
        finite = np.isfinite(segments).all(axis=(0, 2))
        left_out |= {label: NOT_FINITE for label, good in zip(labels, finite, strict=True) if not good}
        kept = [row for row, label in enumerate(labels) if label not in left_out]
        for label, ratio in amplitude.other_scale(segments[:, kept], [labels[row] for row in kept]).items():
            left_out[label] = (
                f"unit: must be of the others' scale, within {amplitude.SCALES:g} times (found {ratio:.3g} times "
                "their median)"
            )
        kept = [row for row in kept if labels[row] not in left_out]
        varying = [row for row in kept if segments[:, row].std(axis=-1).max() > amplitude.FLAT_UV]
        if kept and (fault := amplitude.amplitude_fault(segments[:, varying or kept])):
            raise InputError(f"{path}: unit: {fault}")
    if len(left_out) == len(labels):
        raise InputError(f"{path}: channels: must have electrodes that can be used (found {_listed(left_out)})")
    return left_out


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
        raise InputError(f"{path}: {', '.join(listed)}: {NOT_FINITE}")
