"""Recordings that are there more than once: in several files, in two places, or in two formats."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegdiffusion.core.runtime.hashing import content_hash

if TYPE_CHECKING:
    import mne

SAMPLED_BYTES = 65536
"""Of files of one size these are compared first, at the beginning and at the end."""

SEGMENTS, SEGMENT_S = 3, 10
"""Samples of two formats are compared in so many segments of so many seconds, spread over the recording."""

CORRELATION = 0.999
"""Least correlation of an electrode's samples in two formats of one recording, which are rounded differently."""

_DATA_FILE = re.compile(rb"^\s*(?:DataFile|MarkerFile)\s*=\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_PART = re.compile(r"(?:-\d+|_split-\d+.*)\.fif(?:\.gz)?", re.IGNORECASE)
_FIF = re.compile(r"\.fif(?:\.gz)?", re.IGNORECASE)
_NOT_CONTINUOUS = re.compile(
    r".*[-_](epo|ave|evk|eve|cov|fwd|inv|ica|src|bem|bem-sol|sol|trans|proj|psd|tfr|csd|dip|head)\.(fif|fif\.gz)",
    re.IGNORECASE,
)
_KIND_SUFFIX = re.compile(r"[-_](?:raw|eeg|meg)$", re.IGNORECASE)
_LABEL = re.compile(r"^(?:EEG|POL)[ _-]+|[ _-]+(?:REF|LE|AR|AV|AVG|CAR)$|\W")


def _open_fif(path: Path) -> "mne.io.BaseRaw | None":
    import mne

    try:
        return mne.io.read_raw_fif(path, allow_maxshield=True, on_split_missing="ignore", verbose="error")
    except Exception:  # whatever is wrong with it is for its reader to say
        return None


def is_not_continuous(path: Path) -> bool:
    """Say whether a FIF file is called as MNE calls epochs, averages and the like, and is no continuous recording."""
    return bool(_NOT_CONTINUOUS.fullmatch(path.name)) and path.is_file() and _open_fif(path) is None


def split_parts(root: Path, paths: Iterable[Path]) -> dict[Path, Path]:
    """Find the parts of split FIF recordings, which are read with their first file.

    Args:
        root: folder that the paths are relative to.
        paths: files below it.

    Returns:
        the first file of each further part.
    """
    fifs = [path for path in paths if _FIF.search(path.name)]
    folders = {path.parent for path in fifs if _PART.search(path.name)}
    resolved = {(root / path).resolve(): path for path in fifs if path.parent in folders}
    parts: dict[Path, Path] = {}
    for path in resolved.values():
        raw = _open_fif(root / path) if path not in parts else None
        for name in raw.filenames[1:] if raw is not None else ():
            part = resolved.get(Path(str(name)).resolve())
            if part is not None and part != path:
                parts[part] = path
    first = {part for part in parts if parts[part] in parts}  # each part leads to those after it
    for part in first | set(parts):
        while parts[part] in parts:
            parts[part] = parts[parts[part]]
    return parts


def files_of(path: Path) -> list[Path]:
    """Return the files that a recording consists of: BrainVision's has others for its samples and its markers."""
    if path.suffix.lower() != ".vhdr":
        return [path]
    with path.open("rb") as file:
        text = file.read(1 << 20)
    names = [match.decode("utf-8", "surrogateescape") for match in _DATA_FILE.findall(text)]
    others = [path.with_name(name.replace("$b", path.stem)) for name in names if "/" not in name and "\\" not in name]
    others += [path.with_suffix(ending) for ending in (".eeg", ".dat", ".vmrk")]
    return [path, *sorted({other for other in others if other.is_file() and other != path})]


def same_bytes(root: Path, paths: Iterable[Path]) -> dict[Path, Path]:
    """Find recordings whose files have the same bytes as those of another.

    Args:
        root: folder that the paths are relative to.
        paths: files below it; of those that are the same, the first counts.

    Returns:
        the first of each further one.
    """
    by_size: dict[tuple[int, ...], list[Path]] = defaultdict(list)
    for path in paths:
        try:
            by_size[tuple(file.stat().st_size for file in files_of(root / path))].append(path)
        except OSError:
            continue  # its reader says why
    copies: dict[Path, Path] = {}
    for sizes, same_size in by_size.items():
        if len(same_size) > 1 and any(sizes):
            copies |= _same_digest(root, _alike(root, same_size))
    return copies


def _alike(root: Path, paths: list[Path]) -> list[list[Path]]:
    """Group files of one size by their beginnings and ends."""
    groups: dict[bytes, list[Path]] = defaultdict(list)
    for path in paths:
        try:
            groups[b"".join(_ends(file) for file in files_of(root / path))].append(path)
        except OSError:
            continue
    return [group for group in groups.values() if len(group) > 1]


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        begin = file.read(SAMPLED_BYTES)
        file.seek(max(0, path.stat().st_size - SAMPLED_BYTES))
        return hashlib.sha256(begin + file.read(SAMPLED_BYTES)).digest()


def _same_digest(root: Path, groups: list[list[Path]]) -> dict[Path, Path]:
    copies: dict[Path, Path] = {}
    for group in groups:
        first: dict[tuple[str, ...], Path] = {}
        for path in group:
            try:
                digest = tuple(content_hash(file) for file in files_of(root / path))
            except OSError:
                continue
            if first.setdefault(digest, path) != path:
                copies[path] = first[digest]
    return copies


def same_samples(root: Path, endings: Mapping[Path, str], known: Collection[Path]) -> dict[Path, Path]:
    """Find recordings that are there in two formats: files of one name but for the ending that hold the same samples.

    A name's ``_raw``, ``_eeg`` or ``_meg`` does not count, nor does its folder.

    Args:
        root: folder that the paths are relative to.
        endings: the ending of each file, in the order in which they count.
        known: files that are copies of others for another reason, for which none is looked for.

    Returns:
        the first of each further one.
    """
    named: dict[str, list[Path]] = defaultdict(list)
    for path, ending in endings.items():
        named[_KIND_SUFFIX.sub("", path.name[: -len(ending)]).casefold()].append(path)
    copies: dict[Path, Path] = {}
    for group in named.values():
        if len({endings[path] for path in group}) < 2 or all(path in known for path in group):
            continue
        raws = {path: _open(root / path) for path in group}
        for k, path in enumerate(group):
            others = [other for other in group[:k] if other not in copies and endings[other] != endings[path]]
            same = (other for other in others if _is_same(raws[other], raws[path]))
            if path not in known and (first := next(same, None)):
                copies[path] = first
    return copies


def _open(path: Path) -> "mne.io.BaseRaw | None":
    import mne

    readers = {".edf": mne.io.read_raw_edf, ".bdf": mne.io.read_raw_bdf, ".vhdr": mne.io.read_raw_brainvision}
    try:
        reader = readers.get(path.suffix.lower())
        return reader(path, verbose="error") if reader else _open_fif(path)
    except Exception:  # whatever is wrong with it is for its reader to say
        return None


def _is_same(first: "mne.io.BaseRaw | None", other: "mne.io.BaseRaw | None") -> bool:
    if first is None or other is None:
        return False
    rate = first.info["sfreq"]
    # EDF fills its last record, which is a second long or so.
    if abs(rate - other.info["sfreq"]) > 1e-3 * rate or abs(first.n_times - other.n_times) > 2 * rate:
        return False
    pairs = _paired_channels(first.ch_names, other.ch_names)
    samples = min(first.n_times, other.n_times)
    length = min(samples, round(SEGMENT_S * rate))
    if not pairs or not length:
        return False
    try:
        for start in np.linspace(0, samples - length, SEGMENTS).astype(int):
            signals = first.get_data([a for a, _ in pairs], start, start + length)
            other_signals = other.get_data([b for _, b in pairs], start, start + length)
            if not _correlated(signals, other_signals):
                return False
    except Exception:  # whatever is wrong with it is for its reader to say
        return False
    return True


def _paired_channels(first: list[str], other: list[str]) -> list[tuple[int, int]]:
    """Pair channels that are called alike, if most are."""
    place = {_LABEL.sub("", name.upper()): k for k, name in enumerate(other)}
    pairs = [(k, place[label]) for k, name in enumerate(first) if (label := _LABEL.sub("", name.upper())) in place]
    return pairs if 2 * len(pairs) >= min(len(first), len(other)) else []


def _correlated(first: np.ndarray, other: np.ndarray) -> bool:
    """Say whether nearly all channels that vary have the same course: (channels, samples) each."""
    first, other = (signals - signals.mean(axis=1, keepdims=True) for signals in (first, other))
    power = np.sqrt((first**2).sum(axis=1) * (other**2).sum(axis=1))
    varying = np.isfinite(power) & (power > 0)
    if not varying.any():
        return False
    correlation = (first * other).sum(axis=1)[varying] / power[varying]
    return bool(np.mean(correlation > CORRELATION) >= 0.9)
