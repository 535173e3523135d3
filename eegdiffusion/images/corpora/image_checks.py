"""Checks of a corpus of images and EEG: missing and repeated images, shared concepts, concepts shown in blocks."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.allotment import available_cores
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.images.corpora.image_files import KINDS

CLASS_RUNS = 0.5
"""Share of neighbouring trials of one concept above which concepts count as shown in blocks (arXiv:1812.07697)."""


def hash_images(images: pandas.DataFrame) -> list[str | None]:
    """Compute the SHA-256 of each image file, in hexadecimal; None where there is no file."""

    def digest(file: str | None) -> str | None:
        if file is None or not Path(file).is_file():
            return None
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()

    with ThreadPoolExecutor(min(8, 2 * available_cores())) as pool:
        return list(pool.map(digest, images["file"]))


def check_files(images: pandas.DataFrame) -> list[Problem]:
    """Report images of the table, which has ``sha256``, without a file, and files that are not in the table."""
    problems = []
    if images["file"].isna().all():
        message = f"the {len(images)} images are not there: their EEG can be classified, not paired with pictures"
        return [Problem("images", "images", "file", message, "warning")]
    for row in images[images["sha256"].isna()].itertuples():
        problems.append(Problem(row.file, "images", "file", "is in the index of images and not on disk"))
    known = set(images["file"])
    folders = sorted({Path(file).parent.parent for file in known}, key=str)
    on_disk = {str(path) for folder in folders for path in folder.glob("[!.]*/[!.]*") if path.suffix.lower() in KINDS}
    if extra := sorted(on_disk - known):
        message = f"{len(extra)} images on disk are not in the index, e.g. {Path(extra[0]).name}"
        problems.append(Problem(str(folders[0]), "images", "index", message, "warning"))
    return problems


def check_repeats(images: pandas.DataFrame) -> list[Problem]:
    """Report images of the same content under two names: one that is trained on and tested on leaks."""
    problems = []
    for _, same in images[images["sha256"].notna()].groupby("sha256"):
        if len(same) > 1:
            leaks = same["partition"].nunique() > 1
            names = ", ".join(same["file"])
            message = f"are one image{', in training and test' if leaks else ''}: {names}"
            problems.append(Problem(same["file"].iloc[0], "repeated images", "content", message, "warning"))
    return problems


def check_concepts(images: pandas.DataFrame) -> list[Problem]:
    """Report concepts in both training and test: retrieval of them is not zero-shot."""
    test = images["partition"] == "test"
    shared = sorted(set(images.loc[test, "concept"]) & set(images.loc[~test, "concept"]))
    if not shared:
        return []
    total = images.loc[test, "concept"].nunique()
    message = f"{len(shared)} of {total} test concepts are trained on too, e.g. {', '.join(shared[:3])}"
    return [Problem("images", "concepts", "concept", message, "warning")]


def class_runs(image: np.ndarray, concept: np.ndarray) -> float:
    """Compute how often neighbouring trials of different images show one concept.

    Args:
        image: (trials,) row of the image of each trial, in the order of presentation.
        concept: (images,) concept of each image.

    Returns:
        share of such pairs of neighbours, from 0 to 1; 0 where no neighbours show different images.
    """
    other = image[1:] != image[:-1]
    same = concept[image[1:]] == concept[image[:-1]]
    return float(np.mean(same[other])) if other.any() else 0.0


def check_blocks(source: str, image: np.ndarray, concept: np.ndarray) -> list[Problem]:
    """Find out from the order of the trials whether concepts were shown in blocks.

    Args:
        source: name of the recording, for the report.
        image: (trials,) row of the image of each trial, in the order of presentation.
        concept: (images,) concept of each image.

    Returns:
        a warning where they were; see :func:`class_runs`.
    """
    share = class_runs(image, concept)
    if len(np.unique(concept[image])) < 2 or share <= CLASS_RUNS:
        return []
    message = f"{share:.0%} of neighbouring trials show one concept: blocks are confounded with class"
    return [Problem(source, "blocks", "order", message, "warning")]
