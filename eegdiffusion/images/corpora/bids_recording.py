"""One recording of EEG-BIDS: its electrodes in microvolts, bad ones interpolated, its amplitude checked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import finalize

import mne
import numpy as np

from eegdiffusion.core.recordings import amplitude, channel_kinds
from eegdiffusion.core.recordings.brainvision_files import open_brainvision
from eegdiffusion.core.recordings.continuity import Piece, raw_pieces, require_forward_clock
from eegdiffusion.core.recordings.units import microvolts_per_unit, microvolts_per_value
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.interpolation import interpolation_matrix

LONGEST_PAUSE_S = 7 * 86_400.0
"""Seconds that a pause within a recording may last; a longer one is a clock that was set."""


@dataclass(frozen=True)
class BidsRecording:
    """A recording whose samples stay on disk.

    Attributes:
        channels: names of the electrodes, in the order of the signals.
        sfreq: sampling rate in Hz.
        pieces: its continuous pieces.
        cut: (start, stop) -> (channels, samples) in microvolts.
        doubts: sentences on what was left out, interpolated, or decided against what its files say.
    """

    channels: list[str]
    sfreq: float
    pieces: list[Piece]
    cut: Callable[[int, int], np.ndarray]
    doubts: list[str]


def open_bids_recording(path: Path, table: Path | None) -> BidsRecording:
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
    try:
        raw = _open(path)
    except Exception as error:  # MNE raises nearly anything on a damaged file
        raise InputError(f"{path}: cannot be read ({type(error).__name__}: {error})") from error
    rows = None if table is None else channel_kinds.read_channel_table(table)
    kinds = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    chosen = channel_kinds.choose_electrodes(kinds, rows, raw.info["bads"], path)
    picks = [raw.ch_names.index(label) for label in chosen.electrodes]
    names = [channel_kinds.electrode_name(label) for label in chosen.electrodes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path}: channels: {', '.join(twice)} must occur once")
    sfreq, doubts = float(raw.info["sfreq"]), list(chosen.doubts)
    if chosen.left_out:
        listed = ", ".join(f"{label} ({kind})" for label, kind in chosen.left_out.items())
        doubts.append(f"are no electrodes, and are left out: {listed}")
    values = amplitude.read_segments(lambda start, stop: raw.get_data(picks, start, stop), raw.n_times, sfreq)
    bad = [channel_kinds.electrode_name(label) for label in chosen.bad]
    good = [k for k, name in enumerate(names) if name not in bad]
    factors, said = _microvolts(raw, path, chosen, values, good)
    amplitude.require_eeg_amplitude(values[:, good] * factors[good, None], [names[k] for k in good], f"{path}: unit")
    mixing = None
    if bad:
        mixing = interpolation_matrix(names, bad, _positions(raw, chosen.electrodes), str(table or path))[:, good]
        doubts.append(f"are bad, and are interpolated from the others: {', '.join(bad)}")

    def cut(start: int, stop: int) -> np.ndarray:
        microvolts = raw.get_data(picks, start, stop) * factors[:, None]
        return microvolts if mixing is None else mixing @ microvolts[good]

    pieces = raw_pieces(raw, path)
    require_forward_clock(path, pieces, sfreq, LONGEST_PAUSE_S)
    return BidsRecording(names, sfreq, pieces, cut, doubts + said)


def _open(path: Path) -> "mne.io.BaseRaw":
    match path.suffix.lower():
        case ".vhdr":
            return open_brainvision(path)
        case ".set":
            return _open_eeglab(path)
        case ".bdf":
            return mne.io.read_raw_bdf(path, preload=False, verbose="ERROR")
    return mne.io.read_raw_edf(path, preload=False, verbose="ERROR")


def _open_eeglab(path: Path) -> "mne.io.BaseRaw":
    """Open an EEGLAB file, whose ending and that of its data MNE takes in lower case alone."""
    if path.suffix == ".set":
        return mne.io.read_raw_eeglab(path, preload=False, verbose="ERROR")
    folder = TemporaryDirectory()
    for file in path.parent.iterdir():
        if file.stem == path.stem and file.suffix.lower() in (".set", ".fdt"):
            Path(folder.name, file.stem + file.suffix.lower()).symlink_to(file.resolve())
    raw = mne.io.read_raw_eeglab(Path(folder.name, f"{path.stem}.set"), preload=False, verbose="ERROR")
    finalize(raw, folder.cleanup)  # the links serve as long as samples are read
    return raw


def _microvolts(
    raw: "mne.io.BaseRaw", path: Path, chosen: channel_kinds.ChosenChannels, values: np.ndarray, good: list[int]
) -> tuple[np.ndarray, list[str]]:
    """Return by what each electrode's values are to be multiplied to be microvolts, and what is to be said of it.

    The file's own unit counts; that of ``channels.tsv`` where the file has none, or where that alone makes the signals
    EEG. EEGLAB's files have no unit, and are in microvolts by custom.

    Args:
        raw: the recording.
        path: its file.
        chosen: its electrodes.
        values: (segments, electrodes, samples) as MNE reads them.
        good: positions of the electrodes that are not bad.

    Returns:
        (electrodes,) factors; sentences.

    Raises:
        InputError: neither says a unit, or they contradict each other and either may be right.
    """
    by_file = _factors_by_file(raw, path, chosen.electrodes)
    by_table = np.array(
        [
            _factor_by_table(raw, path, label, factor, chosen.units.get(label))
            for label, factor in zip(chosen.electrodes, by_file, strict=True)
        ]
    )
    factors = np.where(np.isnan(by_file), by_table, by_file)
    if _is_eeglab(path):
        factors = np.where(np.isnan(factors), _VOLTS, factors)
    if len(lacking := [label for label, factor in zip(chosen.electrodes, factors, strict=True) if np.isnan(factor)]):
        units = ", ".join(f"{label} {raw._orig_units.get(label, '')!r}" for label in lacking[:8])
        raise InputError(f"{path}: unit: must be one of voltage, in the file or in channels.tsv (found {units})")
    contrary = ~np.isnan(by_table) & ~np.isclose(by_table, factors, equal_nan=True)
    if not contrary.any():
        return factors, []
    listed = ", ".join(chosen.electrodes[k] for k in np.flatnonzero(contrary)[:8])
    others = np.where(contrary, by_table, factors)
    is_eeg, others_are_eeg = (_is_eeg(values[:, good], scale[good]) for scale in (factors, others))
    if is_eeg and others_are_eeg:
        raise InputError(
            f"{path}: unit: that of channels.tsv must be the file's (found another for {listed}); correct one of them"
        )
    kept = "channels.tsv" if others_are_eeg else "the file"
    doubt = f"have another unit in channels.tsv than in the file; that of {kept} is taken: {listed}"
    return (others if others_are_eeg else factors), [doubt]


_VOLTS = 1e6
"""Microvolts in what MNE reads where it knows the unit."""


def _is_eeglab(path: Path) -> bool:
    return path.suffix.lower() == ".set"


def _is_eeg(values: np.ndarray, factors: np.ndarray) -> bool:
    """Tell whether (segments, electrodes, samples) times factors are EEG in microvolts, every electrode of it."""
    microvolts = values * factors[:, None]
    names = [str(k) for k in range(len(factors))]
    return amplitude.amplitude_fault(microvolts) is None and not amplitude.other_scale(microvolts, names)


def _factors_by_file(raw: "mne.io.BaseRaw", path: Path, labels: list[str]) -> np.ndarray:
    """Return the microvolts in a value that MNE reads of each channel; NaN where the file states no unit of voltage."""
    if _is_eeglab(path):
        return np.full(len(labels), np.nan)
    try:
        return microvolts_per_value(raw, path, labels)
    except InputError:
        if len(labels) == 1:
            return np.array([np.nan])
    return np.concatenate([_factors_by_file(raw, path, [label]) for label in labels])


def _factor_by_table(raw: "mne.io.BaseRaw", path: Path, label: str, by_file: float, unit: str | None) -> float:
    """Return the microvolts in a value that MNE reads, were the file in the table's unit; NaN without one."""
    microvolts = None if unit is None else microvolts_per_unit(unit)
    if microvolts is None:
        return np.nan
    if _is_eeglab(path):
        return microvolts * _VOLTS  # MNE took the numbers for microvolts
    in_file = microvolts_per_unit(raw._orig_units.get(label, "uV"))
    return microvolts if in_file is None else by_file * microvolts / in_file


def _positions(raw: "mne.io.BaseRaw", labels: list[str]) -> dict[str, np.ndarray]:
    """Return the place of each electrode in metres, by name, where the file has those of all."""
    montage = raw.get_montage()
    places = {} if montage is None else montage.get_positions()["ch_pos"]
    known = {label: places[label] for label in labels if label in places and np.isfinite(places[label]).all()}
    return {channel_kinds.electrode_name(label): place for label, place in known.items() if place.any()}
