"""THINGS-EEG2 (Gifford et al. 2022): raw sessions, both preprocessed containers, and its set of images."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.recordings.amplitude import read_segments, require_eeg_amplitude
from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.named_files import file_below
from eegdiffusion.core.storage.pickles.document_fields import FieldKind
from eegdiffusion.core.storage.pickles.mapped_pickle import read_mapping
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.images.corpora.image_corpus import Block, Continuous, Corpus, subject_name

CHANNELS = [
    "Fp1", "Fp2", "AF7", "AF3", "AFz", "AF4", "AF8", "F7", "F5", "F3", "F1", "F2",
    "F4", "F6", "F8", "FT9", "FT7", "FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6",
    "FT8", "FT10", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8", "TP9",
    "TP7", "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8", "TP10", "P7", "P5",
    "P3", "P1", "Pz", "P2", "P4", "P6", "P8", "PO7", "PO3", "POz", "PO4", "PO8",
    "O1", "Oz", "O2",
]  # fmt: skip
"""The 63 electrodes (Fz was the reference), in the order that NICE and ATM use."""

TARGET = 99999
"""Condition of catch trials, which show no image of the set."""

SESSIONS = 4
"""Number of sessions of a subject, whose labels are their numbers."""

PARTS = ("training", "test")
"""Partitions, which are recorded into files of their own."""

IMAGES = "image_metadata.npy"
"""Name of the file that lists the images."""

RAW, PREPROCESSED = "raw_eeg_{}.npy", "preprocessed_eeg_{}.npy"
"""Names of the files of a partition."""

RAW_FIELDS: dict[str, FieldKind] = {
    "raw_eeg_data": "numbers",
    "ch_names": "texts",
    "ch_types": "texts",
    "sfreq": "number",
}
PREPROCESSED_FIELDS: dict[str, FieldKind] = {
    "preprocessed_eeg_data": "numbers",
    "ch_names": "texts",
    "times": "numbers",
}
"""Fields of a file of either kind, and what they are."""


def read_images(root: Path) -> pandas.DataFrame:
    """Read ``image_metadata.npy``: the training images, then the test images, in the order of their conditions.

    Args:
        root: folder of ``image_metadata.npy``, ``training_images`` and ``test_images``.

    Returns:
        name, concept (THINGS' own number and name, which the folders' local numbers are not), partition, file.

    Raises:
        InputError: the file is missing, or its lists differ in length.
    """
    path = root / IMAGES
    kinds = ("img_concepts", "img_concepts_THINGS", "img_files")
    document = read_mapping(path, {f"{part}_{kind}": "texts" for part in ("train", "test") for kind in kinds})
    rows = []
    for part, folder in (("train", "training"), ("test", "test")):
        local, things, files = (document[f"{part}_{kind}"] for kind in kinds)
        if not len(local) == len(things) == len(files):
            raise InputError(
                f"{path}: {part}_img_*: must be of one length (found {len(local)}, {len(things)}, {len(files)})"
            )
        rows += [
            {
                "name": Path(file).stem,
                "concept": concept,
                "partition": folder,
                "file": str(
                    file_below(root / f"{folder}_images", f"{concept_folder}/{file}", f"{path}: {part}_img_files")
                ),
            }
            for concept_folder, concept, file in zip(local, things, files, strict=True)
        ]
    return pandas.DataFrame(rows)


def find_image_root(root: Path) -> Path:
    """Find the folder of ``image_metadata.npy``: the corpus's root, or a folder in it.

    Raises:
        InputError: neither holds the file.
    """
    paths = [root / IMAGES, *sorted(root.glob(f"*/{IMAGES}"))]
    for path in paths:
        if path.is_file():
            return path.parent
    raise InputError(f"{root}: holds no {IMAGES}, nor does a folder in it; set the corpus's images")


def find_onsets(stim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find where the stimulus channel goes to a condition.

    Args:
        stim: (samples,) stimulus channel, 0 where nothing begins.

    Returns:
        (events,) sample of each onset; (events,) its condition, catch trials among them.
    """
    stim = np.asarray(stim).round().astype(np.int64)
    where = np.flatnonzero((stim != 0) & (stim != np.concatenate([[0], stim[:-1]])))
    return where, stim[where]


