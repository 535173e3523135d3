"""EEGCVPR40 (Spampinato et al. 2017): 6 subjects, 40 ImageNet classes, 128 channels, in files of ``torch.save``.

All images of a class were shown in one block: slow drift tells the class as well as the response does.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.storage.named_files import file_below
from eegdiffusion.core.storage.pickles.document_fields import FieldKind, check_fields
from eegdiffusion.core.storage.pickles.torch_archive import read_archive
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.images.corpora.image_corpus import Block, Corpus

SFREQ = 1000.0
"""Sampling rate of the recordings in Hz."""

SAMPLES = (450, 600)
"""Lengths of the trials that the authors' loader keeps."""

SPLITS = {"train": "training", "val": "validation", "test": "test"}
"""Partition of a corpus by the name that the file of splits has for it."""

FIELDS: dict[str, FieldKind] = {"dataset": "list", "labels": "texts", "images": "texts"}
TRIAL: dict[str, FieldKind] = {"eeg": "numbers", "image": "index", "label": "index", "subject": "index"}
"""Fields of the file of signals and of each of its trials, and what they are."""

LEAKAGE = (
    "EEGCVPR40 showed the images of a class in one block: a score on it may come from the time of the recording and "
    "not from the response to the image (arXiv:1812.07697). It checks the workflow and is no evidence of decoding."
)


@settings
class EEGCVPR40Files:
    """Which of EEGCVPR40's files are read."""

    signals: str
    """Name of the signals' file, e.g. ``eeg_5_95_std.pth``."""
    splits: str
    """Name of the splits' file; one whose name has ``single`` counts within each subject."""
    number: int = 0
    """Number of the split in that file, counted from 0."""


class _Trials:
    """Trials as tensors (channels, samples), each of its own length."""

    def __init__(self, eeg: list[np.ndarray], mean: np.ndarray | float, deviation: np.ndarray | float):
        self._eeg, self._mean, self._deviation = eeg, mean, deviation

    def inside(self, first: int, length: int) -> np.ndarray:
        """Tell which trials have these samples, (trials,) bool."""
        return np.array([first >= 0 and first + length <= eeg.shape[1] for eeg in self._eeg], bool)

    def read(self, trials: np.ndarray, first: int, length: int) -> np.ndarray:
        """Read samples of trials, standardised, (trials, channels, length) float64."""
        signals = np.stack([self._eeg[k][:, first : first + length] for k in trials]).astype(np.float64)
        return (signals - self._mean) / self._deviation


def open_eegcvpr40(root: Path, images: Path | None, files: EEGCVPR40Files | None) -> Corpus:
    """Open EEGCVPR40 from its files of ``torch.save``, which are read without executing anything.

    Args:
        root: folder of the ``.pth`` files.
        images: ImageNet's folder of ``<wnid>/<name>.JPEG``; None: the images, which are not distributed, are not there.
        files: names of the files of signals and splits, and the number of the split.

    Returns:
        the corpus, with the warning that blocks are confounded with class.

    Raises:
        InputError: a file is missing, damaged or contradicts another.
    """
    if files is None:
        raise InputError(f"{root}: eegcvpr40: must name the files of signals and splits of this corpus")
    document = _read_signals(root / files.signals)
    dataset, labels, names = document["dataset"], document["labels"], document["images"]
    subject = np.array([entry["subject"] for entry in dataset])
    part = _partitions(root / files.splits, files, subject)
    length = np.array([entry["eeg"].shape[1] for entry in dataset])
    part[(length < SAMPLES[0]) | (length > SAMPLES[1])] = ""
    image = np.array([entry["image"] for entry in dataset])
    table = _images(names, labels, dataset, images)
    table["partition"], problems = _of_images(image, part, names, root / files.splits)
    scale = [np.reshape(document[key], (-1, 1)) if key in document else default for key, default in _SCALE.items()]
    read = partial(_read_subject, dataset=dataset, subject=subject, image=image, part=part, scale=scale, files=files)
    paths = {f"sub-{number:02d}": [root / files.signals, root / files.splits] for number in np.unique(subject)}
    return Corpus("eegcvpr40", table, paths, read, problems, [LEAKAGE])


