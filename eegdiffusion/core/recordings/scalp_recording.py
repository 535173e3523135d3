"""A recording of scalp EEG: its electrodes in microvolts, bad ones interpolated, its amplitude checked."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegdiffusion.core.recordings import amplitude, channel_kinds
from eegdiffusion.core.recordings.continuity import Piece, require_forward_clock
from eegdiffusion.core.recordings.electrode_recording import require_finite
from eegdiffusion.core.recordings.recording_channels import VOLTS, Channels, Signals, open_channels
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.interpolation import interpolation_matrix

LONGEST_PAUSE_S = 7 * 86_400.0
"""Seconds that a pause within a recording may last; a longer one is a clock that was set."""


@dataclass(frozen=True)
class ScalpRecording:
    """A recording whose samples stay on disk.

    Attributes:
        channels: names of the electrodes, in the order of the signals.
        sfreq: sampling rate in Hz.
        pieces: its continuous pieces.
        cut: (start, stop, rows) -> (rows, samples) in microvolts of some channels, or (start, stop) of all.
        doubts: sentences on what was left out, interpolated, or decided against what its files say.
    """

    channels: list[str]
    sfreq: float
    pieces: list[Piece]
    cut: Callable[..., np.ndarray]
    doubts: list[str]


def open_scalp_recording(path: Path, table: Path | None) -> ScalpRecording:
    """Open a recording.

    What a channel is, its unit and whether it is bad is what ``channels.tsv`` says; without it, the file and the names
    of the channels do. A bad electrode is interpolated from the others, as all recordings of a store have the same.

    Args:
        path: file of the recording.
        table: its ``channels.tsv``; None where there is none.

    Raises:
        InputError: the recording cannot be read, has no electrodes, too many bad ones, or ones that are not of EEG's
            amplitude in their unit.
    """
    channels = open_channels(path)
    rows = None if table is None else channel_kinds.read_channel_table(table)
    chosen = channel_kinds.choose_electrodes(channels.kinds, rows, channels.bad, path)
    names = [channel_kinds.electrode_name(label) for label in chosen.electrodes]
    if twice := _twice(names):
        raise InputError(f"{path}: channels: {', '.join(twice)} must occur once")
    doubts = list(chosen.doubts)
    if chosen.left_out:
        listed = ", ".join(f"{label} ({kind})" for label, kind in chosen.left_out.items())
        doubts.append(f"are no electrodes, and are left out: {listed}")
    mixing = None
    if bad := [channel_kinds.electrode_name(label) for label in chosen.bad]:
        places = channels.positions(chosen.electrodes)
        positions = {channel_kinds.electrode_name(label): place for label, place in places.items()}
        good = [k for k, name in enumerate(names) if name not in bad]
        mixing = interpolation_matrix(names, bad, positions, str(table or path))[:, good]
        doubts.append(f"are bad, and are interpolated from the others: {', '.join(bad)}")
    labels = [label for label in chosen.electrodes if label not in chosen.bad]
    signals = channels.select(labels)
    factors, said = _microvolts(channels, path, labels, chosen.units, signals)

    def cut(start: int, stop: int, rows: Sequence[int] | None = None) -> np.ndarray:
        chosen = list(range(len(names)) if rows is None else rows)
        mixed = None if mixing is None else mixing[chosen]
        used = sorted(chosen) if mixed is None else np.flatnonzero(mixed.any(axis=0)).tolist()
        some = signals if len(used) == len(labels) else channels.select([labels[k] for k in used])
        microvolts = some.read(start, stop) * factors[used, None]
        if mixed is not None:
            return mixed[:, used] @ microvolts
        return microvolts if used == chosen else microvolts[[used.index(k) for k in chosen]]

    require_forward_clock(path, signals.pieces, signals.sfreq, LONGEST_PAUSE_S)
    return ScalpRecording(names, signals.sfreq, signals.pieces, cut, doubts + said)


_NUMBERED = re.compile(r"-\d+$")
"""What MNE adds to labels that occur twice."""


def _twice(names: list[str]) -> list[str]:
    """Return the names that occur twice, as they are or numbered."""
    numbered = {base for name in names if name.endswith("-0") and f"{(base := name[:-2])}-1" in names}
    plain = [base if (base := _NUMBERED.sub("", name)) in numbered else name for name in names]
    return sorted({name for name in plain if plain.count(name) > 1})


def _microvolts(
    channels: Channels, path: Path, labels: list[str], units: Mapping[str, str], signals: Signals
) -> tuple[np.ndarray, list[str]]:
    """Return by what each electrode's numbers are to be multiplied to be microvolts, and what is to be said of it.

    The file's own unit counts; that of ``channels.tsv`` where the file has none, or where that alone makes the signals
    EEG. EEGLAB's files have no unit, and are in microvolts by custom.

    Args:
        channels: the recording's channels.
        path: its file.
        labels: its good electrodes.
        units: unit of electrodes by ``channels.tsv``, as far as it says one.
        signals: the good electrodes' signals.

    Returns:
        (electrodes,) factors; sentences.

    Raises:
        InputError: a sample is no number, neither says a unit, they contradict each other and either may be right, or
            an electrode is not of EEG's amplitude.
    """
    values = amplitude.read_segments(signals.read, signals.samples, signals.sfreq)
    require_finite(path, labels, np.isfinite(values).all(axis=(0, 2)))
    by_file = np.array([channels.microvolts(label) for label in labels])
    by_table = np.array([channels.microvolts_were_it(label, units.get(label)) for label in labels])
    factors = np.where(np.isnan(by_file), by_table, by_file)
    if path.suffix.lower() == ".set":
        factors = np.where(np.isnan(factors), VOLTS, factors)
    if lacking := [label for label, factor in zip(labels, factors, strict=True) if np.isnan(factor)]:
        listed = ", ".join(f"{label} {channels.unit(label)!r}" for label in lacking[:8])
        raise InputError(f"{path}: unit: must be one of voltage, in the file or in channels.tsv (found {listed})")
    said = []
    contrary = ~np.isnan(by_table) & ~np.isclose(by_table, factors, equal_nan=True)
    if contrary.any():
        listed = ", ".join(labels[k] for k in np.flatnonzero(contrary)[:8])
        others = np.where(contrary, by_table, factors)
        is_eeg, others_are_eeg = (_is_eeg(values, scale) for scale in (factors, others))
        if is_eeg and others_are_eeg:
            raise InputError(
                f"{path}: unit: that of channels.tsv must be the file's (found another for {listed}); correct one"
            )
        kept = "channels.tsv" if others_are_eeg else "the file"
        said.append(f"have another unit in channels.tsv than in the file; that of {kept} is taken: {listed}")
        factors = others if others_are_eeg else factors
    names = [channel_kinds.electrode_name(label) for label in labels]
    amplitude.require_eeg_amplitude(values * factors[:, None], names, f"{path}: unit")
    return factors, said


def _is_eeg(values: np.ndarray, factors: np.ndarray) -> bool:
    """Tell whether (segments, electrodes, samples) times factors are EEG in microvolts, every electrode of it."""
    microvolts = values * factors[:, None]
    names = [str(k) for k in range(len(factors))]
    return amplitude.amplitude_fault(microvolts) is None and not amplitude.other_scale(microvolts, names)
