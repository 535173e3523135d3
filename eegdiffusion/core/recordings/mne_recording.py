"""Opening of recordings with MNE: what a file promises is checked first, and where its samples lie afterwards."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from weakref import finalize

from eegdiffusion.core.recordings.brainvision_files import open_brainvision
from eegdiffusion.core.recordings.edf_header import read_header
from eegdiffusion.core.recordings.fif_files import open_fif
from eegdiffusion.core.recordings.matlab_checks import check_matlab
from eegdiffusion.core.runtime.errors import InputError

if TYPE_CHECKING:
    import mne

RATES_HZ = (1e-3, 1e6)
"""Least and largest sampling rate of a recording."""

LEAST_BYTES = 2
"""Bytes of a value in the formats that have their samples in a file of their own."""


def require_rate(rate_hz: float, where: str) -> float:
    """Return a sampling rate in Hz.

    Args:
        rate_hz: the rate.
        where: file and field, for the error.

    Raises:
        InputError: it is not one that recorders have.
    """
    low, high = RATES_HZ
    if not low <= rate_hz <= high:
        raise InputError(f"{where}: must be from {low:g} to {high:g} Hz (found {rate_hz:g})")
    return float(rate_hz)


def open_raw(path: Path, *, verbose: str = "error", only_look: bool = False) -> "mne.io.BaseRaw":
    """Open an EDF, BDF, BrainVision, EEGLAB or FIF recording with MNE, its samples staying on disk where MNE can.

    Args:
        path: the file; its ending may be in upper case.
        verbose: MNE's level of messages.
        only_look: whether the recording is not to be used: a split one may lack its later parts, and one of MaxShield
            is opened.

    Raises:
        InputError: MNE cannot read it, it promises more than it has, or it leads to files of another folder.
    """
    try:
        raw, opened = _open(path, verbose, only_look)
    except InputError:
        raise
    except Exception as error:  # MNE raises nearly anything on a damaged file
        raise InputError(f"{path}: file: MNE cannot read it ({type(error).__name__}: {error})") from error
    require_rate(float(raw.info["sfreq"]), f"{path}: sampling rate")
    if path.suffix.lower() in (".vhdr", ".set") and not raw.preload:
        _check_data_file(raw, path, opened)
    return raw


def _open(path: Path, verbose: str, only_look: bool) -> "tuple[mne.io.BaseRaw, Path]":
    import mne

    match path.suffix.lower():
        case ".vhdr":
            return open_brainvision(path), path
        case ".set":
            check_matlab(path)
            return _open_eeglab(path)
        case ".edf" | ".bdf":
            header = read_header(path)
            if header.whole_records < 1:
                raise InputError(f"{path}: number of records: must be positive (found none that is whole)")
            read = mne.io.read_raw_bdf if path.suffix.lower() == ".bdf" else mne.io.read_raw_edf
            return read(path, preload=False, verbose=verbose), path
    missing = "ignore" if only_look else "raise"
    return open_fif(path, allow_maxshield=only_look, on_split_missing=missing, verbose=verbose), path


def _open_eeglab(path: Path) -> "tuple[mne.io.BaseRaw, Path]":
    """Open an EEGLAB file, whose ending and that of its data MNE takes in lower case alone."""
    import mne

    if path.suffix == ".set":
        return mne.io.read_raw_eeglab(path, preload=False, verbose="ERROR"), path
    folder = TemporaryDirectory()
    for file in path.parent.iterdir():
        if file.stem == path.stem and file.suffix.lower() in (".set", ".fdt"):
            Path(folder.name, file.stem + file.suffix.lower()).symlink_to(file.resolve())
    opened = Path(folder.name, f"{path.stem}.set")
    raw = mne.io.read_raw_eeglab(opened, preload=False, verbose="ERROR")
    finalize(raw, folder.cleanup)  # the links serve as long as samples are read
    return raw, opened


def _check_data_file(raw: "mne.io.BaseRaw", path: Path, opened: Path) -> None:
    """Check that the samples of a recording lie beside it, as many as it promises."""
    size = 0
    for data in map(Path, raw.filenames):
        if path.suffix.lower() == ".set" and data.absolute().parent != opened.absolute().parent:
            raise InputError(f"{path}: data: must name a file beside it (found {data})")
        size += data.stat().st_size
    if raw.n_times * len(raw.ch_names) * LEAST_BYTES > size:
        raise InputError(
            f"{path}: samples: must be in the file (promises {raw.n_times} of {len(raw.ch_names)} channels, found "
            f"{size} bytes)"
        )
