"""Recordings that are there more than once: in several files, in two places, or in two formats."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy

from eegdiffusion.core.recordings.brainvision_files import companion, companions
from eegdiffusion.core.recordings.fif_checks import list_parts
from eegdiffusion.core.recordings.fif_files import previous_part
from eegdiffusion.core.recordings.mne_recording import open_raw
from eegdiffusion.core.recordings.sample_digest import sample_bytes, sample_digest
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.storage.problems import Problem

if TYPE_CHECKING:
    import mne

SEGMENTS, SEGMENT_S = 3, 10
"""Samples of two formats are compared in so many segments of so many seconds, spread over the recording."""

CORRELATION = 0.999
"""Least correlation of an electrode's samples in two formats of one recording, which are rounded differently."""

_PART = re.compile(r"(?:-\d+|_split-\d+.*)\.fif(?:\.gz)?", re.IGNORECASE)
_FIF = re.compile(r"\.fif(?:\.gz)?", re.IGNORECASE)
_NOT_CONTINUOUS = re.compile(
    r".*[-_](epo|ave|evk|eve|cov|fwd|inv|ica|src|bem|bem-sol|sol|trans|proj|psd|tfr|csd|dip|head)\.(fif|fif\.gz)",
    re.IGNORECASE,
)
_KIND_SUFFIX = re.compile(r"[-_](?:raw|eeg|meg)$", re.IGNORECASE)
_LABEL = re.compile(r"^(?:EEG|POL)[ _-]+|[ _-]+(?:REF|LE|AR|AV|AVG|CAR)$|\W")


def _open(path: Path) -> "mne.io.BaseRaw | None":
    try:
        return open_raw(path, only_look=True)
    except Exception:  # whatever is wrong with it is for its reader to say
        return None


def is_not_continuous(path: Path) -> bool:
    """Say whether a FIF file is called as MNE calls epochs, averages and the like, and is no continuous recording."""
    return bool(_NOT_CONTINUOUS.fullmatch(path.name)) and path.is_file() and _open(path) is None


def split_parts(root: Path, paths: Iterable[Path]) -> dict[Path, Path]:
    """Find the parts of split FIF recordings, which are read with their first file.

    Args:
        root: folder that the paths are relative to.
        paths: files below it.

    Returns:
        the first file of each further part; nothing for parts whose first file is not there, which are refused when
        they are read.
    """
    fifs = [path for path in paths if _FIF.search(path.name)]
    folders = {path.parent for path in fifs if _PART.search(path.name)}
    resolved = {(root / path).resolve(): path for path in fifs if path.parent in folders}
    parts: dict[Path, Path] = {}
    for path in resolved.values():
        for file in files_of(root / path)[1:] if path not in parts else ():
            part = resolved.get(file.resolve())
            if part is not None and part != path:
                parts[part] = path
    first = {part for part in parts if parts[part] in parts}  # each part leads to those after it
    for part in first | set(parts):
        while parts[part] in parts:
            parts[part] = parts[parts[part]]
    headless = {path for path in set(parts.values()) if _is_further_part(root / path)}
    return {part: path for part, path in parts.items() if path not in headless}


