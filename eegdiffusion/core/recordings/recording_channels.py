"""The channels of a recording as its file has them, whatever its format; samples stay on disk."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from eegdiffusion.core.recordings import edf_checks, edf_samples
from eegdiffusion.core.recordings.continuity import Piece, clock_after, edf_pieces, raw_pieces, raw_start
from eegdiffusion.core.recordings.edf_header import ANNOTATIONS, read_header
from eegdiffusion.core.recordings.electrode_labels import read_label
from eegdiffusion.core.recordings.mne_recording import open_raw, require_rate
from eegdiffusion.core.recordings.units import microvolts_per_unit, microvolts_per_value
from eegdiffusion.core.runtime.errors import InputError

if TYPE_CHECKING:
    import mne

VOLTS = 1e6
"""Microvolts in what MNE reads where it knows the unit."""


@dataclass(frozen=True)
class Signals:
    """Some channels of a recording, which share a rate.

    Attributes:
        sfreq: sampling rate in Hz.
        samples: length.
        pieces: continuous pieces.
        read: (start, stop) -> (channels, samples) float64, numbers in the units of :meth:`Channels.microvolts`.
    """

    sfreq: float
    samples: int
    pieces: list[Piece]
    read: Callable[[int, int], np.ndarray]


class Channels(Protocol):
    """The channels of a file.

    Attributes:
        kinds: MNE's kind of each channel, by label, in the order of the file.
        bad: labels of those that the file marks as bad.
    """

    kinds: dict[str, str]
    bad: list[str]

    def unit(self, label: str) -> str:
        """Return the text of a channel's unit; empty where the file has none."""

    def microvolts(self, label: str) -> float:
        """Return the microvolts in a number of a channel by the file's own unit; NaN where it has none of voltage."""

    def microvolts_were_it(self, label: str, unit: str | None) -> float:
        """Return the microvolts in a number of a channel, were the file in another unit; NaN without one."""

    def start(self) -> datetime | None:
        """Return the clock at the first sample, if the file says so."""

    def rate(self, label: str) -> float:
        """Return the sampling rate of a channel in Hz."""

    def fault(self, label: str) -> str | None:
        """Say why a channel's numbers cannot be taken for the potential that its label names; None where they can."""

    def positions(self, labels: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the places of channels in metres, of those whose place the file has."""

    def select(self, labels: Sequence[str]) -> Signals:
        """Return some channels.

        Args:
            labels: their labels, in the order of the file.

        Raises:
            InputError: they differ in rate, or a number has no scale.
        """


def open_channels(path: Path) -> Channels:
    """Open an EDF, BDF, BrainVision or EEGLAB file.

    Raises:
        InputError: it cannot be read, or is not whole.
    """
    if path.suffix.lower() in (".edf", ".bdf"):
        return EdfChannels(path)
    return MneChannels(open_raw(path), path)


class EdfChannels:
    """The channels of an EDF or BDF file, but for annotations; see :class:`Channels`.

    Labels that occur twice are numbered as MNE does.
    """

    def __init__(self, path: Path):
        self._header = read_header(path)
        edf_checks.check_extent(self._header)
        times = Counter(self._header.labels)
        labels = [
            f"{label}-{self._header.labels[:k].count(label)}" if times[label] > 1 else label
            for k, label in enumerate(self._header.labels)
        ]
        self._place = {label: k for k, label in enumerate(labels) if self._header.labels[k].upper() not in ANNOTATIONS}
        self.kinds = dict.fromkeys(self._place, "eeg")
        self.bad: list[str] = []
        self._pieces_at: dict[float, tuple[list[Piece], float]] = {}  # time stamps of a day take a while to read

    def unit(self, label: str) -> str:
        """Return the text of a channel's unit; empty where the file has none."""
        return self._header.channels["unit"][self._place[label]]

    def microvolts(self, label: str) -> float:
        """Return the microvolts in a number of a channel; NaN where the file has no unit of voltage."""
        microvolts = microvolts_per_unit(self.unit(label))
        return np.nan if microvolts is None else microvolts

    def microvolts_were_it(self, label: str, unit: str | None) -> float:
        """Return the microvolts in a number of a channel, were the file in another unit; NaN without one."""
        microvolts = None if unit is None else microvolts_per_unit(unit)
        return np.nan if microvolts is None else microvolts

    def start(self) -> datetime | None:
        """Return the clock at the first sample, if the file says so."""
        rate = next((self.rate(label) for label in self.kinds), 1.0)
        return clock_after(self._header.start, self._pieces(rate)[1])

    def _pieces(self, sfreq: float) -> tuple[list[Piece], float]:
        if sfreq not in self._pieces_at:
            self._pieces_at[sfreq] = edf_pieces(self._header, sfreq)
        return self._pieces_at[sfreq]

    def rate(self, label: str) -> float:
        """Return the sampling rate of a channel in Hz."""
        return float(self._header.rates[self._place[label]])

    def fault(self, label: str) -> str | None:
        """Say why a channel's numbers are no volts; None where they are."""
        if np.isnan(self.microvolts(label)):
            return f"physical dimension: must be one of uV, mV, V or nV (found {self.unit(label)!r})"
        if reasons := edf_checks.unscaled(self._header, [self._place[label]]):
            return f"physical, digital range: must scale each electrode (found {reasons[0]})"
        return None

    def positions(self, labels: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the places of channels in metres, of those whose place the file has."""
        return {}

    def select(self, labels: Sequence[str]) -> Signals:
        """Return some channels; see :meth:`Channels.select`."""
        header, signals = self._header, [self._place[label] for label in labels]
        edf_checks.check_rates(header, signals)
        edf_checks.check_ranges(header, signals)
        sfreq = require_rate(header.rates[signals[0]], f"{header.path}: sampling rate")
        pieces, _ = self._pieces(sfreq)
        samples = header.records * header.channels["samples"][signals[0]]
        return Signals(
            sfreq, samples, pieces, lambda start, stop: edf_samples.read_numbers(header, start, stop, signals)
        )


class MneChannels:
    """The channels of a file that MNE opened; see :class:`Channels`. EEGLAB's have no unit; microvolts are custom."""

    def __init__(self, raw: "mne.io.BaseRaw", path: Path):
        self._raw, self._path = raw, path
        self._is_eeglab = path.suffix.lower() == ".set"
        self.kinds = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
        self.bad = list(raw.info["bads"])

    def unit(self, label: str) -> str:
        """Return the text of a channel's unit; empty where the file has none."""
        return self._raw._orig_units.get(label, "")

    def microvolts(self, label: str) -> float:
        """Return the microvolts in a number of a channel; NaN where the file has no unit of voltage."""
        if self._is_eeglab:
            return np.nan
        try:
            return float(microvolts_per_value(self._raw, self._path, [label])[0])
        except InputError:
            return np.nan

    def microvolts_were_it(self, label: str, unit: str | None) -> float:
        """Return the microvolts in a number of a channel, were the file in another unit; NaN without one."""
        microvolts = None if unit is None else microvolts_per_unit(unit)
        if microvolts is None:
            return np.nan
        if self._is_eeglab:
            return microvolts * VOLTS  # MNE took the numbers for microvolts
        in_file = microvolts_per_unit(self._raw._orig_units.get(label, "uV"))
        return microvolts if in_file is None else self.microvolts(label) * microvolts / in_file

    def start(self) -> datetime | None:
        """Return the clock at the first sample, if the file says so."""
        return raw_start(self._raw, self._path)

    def rate(self, label: str) -> float:
        """Return the sampling rate of a channel in Hz."""
        return float(self._raw.info["sfreq"])

    def fault(self, label: str) -> str | None:
        """Say why a channel's numbers are no volts, or of two electrodes where the label names one; else None."""
        if self._path.suffix.lower() == ".vhdr":  # whose kinds follow from the units
            unit = self.unit(label)
            return None if np.isfinite(self.microvolts(label)) else f"unit: must be one of voltage (found {unit!r})"
        if self.kinds[label] != "eeg":
            return f"unit: must be volts, of the kind eeg (MNE found {self.kinds[label]})"
        derivation = _is_bipolar(self._raw.info["chs"][self._raw.ch_names.index(label)])
        if derivation and read_label(label, {}) is not None:
            return "must be referential (the file says bipolar)"
        return None

    def positions(self, labels: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the places of channels in metres, of those whose place the file has."""
        montage = self._raw.get_montage()
        places = {} if montage is None else montage.get_positions()["ch_pos"]
        known = {label: places[label] for label in labels if label in places and np.isfinite(places[label]).all()}
        return {label: place for label, place in known.items() if place.any()}

    def select(self, labels: Sequence[str]) -> Signals:
        """Return some channels; see :meth:`Channels.select`."""
        picks = [self._raw.ch_names.index(label) for label in labels]
        return Signals(
            float(self._raw.info["sfreq"]),
            int(self._raw.n_times),
            raw_pieces(self._raw, self._path),
            partial(self._read, picks),
        )

    def _read(self, picks: list[int], start: int, stop: int) -> np.ndarray:
        try:
            return self._raw.get_data(picks, start, stop)
        except Exception as error:  # MNE raises nearly anything on a damaged file
            raise InputError(f"{self._path}: samples: cannot be read ({type(error).__name__}: {error})") from error


def _is_bipolar(channel: Mapping[str, Any]) -> bool:
    """Say whether MNE's description of a channel says that it is a difference of two electrodes."""
    from mne._fiff.constants import FIFF

    return int(channel["coil_type"]) == FIFF.FIFFV_COIL_EEG_BIPOLAR