def _read_signals(path: Path) -> dict:
    """Read the file of signals, and check its trials and what standardises them."""
    document = read_archive(path)
    fields = FIELDS | {key: "numbers" for key in _SCALE if key in document}
    document = check_fields(document, fields, str(path))
    dataset = [check_fields(entry, TRIAL, f"{path}: dataset {k}") for k, entry in enumerate(document["dataset"])]
    if not dataset:
        raise InputError(f"{path}: dataset: must hold a trial")
    images, labels, channels = len(document["images"]), len(document["labels"]), len(dataset[0]["eeg"])
    for k, entry in enumerate(dataset):
        eeg = entry["eeg"]
        if not (entry["image"] < images and entry["label"] < labels and eeg.ndim == 2 and len(eeg) == channels > 0):
            raise InputError(f"{path}: dataset {k}: image, label or eeg: is out of range")
    for key in _SCALE:
        if key in document and document[key].size not in (1, channels):
            raise InputError(f"{path}: {key}: must have a value for each of the {channels} channels")
    return document | {"dataset": dataset}


_SCALE = {"means": 0.0, "stddevs": 1.0}
"""Mean and standard deviation that standardise the raw file, by its keys; other files are standardised already."""


def _partitions(path: Path, files: EEGCVPR40Files, subject: np.ndarray) -> np.ndarray:
    """Return the partition of each trial, (trials,); empty where the split leaves it out."""
    splits = check_fields(read_archive(path), {"splits": "list"}, str(path))["splits"]
    if not 0 <= files.number < len(splits):
        raise InputError(f"{path}: splits: has no number {files.number} (found {len(splits)} splits)")
    split = check_fields(splits[files.number], dict.fromkeys(SPLITS, "indices"), f"{path}: splits {files.number}")
    part = np.full(len(subject), "", object)
    # The authors' loader first takes the trials of its subject, then the indices of the file for one subject.
    single = "single" in files.splits
    for rows in [np.flatnonzero(subject == s) for s in np.unique(subject)] if single else [np.arange(len(subject))]:
        for name, wanted in SPLITS.items():
            index = split[name]
            if not single and len(index) and index.max() >= len(rows):
                raise InputError(
                    f"{path}: {name}: index {index.max()} exceeds the {len(rows)} trials of {files.signals}"
                )
            part[rows[index[index < len(rows)]]] = wanted
    return part


def _images(names: list[str], labels: list[str], dataset: list[dict], root: Path | None) -> pandas.DataFrame:
    of_image = {entry["image"]: labels[entry["label"]] for entry in dataset}
    concepts = [of_image.get(k, name.partition("_")[0]) for k, name in enumerate(names)]
    files = [
        str(file_below(root, f"{concept}/{name}.JPEG", "images: name")) if root else None
        for name, concept in zip(names, concepts, strict=True)
    ]
    return pandas.DataFrame({"name": names, "concept": concepts, "file": files})


def _of_images(image: np.ndarray, part: np.ndarray, names: list[str], path: Path) -> tuple[list[str], list[Problem]]:
    """Return the partition of each image, and problems: an image in two partitions would be learnt and tested."""
    parts, problems = [], []
    for k, name in enumerate(names):
        partitions = sorted({p for p in part[image == k] if p})
        if len(partitions) > 1:
            problems.append(
                Problem(path.name, "splits", name, f"must stand in one partition (found {', '.join(partitions)})")
            )
        parts.append(partitions[0] if partitions else "training")
    return parts, problems


def _read_subject(
    name: str,
    dataset: list[dict],
    subject: np.ndarray,
    image: np.ndarray,
    part: np.ndarray,
    scale: list,
    files: EEGCVPR40Files,
) -> list[Block]:
    rows = np.flatnonzero((subject == int(name.removeprefix("sub-"))) & (part != ""))
    eeg = [dataset[k]["eeg"] for k in rows]
    channels = [f"E{k + 1}" for k in range(eeg[0].shape[0])] if eeg else []
    return [Block(name, None, files.signals, image[rows], channels, SFREQ, _Trials(eeg, *scale))]
