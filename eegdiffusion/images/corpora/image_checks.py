"""What may be wrong with a corpus of images and the EEG of seeing them."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.images.corpora.image_corpus import IMAGE_FILES

CLASS_RUNS = 0.5
"""More of neighbouring trials of one concept than this: the concept was shown in blocks."""


def hash_images(images: pandas.DataFrame) -> list[str | None]:
    """SHA-256 of every image file; None where there is none."""

    def digest(file: str | None) -> str | None:
        if file is None or not Path(file).is_file():
            return None
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(digest, images["file"]))


def check_files(images: pandas.DataFrame) -> list[Problem]:
    """Compare the table of images (with ``sha256``) with the files on disk, both ways."""
    problems = []
    if images["file"].isna().all():
        message = f"the {len(images)} images are not there: their EEG can be classified, not paired with pictures"
        return [Problem("images", "images", "file", message, "warning")]
    for row in images[images["sha256"].isna()].itertuples():
        problems.append(Problem(row.file, "images", "file", "is in the index of images and not on disk"))
    known = set(images["file"])
    folders = sorted({Path(file).parent.parent for file in known}, key=str)
    on_disk = {str(path) for folder in folders for path in folder.glob("*/*") if path.suffix.lower() in IMAGE_FILES}
    if extra := sorted(on_disk - known):
        message = f"{len(extra)} images on disk are not in the index, e.g. {Path(extra[0]).name}"
        problems.append(Problem(str(folders[0]), "images", "index", message, "warning"))
    return problems


def check_repeats(images: pandas.DataFrame) -> list[Problem]:
    """Find images of the same content under two names; one that is trained on and tested on leaks."""
    problems = []
    for _, same in images[images["sha256"].notna()].groupby("sha256"):
        if len(same) > 1:
            leaks = same["partition"].nunique() > 1
            names = ", ".join(same["file"])
            message = f"are one image{', in training and test' if leaks else ''}: {names}"
            problems.append(Problem(same["file"].iloc[0], "repeated images", "content", message, "warning"))
    return problems


def check_concepts(images: pandas.DataFrame) -> list[Problem]:
    """Find concepts in training and test: retrieval of them is not zero-shot."""
    test = images["partition"] == "test"
    shared = sorted(set(images.loc[test, "concept"]) & set(images.loc[~test, "concept"]))
    if not shared:
        return []
    total = images.loc[test, "concept"].nunique()
    message = f"{len(shared)} of {total} test concepts are trained on too, e.g. {', '.join(shared[:3])}"
    return [Problem("images", "concepts", "concept", message, "warning")]


def class_runs(image: np.ndarray, concept: np.ndarray) -> float:
    """Share of neighbouring trials that show different images of one concept.

    Args:
        image: (trials,) in the order of presentation.
        concept: of each image.
    """
    other = image[1:] != image[:-1]
    same = concept[image[1:]] == concept[image[:-1]]
    return float(np.mean(same[other])) if other.any() else 0.0


def check_blocks(source: str, image: np.ndarray, concept: np.ndarray) -> list[Problem]:
    """Find out from the order of the trials whether concepts were shown in blocks."""
    share = class_runs(image, concept)
    if len(np.unique(concept[image])) < 2 or share <= CLASS_RUNS:
        return []
    message = f"{share:.0%} of neighbouring trials show one concept: blocks are confounded with class"
    return [Problem(source, "blocks", "order", message, "warning")]
