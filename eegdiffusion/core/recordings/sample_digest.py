"""What files hold of samples, without the headers around them: copies that were renamed or made anonymous are alike."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eegdiffusion.core.recordings.brainvision_files import data_file
from eegdiffusion.core.recordings.edf_header import ANNOTATIONS, Header, read_header
from eegdiffusion.core.runtime.errors import InputError

_BLOCK_BYTES = 1 << 22

SAMPLED_BYTES = 65536
"""So much is compared first, at the beginning and at the end."""


def _header(path: Path) -> Header | None:
    """Return the header of an EDF or BDF file that holds whole records; None of any other file."""
    try:
        header = read_header(path) if path.suffix.lower() in (".edf", ".bdf") else None
    except InputError:  # its reader says why
        return None
    return header if header and header.whole_records else None


def _samples_file(path: Path) -> Path:
    apart = data_file(path) if path.suffix.lower() == ".vhdr" else None
    return apart or path


def sample_bytes(path: Path) -> int:
    """Return how many bytes of samples a recording has; of a format whose samples lie among other things, all bytes."""
    header = _header(path)
    if header is None:
        return _samples_file(path).stat().st_size
    return header.whole_records * int(_kept(header).sum())


def _kept(header: Header) -> np.ndarray:
    """Return which bytes of a data record are samples, (bytes,) bool: annotations are no samples."""
    kept = [label.upper() not in ANNOTATIONS for label in header.labels]
    return np.repeat(kept, [header.sample_bytes * samples for samples in header.channels["samples"]])


def _blocks(path: Path, ends_alone: bool) -> Iterator[bytes]:
    header = _header(path)
    with _samples_file(path).open("rb") as file:
        size = file.seek(0, 2)
        begin, stop, unit = (0, size, 1)
        if header:
            begin, unit = header.size, header.record_bytes
            stop = begin + header.whole_records * unit
        step = max(1, (SAMPLED_BYTES if ends_alone else _BLOCK_BYTES) // unit) * unit
        last = begin + max(0, (stop - begin - step) // unit * unit)
        for position in sorted({begin, last}) if ends_alone else range(begin, stop, step):
            file.seek(position)
            block = file.read(min(step, stop - position))
            yield np.frombuffer(block, np.uint8).reshape(-1, unit)[:, _kept(header)].tobytes() if header else block


def sample_digest(path: Path, ends_alone: bool = False) -> str:
    """Return the SHA-256 of a recording's samples, as stored.

    Args:
        path: an EDF, BDF, BrainVision (``.vhdr``) or other file; of another, all bytes count.
        ends_alone: whether only the beginning and the end are read.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    for block in _blocks(path, ends_alone):
        digest.update(block)
    return digest.hexdigest()
