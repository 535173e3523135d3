"""The header of an EDF or BDF file, and a few samples of EDF, read without trusting either.

Layout: Kemp et al., "A simple format for exchange of digitized polygraphic recordings", 1992.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError

UNITS_UV = {"uV": 1.0, "µV": 1.0, "mV": 1e3, "V": 1e6, "nV": 1e-3}
"""Microvolts in each physical dimension."""

_FIELDS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "prefilter": 80,
    "samples": 8,
    "reserved": 32,
}


@dataclass(frozen=True)
class Header:
    """Header of an EDF file, or of BioSemi's BDF, whose samples have 24 bits.

    Attributes:
        path: the file.
        patient: local patient identification.
        kind: ``EDF+C``, ``EDF+D`` (``BDF+C``, ``BDF+D``), or something else where there is no timekeeping.
        sample_bytes: 2, or 3 in BDF.
        size: bytes of the header.
        records: number of data records; -1 where the recorder did not say.
        record_s: length of a data record in seconds.
        channels: the signals' fields, by name, one value a signal.
    """

    path: Path
    patient: str
    kind: str
    size: int
    records: int
    record_s: float
    channels: dict[str, list]
    sample_bytes: int = 2

    @property
    def labels(self) -> list[str]:
        """Names of the signals."""
        return self.channels["label"]

    @cached_property
    def rates(self) -> list[float]:
        """Sampling rate of each signal in Hz."""
        return [samples / self.record_s for samples in self.channels["samples"]]

    @cached_property
    def record_bytes(self) -> int:
        """Bytes of a data record."""
        return self.sample_bytes * sum(self.channels["samples"])

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return self.records * self.record_s

    def read(self, first: int, count: int, signals: list[int]) -> np.ndarray:
        """Read some data records of an EDF file's signals that share a rate: (signals, samples) in microvolts."""
        with self.path.open("rb") as file:
            file.seek(self.size + first * self.record_bytes)
            raw = np.frombuffer(file.read(count * self.record_bytes), "<i2").reshape(-1, self.record_bytes // 2)
        ends = np.cumsum(self.channels["samples"])
        signals_uv = []
        for k in signals:
            digital = raw[:, ends[k] - self.channels["samples"][k] : ends[k]].ravel().astype(float)
            low, high = self.channels["digital_min"][k], self.channels["digital_max"][k]
            physical_low, physical_high = self.channels["physical_min"][k], self.channels["physical_max"][k]
            physical = (digital - low) * (physical_high - physical_low) / (high - low) + physical_low
            signals_uv.append(physical * UNITS_UV[self.channels["unit"][k]])
        return np.array(signals_uv)


def _read_number[Number: (int, float)](path: Path, field: str, text: str, kind: type[Number]) -> Number:
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{path}: {field}: must be a number (found {text!r})") from None


def _read_channels(path: Path, text: str, count: int) -> dict[str, list]:
    """Return the fields of ``count`` signals by name, one value a signal, from the header's second part."""
    channels: dict[str, list] = {}
    at = 0
    for field, width in _FIELDS.items():
        values: list = [text[at + k * width : at + (k + 1) * width].strip() for k in range(count)]
        if field.startswith(("physical", "digital")):
            values = [_read_number(path, field, value, float) for value in values]
        elif field == "samples":
            values = [_read_number(path, "samples per record", value, int) for value in values]
        channels[field] = values
        at += width * count
    return channels


def read_header(path: Path) -> Header:
    """Read the header of an EDF or BDF file.

    Raises:
        InputError: the file is no EDF file; the message names file, field and rule.
    """
    if not path.is_file():
        raise InputError(f"{path}: file: there is no such file")
    with path.open("rb") as file:
        fixed = file.read(256).decode("latin-1")
        bdf = fixed[:8] == "\xffBIOSEMI"
        if len(fixed) < 256 or not (bdf or fixed[:8].strip() == "0"):
            raise InputError(f"{path}: header: must begin with EDF's version 0 and hold 256 bytes")
        count = _read_number(path, "number of signals", fixed[252:256], int)
        text = file.read(256 * max(count, 0)).decode("latin-1")
    if count < 1 or len(text) < 256 * count:
        raise InputError(f"{path}: header: ends within the description of its {count} signals")
    channels = _read_channels(path, text, count)
    header = Header(
        path,
        fixed[8:88].strip(),
        fixed[192:197].strip(),
        _read_number(path, "header size", fixed[184:192], int),
        _read_number(path, "number of records", fixed[236:244], int),
        _read_number(path, "record duration", fixed[244:252], float),
        channels,
        3 if bdf else 2,
    )
    if header.size != 256 * (count + 1):
        raise InputError(f"{path}: header size: must be {256 * (count + 1)} for {count} signals (found {header.size})")
    if not 0 < header.record_s < float("inf") or min(channels["samples"]) < 1:
        raise InputError(f"{path}: record: its duration and its samples of each signal must be positive")
    return header
