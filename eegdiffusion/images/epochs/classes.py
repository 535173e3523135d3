"""Which images are classified into what: by the corpus's own split, or by exemplars of concepts that are held out."""

from dataclasses import dataclass

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError


@dataclass(frozen=True)
class Classes:
    """Labels of images, and a split in which every class occurs.

    Attributes:
        names: concepts, by label.
        label: (images,) int64, -1 for images that are not classified.
        split: (images,) ``train``, ``validation`` or ``test``; empty for images that are not classified.
        rule: how the split was made.
    """

    names: list[str]
    label: np.ndarray
    split: np.ndarray
    rule: str


def classes_of(images: pandas.DataFrame, most: int | None, seed: int) -> Classes:
    """Choose classes and their split.

    Where training and test images are of the same concepts, as in EEGCVPR40, the corpus's split stands. Where they are
    not, as in THINGS-EEG2, exemplars of the training concepts are held out: one validates, one tests.

    Args:
        images: table of a store's images, with ``concept`` and ``split``.
        most: number of classes, the first ones of a random order; None: all.
        seed: seed of the order of concepts and of the images held out.

    Raises:
        InputError: no concept has three images, or there are fewer concepts than classes.
    """
    draw = np.random.default_rng(seed)
    trained, tested = (set(images.loc[images["split"] == part, "concept"]) for part in ("train", "test"))
    if tested <= trained:
        split, candidates = images["split"].to_numpy(str), trained
        rule = "the corpus's own split of images"
    else:
        training = images["concept"].where(images["split"] != "test")
        counts = training.value_counts()
        candidates = set(counts[counts >= 3].index)
        split = np.full(len(images), "", "<U10")
        for concept in sorted(candidates):
            order = draw.permutation(np.flatnonzero(training == concept))
            split[order[2:]], split[order[1]], split[order[0]] = "train", "validation", "test"
        rule = "of each training concept one image validates and one tests; the corpus's test images are not used"
    if not candidates:
        raise InputError("images: a concept needs three images, to train, validate and test (found none that has)")
    if most is not None and most > len(candidates):
        rule = f"must be at most the {len(candidates)} concepts of the corpus that can be classified"
        raise InputError(f"train_eeg_encoder.classify.classes: {rule} (found {most})")
    names = sorted(np.array(sorted(candidates))[draw.permutation(len(candidates))][:most].tolist())
    label = images["concept"].map({name: k for k, name in enumerate(names)}).fillna(-1).to_numpy(np.int64)
    return Classes(names, label, np.where(label >= 0, split, ""), rule)