def first_parts(root: Path, paths: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """Leave out the further parts of split FIF recordings, which are read with their first file.

    Args:
        root: folder that the paths are relative to.
        paths: files below it.

    Returns:
        the other files; errors of parts whose first file is not there, which are left out too.
    """
    paths = list(paths)
    parts = split_parts(root, paths)
    headless = {path for path in paths if path not in parts and _PART.search(path.name)}
    headless = {path for path in headless if _is_further_part(root / path)}
    rule = "is a further part of a recording whose parts before it must lie beside it"
    problems = [Problem(path.as_posix(), "files", "file", rule) for path in sorted(headless)]
    return [path for path in paths if path not in parts and path not in headless], problems


def _is_further_part(path: Path) -> bool:
    try:
        return previous_part(path) is not None
    except Exception:  # whatever is wrong with it is for its reader to say
        return False


def files_of(path: Path) -> list[Path]:
    """Return the files that a recording consists of and that are there, or would be: its own first.

    BrainVision's has others for its samples and its markers, EEGLAB's may have one for its samples, and FIF's further
    parts. Who opens a file that is damaged says what is wrong with it.
    """
    match path.suffix.lower():
        case ".vhdr":
            usual = (companion(path, f"{path.stem}{ending}") for ending in (".eeg", ".dat", ".vmrk"))
            others = {*companions(path).values(), *usual}
        case ".set":
            others = {companion(path, f"{path.stem}.fdt")}
        case _ if _FIF.search(path.name):
            others = set(_fif_parts(path))
        case _:
            others = set()
    return [path, *sorted(other for other in others - {path} if other is not None)]


def _fif_parts(path: Path) -> list[Path]:
    try:
        return list_parts(path)
    except (InputError, OSError):
        return []


def same_stored_samples(root: Path, paths: Iterable[Path]) -> dict[Path, Path]:
    """Find recordings whose files store the same samples as those of another, whatever their headers say of them.

    Args:
        root: folder that the paths are relative to.
        paths: files below it; of those that are the same, the first counts.

    Returns:
        the first of each further one.
    """
    groups: list[list[Path]] = [list(paths)]
    kinds: list[Callable[[Path], object]] = [sample_bytes, partial(sample_digest, ends_alone=True), sample_digest]
    for kind in kinds:
        groups = [alike for group in groups for alike in _alike(root, group, kind)]
    return {path: group[0] for group in groups for path in group[1:]}


def same_bytes_or_name(root: Path, stored: Mapping[Path, Path]) -> dict[Path, Path]:
    """Find, among recordings that store the same samples, those that are copies: of the same bytes, or of one name.

    Others have a header of their own, which may say that they are something else.

    Args:
        root: folder that the paths are relative to.
        stored: see :func:`same_stored_samples`.

    Returns:
        the first of each further one.
    """
    copies: dict[Path, Path] = {}
    for first in dict.fromkeys(stored.values()):
        group = [first, *(path for path in stored if stored[path] == first)]
        for kind in (_digests, lambda path: path.name.casefold()):
            same = [alike for alike in _alike(root, [path for path in group if path not in copies], kind)]
            copies |= {path: paths[0] for paths in same for path in paths[1:]}
    return copies


def _digests(path: Path) -> tuple[str, ...]:
    return tuple(content_hash(file) for file in files_of(path))


def _alike(root: Path, paths: list[Path], kind: Callable[[Path], object]) -> list[list[Path]]:
    """Group files that are alike in something, which those without samples are not."""
    groups: dict[object, list[Path]] = defaultdict(list)
    for path in paths:
        try:
            groups[kind(root / path)].append(path)
        except (OSError, InputError):
            continue  # its reader says why
    return [group for value, group in groups.items() if len(group) > 1 and value]


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


def _is_same(first: "mne.io.BaseRaw | None", other: "mne.io.BaseRaw | None") -> bool:
    if first is None or other is None:
        return False
    rates = [float(raw.info["sfreq"]) for raw in (first, other)]
    durations_s = [raw.n_times / rate for raw, rate in zip((first, other), rates, strict=True)]
    # EDF fills its last record, which is a second long or so.
    if abs(durations_s[0] - durations_s[1]) > 2:
        return False
    pairs = _paired_channels(first.ch_names, other.ch_names)
    length_s = int(min(*durations_s, SEGMENT_S))  # whole seconds begin at a sample of either rate
    if not pairs or not length_s:
        return False
    try:
        for start_s in np.linspace(0, int(min(durations_s)) - length_s, SEGMENTS).astype(int).tolist():
            segments = [
                raw.get_data([pair[k] for pair in pairs], round(start_s * rate), round((start_s + length_s) * rate))
                for k, (raw, rate) in enumerate(zip((first, other), rates, strict=True))
            ]
            if abs(rates[0] - rates[1]) > 1e-3 * rates[0]:
                segments = _at_one_rate(segments, rates)
            if not _correlated(*segments):
                return False
    except Exception:  # whatever is wrong with it is for its reader to say
        return False
    return True


def _at_one_rate(segments: list[np.ndarray], rates: list[float]) -> list[np.ndarray]:
    """Bring (channels, samples) to the lower rate and to frequencies that either filter of a resampling has left."""
    lower = min(rates)
    course = scipy.signal.butter(4, min(40.0, 0.3 * lower), "lowpass", fs=lower, output="sos")
    brought = []
    for segment, rate in zip(segments, rates, strict=True):
        ratio = Fraction(lower / rate).limit_denominator(1000)
        resampled = scipy.signal.resample_poly(segment, ratio.numerator, ratio.denominator, axis=1, padtype="line")
        edge = resampled.shape[1] // 10  # where filters know one side alone
        brought.append(scipy.signal.sosfiltfilt(course, resampled, axis=1)[:, edge:-edge])
    samples = min(segment.shape[1] for segment in brought)
    return [segment[:, :samples] for segment in brought]


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
