"""Small recordings of every format, as devices write them, for tests."""

from collections.abc import Sequence
from pathlib import Path

import edfio
import mne
import numpy as np

from eegdiffusion.core.signal.montage import ELECTRODES
from tests.tuev_fixture import signals

NAMES = [f"Fp{n[2:]}" if n.startswith("FP") else n.title() for n in ELECTRODES]
"""The montage's electrodes as the 10-20 system spells them."""


def raw_array(names: Sequence[str] = NAMES, data: np.ndarray | None = None, rate: float = 250.0) -> mne.io.RawArray:
    """Return channels of EEG in memory; ``data`` (channels, samples) in volts."""
    data = signals(list(names), 14, rate) * 1e-6 if data is None else data
    return mne.io.RawArray(data, mne.create_info(list(names), rate, "eeg"), verbose="error")


def write_brainvision(
    path: Path, raw: mne.io.BaseRaw, markers: Sequence[str] = (), unit: str = "µV", scale: float = 1e6
) -> None:
    """Write a recording as BrainVision; ``scale`` is the unit's per volt, ``markers`` lines of the marker file."""
    path.with_suffix(".eeg").write_bytes((raw.get_data().T * scale).astype("<f4").tobytes())
    channels = "\n".join(f"Ch{k + 1}={name},,1,{unit}" for k, name in enumerate(raw.ch_names))
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\n"
        f"DataFile={path.stem}.eeg\n[Marker Infos]\n" + "".join(f"{line}\n" for line in markers)
    )
    path.write_text(
        f"Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(raw.ch_names)}\nSamplingInterval={1e6 / raw.info['sfreq']:g}\n"
        f"[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n{channels}\n",
        encoding="utf-8",
    )


def write_stamped(
    path: Path,
    stamps: Sequence[float | bytes],
    kind: str = "EDF+D",
    data: np.ndarray | None = None,
    rate: float = 250.0,
) -> None:
    """Write an EDF+ file of records of a second, with these time stamps, whatever ``kind`` the header says.

    Args:
        path: file to write.
        stamps: seconds after the header's start at which each record begins, or what its annotations hold.
        kind: what the header calls the file.
        data: (19, samples) in microvolts of the montage's electrodes; noise by default.
        rate: samples in a record.
    """
    data = signals(ELECTRODES, len(stamps), rate) if data is None else data
    bound = float(np.abs(data).max()) * 1.01
    electrodes = [
        edfio.EdfSignal(row, rate, label=f"EEG {name}-REF", physical_dimension="uV", physical_range=(-bound, bound))
        for name, row in zip(ELECTRODES, data, strict=True)
    ]
    edfio.Edf(electrodes, annotations=[edfio.EdfAnnotation(0, None, "x" * 40)], data_record_duration=1).write(path)
    content = bytearray(path.read_bytes())
    content[192:197] = kind.ljust(5).encode()
    size, records = int(content[184:192]), int(content[236:244])
    assert records == len(stamps)
    record_bytes = (len(content) - size) // records
    first = round(2 * 19 * rate)  # the annotations come last
    for k, stamp in enumerate(stamps):
        text = stamp if isinstance(stamp, bytes) else f"{stamp:+.10g}\x14\x14\0".encode()
        at = size + k * record_bytes + first
        content[at : at + record_bytes - first] = text.ljust(record_bytes - first, b"\0")
    path.write_bytes(content)


def write_annotated_edf(
    path: Path, labels: Sequence[str], data: np.ndarray, rate: float, notes: Sequence[tuple[float, float, str]] = ()
) -> None:
    """Write an EDF file, EDF+ where it has annotations.

    Args:
        path: file to write; its folder is made.
        labels: labels of the channels.
        data: (channels, samples) in microvolts.
        rate: sampling rate in Hz.
        notes: onset, duration and text of each annotation.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bound = float(np.abs(data).max()) * 1.01
    parts = [
        edfio.EdfSignal(row, rate, label=label, physical_dimension="uV", physical_range=(-bound, bound))
        for label, row in zip(labels, data, strict=True)
    ]
    annotations = [edfio.EdfAnnotation(onset, duration, text) for onset, duration, text in notes]
    edfio.Edf(parts, annotations=annotations or None).write(path)