def _session_label(path: Path) -> str:
    """Read the label of a session from the folder of a raw file: ``01`` of ``ses-01``, ``2`` of ``session 2``."""
    name = path.parent.name
    label = re.fullmatch(r"ses-([A-Za-z0-9+]+)", name) or re.search(r"(\d+)", name)
    if label is None:
        raise InputError(f"{path}: session: must be in the name of its folder, as in ses-01 (found {name})")
    return label[1]


def read_raw(path: Path, root: Path, part: str, images: pandas.DataFrame) -> Block:
    """Read a raw session: trials are the onsets of the stimulus channel but catch trials.

    The files do not say where the parts of a session were joined: onsets are samples, and a trial runs over a joint
    only where a part ends within a second of its last image.

    Args:
        path: ``raw_eeg_training.npy`` or ``raw_eeg_test.npy`` in ``sub-XX/ses-YY``.
        root: folder of the corpus.
        part: ``training`` or ``test``.
        images: table of the corpus's images.

    Raises:
        InputError: the file is not of this layout, not in volts, or has a condition that is no image.
    """
    document = read_mapping(path, RAW_FIELDS)
    signals, names, kinds = document["raw_eeg_data"], document["ch_names"], document["ch_types"]
    where = path.relative_to(root)
    if signals.ndim != 2 or not len(signals) == len(names) == len(kinds):
        raise InputError(f"{where}: raw_eeg_data: must have a row for each of ch_names and ch_types")
    if kinds.count("stim") != 1:
        raise InputError(f"{where}: ch_types: must have one stim channel (found {kinds.count('stim')})")
    eeg = [k for k, kind in enumerate(kinds) if kind == "eeg"]
    samples, conditions = find_onsets(signals[kinds.index("stim")])
    shown = conditions != TARGET
    samples, conditions = samples[shown], conditions[shown]
    rows = np.flatnonzero(images["partition"] == part)
    if len(conditions) and not 1 <= conditions.min() <= conditions.max() <= len(rows):
        raise InputError(
            f"{where}: stim: conditions must be 1 to {len(rows)}, the {part} images of image_metadata.npy, or {TARGET} "
            f"(found {conditions.min()} to {conditions.max()})"
        )

    def cut(start: int, stop: int) -> np.ndarray:
        microvolts = np.asarray(signals[:, start:stop], np.float64)[eeg]
        microvolts *= 1e6
        return microvolts

    sfreq, channels = float(document["sfreq"]), [names[k] for k in eeg]
    segments = read_segments(cut, signals.shape[1], sfreq)
    require_eeg_amplitude(segments, channels, f"{where}: raw_eeg_data: must be in volts")
    return Block(
        subject=subject_name(path.parent.parent.name, path),
        session=_session_label(path),
        source=where.as_posix(),
        image=rows[conditions - 1],
        channels=channels,
        sfreq=sfreq,
        trials=Continuous(cut, samples, signals.shape[1]),
    )


class _Delivered:
    """Epochs of a preprocessed container: (images, repetitions, channels, samples)."""

    def __init__(self, data: np.ndarray):
        self._data = data

    def inside(self, first: int, length: int) -> np.ndarray:
        """Return True for each trial, (trials,): what is delivered is complete."""
        return np.ones(self._data.shape[0] * self._data.shape[1], bool)

    def read(self, trials: np.ndarray, first: int, length: int) -> np.ndarray:
        """Read epochs as they were delivered, (trials, channels, samples), whatever samples are asked for."""
        image, repetition = np.divmod(trials, self._data.shape[1])
        return self._data[image, repetition]


