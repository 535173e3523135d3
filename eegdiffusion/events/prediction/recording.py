"""A recording of any lab, read as the 19 electrodes that the montage needs, or refused."""

import re
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import mne
import numpy as np

from eegdiffusion.core.recordings import edf_header
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.events.corpora import recording_checks

READERS = {
    ".edf": mne.io.read_raw_edf,
    ".bdf": mne.io.read_raw_bdf,
    ".vhdr": mne.io.read_raw_brainvision,
    ".fif": mne.io.read_raw_fif,
    ".fif.gz": mne.io.read_raw_fif,
}

SAME_PLACE = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
"""The 10-10 system's names of electrodes that the 10-20 system, and the montage, call otherwise."""

# A common reference cancels in a derivation. MNE numbers labels that occur twice.
_LABEL = re.compile(r"(?:EEG[ _-]?)?([A-Z]{1,2}(?:\d{1,2}|Z))(?:[ -](REF|LE|AR|AVG|AV|CAR))?(?:-\d)?")

_LOST = re.compile(r"does not match|truncated|incomplete|end of file", re.IGNORECASE)
"""What MNE's warnings say of files that end too early."""


@dataclass(frozen=True)
class ElectrodeRecording:
    """The electrodes of a recording.

    Attributes:
        path: its file.
        signals: (19, samples) float64 in volts, in the order of ``ELECTRODES``.
        rate_hz: sampling rate.
        start: when it began, if the file says so.
        reading_s: seconds that reading it took.
    """

    path: Path
    signals: np.ndarray
    rate_hz: float
    start: datetime | None
    reading_s: float


def electrode(label: str, rename: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return electrode and reference of a label such as ``EEG FP1-REF``, ``Fp1`` or ``T7``; None where it names none.

    Args:
        label: label of a channel.
        rename: names that stand for electrodes, upper-case.
    """
    text = label.strip().upper()
    if text in rename:
        return rename[text], None
    match = _LABEL.fullmatch(text)
    if not match:
        return None, None
    name = rename.get(match[1], match[1])
    return SAME_PLACE.get(name, name), match[2]


def _choose(path: Path, labels: list[str], rename: Mapping[str, str]) -> list[int]:
    """Return the positions of the 19 electrodes among the labels."""
    electrodes = [electrode(label, rename) for label in labels]
    names = [name for name, _ in electrodes]
    missing = [name for name in ELECTRODES if name not in names]
    if missing:
        raise InputError(
            f"{path}: channels: the montage needs {', '.join(missing)}, referential (found {', '.join(labels)}); "
            f"--rename OTHER={missing[0]} names an electrode that is called otherwise"
        )
    twice = [name for name in ELECTRODES if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: channels: {', '.join(twice)} must occur once (found {', '.join(labels)})")
    chosen = [names.index(name) for name in ELECTRODES]
    references = {electrodes[k][1] for k in chosen}
    if len(references) > 1:
        listed = ", ".join(labels[k] for k in chosen)
        raise InputError(f"{path}: channels: must have one reference, which cancels in a derivation (found {listed})")
    return chosen


def _refuse(path: Path, findings: Iterable[tuple[str, str, str, str]]) -> None:
    for _, field, message, severity in findings:
        if severity == "error":
            raise InputError(f"{path}: {field}: {message}")


def _edf_labels(path: Path, rename: Mapping[str, str]) -> list[str]:
    """Return the labels of the electrodes in an EDF or BDF file whose header keeps the rules."""
    header = edf_header.read_header(path)
    chosen = _choose(path, header.labels, rename)
    _refuse(path, recording_checks.check_extent(header))
    _refuse(path, recording_checks.check_signals(header, chosen))
    return [header.labels[k] for k in chosen]


def _open(path: Path, ending: str, **options) -> mne.io.BaseRaw:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = READERS[ending](path, verbose="warning", **options)
        except Exception as error:  # MNE's readers raise all kinds for files that are none
            raise InputError(f"{path}: file: MNE cannot read it ({type(error).__name__}: {error})") from error
    for warning in caught:
        if _LOST.search(str(warning.message)):
            raise InputError(f"{path}: file: must be whole (MNE says: {warning.message})")
    return raw


def ending_of(path: Path) -> str | None:
    """Return the ending of a file that is one of ``READERS``."""
    return next((ending for ending in READERS if path.name.lower().endswith(ending)), None)


def read_recording(path: Path, rename: Mapping[str, str]) -> ElectrodeRecording:
    """Read the electrodes of a recording.

    Args:
        path: an EDF, BDF, BrainVision (``.vhdr``) or FIF file.
        rename: further names of electrodes, e.g. ``{"M1": "A1"}``.

    Raises:
        InputError: the recording cannot be used; the message names file, channel or field, and rule.
    """
    ending, begin = ending_of(path), time.monotonic()
    if ending is None:
        raise InputError(f"{path}: file: must be one of {', '.join(READERS)}")
    if not path.is_file():
        raise InputError(f"{path}: file: there is no such file")
    if ending in (".edf", ".bdf"):
        labels = _edf_labels(path, rename)
        raw = _open(path, ending, include=labels)
    else:
        raw = _open(path, ending)
        labels = [raw.ch_names[k] for k in _choose(path, raw.ch_names, rename)]
    for label, kind in zip(labels, raw.get_channel_types(labels), strict=True):
        if kind != "eeg":
            raise InputError(f"{path}: {label}: unit: must be volts, of the kind eeg (MNE found {kind})")
    bad = [label for label in labels if label in raw.info["bads"]]
    if bad:
        raise InputError(f"{path}: {', '.join(bad)}: the file marks the channel as bad; every electrode must be good")
    try:
        signals = raw.get_data(labels)
    except Exception as error:
        raise InputError(f"{path}: file: MNE cannot read its samples ({type(error).__name__}: {error})") from error
    _check_signals(path, signals, rate_hz := float(raw.info["sfreq"]))
    return ElectrodeRecording(path, signals, rate_hz, raw.info["meas_date"], time.monotonic() - begin)


def require_rate(recording: ElectrodeRecording, high_hz: float) -> None:
    """Check that the rate of a recording allows the band-pass that is to follow, up to ``high_hz``.

    Raises:
        InputError: it does not.
    """
    _refuse(recording.path, recording_checks.check_rate(recording.rate_hz, high_hz))


def _check_signals(path: Path, signals: np.ndarray, rate_hz: float) -> None:
    finite = np.isfinite(signals).all(axis=1)
    if not finite.all():
        names = [name for name, good in zip(ELECTRODES, finite, strict=True) if not good]
        raise InputError(f"{path}: {', '.join(names)}: signal: must be finite (found NaN or infinity)")
    length = min(signals.shape[1], round(recording_checks.SEGMENT_S * rate_hz))
    starts = np.linspace(0, signals.shape[1] - length, recording_checks.SEGMENTS).astype(int)
    segments = np.stack([signals[:, start : start + length] for start in starts]) * 1e6
    _refuse(path, recording_checks.check_amplitude(segments))