def read_preprocessed(path: Path, root: Path, part: str, images: pandas.DataFrame) -> Block:
    """Read a preprocessed container, the official one (17 x 100) or NICE's and ATM's (63 x 250).

    Both are called ``.npy``; one is of ``np.save``, the other a bare pickle whose ``times`` were not cut with the data.

    Args:
        path: ``preprocessed_eeg_training.npy`` or ``preprocessed_eeg_test.npy`` in ``sub-XX``.
        root: folder of the corpus.
        part: ``training`` or ``test``.
        images: table of the corpus's images.

    Raises:
        InputError: the file is not of this layout, or of other images.
    """
    document = read_mapping(path, PREPROCESSED_FIELDS)
    data, names, times = document["preprocessed_eeg_data"], document["ch_names"], document["times"]
    where = path.relative_to(root)
    rows = np.flatnonzero(images["partition"] == part)
    if data.ndim != 4 or data.shape[2] != len(names) or data.shape[3] > len(times) or len(times) < 2:
        raise InputError(
            f"{where}: preprocessed_eeg_data: must be (images, repetitions, {len(names)} channels, at most "
            f"{len(times)} times) (found {data.shape})"
        )
    if data.shape[0] != len(rows):
        raise InputError(
            f"{where}: preprocessed_eeg_data: must have the {len(rows)} {part} images (found {data.shape[0]})"
        )
    times = np.asarray(times, np.float64)[-data.shape[3] :]
    return Block(
        subject=subject_name(path.parent.name, path),
        session=None,
        source=where.as_posix(),
        image=np.repeat(rows, data.shape[1]),
        channels=names,
        sfreq=round(1 / float(np.median(np.diff(times))), 6),
        trials=_Delivered(data),
        times=times,
    )


def open_raw(root: Path, images: Path | None) -> Corpus:
    """Open a corpus of raw sessions; ``images`` is the folder of ``image_metadata.npy``, None: at or below the root."""
    return _open(root, images, "things_eeg2_raw", RAW, read_raw)


def open_preprocessed(root: Path, images: Path | None) -> Corpus:
    """Open a corpus of preprocessed containers; ``images`` as in :func:`open_raw`."""
    return _open(root, images, "things_eeg2_preprocessed", PREPROCESSED, read_preprocessed)


def find_partition_files(root: Path, pattern: str) -> tuple[dict[Path, str], list[Problem]]:
    """Find the files of both partitions below a folder.

    Args:
        root: the folder.
        pattern: ``RAW`` or ``PREPROCESSED``.

    Returns:
        the partition of each file, sorted by path; what cannot be opened, and what is linked to twice.
    """
    partition_of = {pattern.format(part): part for part in PARTS}
    paths, problems = find_files(root, lambda name: name.lower() in partition_of)
    return {root / path: partition_of[path.name.lower()] for path in paths}, problems


def _open(root: Path, image_root: Path | None, layout: str, pattern: str, reader) -> Corpus:
    image_root = image_root or find_image_root(root)
    table = read_images(image_root)
    parts, problems = find_partition_files(root, pattern)
    files: dict[str, list[Path]] = {}
    for path in parts:
        folder = path.parent.parent if layout == "things_eeg2_raw" else path.parent
        files.setdefault(subject_name(folder.name, path), []).append(path)
    for subject, paths in files.items():
        problems += _missing(subject, paths, parts, layout, root)
    read = partial(_read_subject, files=files, parts=parts, root=root, images=table, reader=reader)
    return Corpus(layout, table, files, read, problems, listings=[image_root / IMAGES])


def _read_subject(subject: str, files: dict, parts: dict, root: Path, images: pandas.DataFrame, reader) -> list[Block]:
    blocks: dict[tuple, Block] = {}
    for path in files[subject]:
        block = reader(path, root, parts[path], images)
        same = blocks.setdefault((block.session, parts[path]), block)
        if same is not block:
            raise InputError(
                f"{subject}: session {block.session or 'of no name'}: must have one {parts[path]} part (found "
                f"{same.source} and {block.source}); take one of them out of the corpus"
            )
    return list(blocks.values())


def _missing(subject: str, paths: list[Path], parts: dict[Path, str], layout: str, root: Path) -> list[Problem]:
    """Report sessions and partitions that a subject lacks."""
    folder = paths[0].parent.relative_to(root)
    if layout == "things_eeg2_preprocessed":
        lacking = set(PARTS) - {parts[path] for path in paths}
        return [
            Problem(folder.as_posix(), "partitions", "file", f"{subject}: has no {part} part", "warning")
            for part in lacking
        ]
    problems = []
    for part in PARTS:
        sessions = [_session_label(path) for path in paths if parts[path] == part]
        if not all(label.isdecimal() for label in sessions):
            missing = [f"{SESSIONS - len(sessions)} of {SESSIONS}"] if len(sessions) < SESSIONS else []
        else:
            missing = [str(number) for number in range(1, SESSIONS + 1) if number not in map(int, sessions)]
        if missing:
            message = f"{subject}: has no {part} part of session {', '.join(missing)}"
            problems.append(Problem(folder.parent.as_posix(), "sessions", "file", message, "warning"))
    return problems
