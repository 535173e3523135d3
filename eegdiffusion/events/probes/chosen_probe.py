"""Chooses features and their probe by cross-validation on training windows, before any test window is looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.probes.probes import probe


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose.

    Attributes:
        variant: name of the variant of the features.
        probe: kind of the probe.
        score: balanced accuracy of the training windows, each classified by a probe that did not see its fold.
    """

    variant: str
    probe: str
    score: float


def fold_numbers(labels: np.ndarray, groups: np.ndarray, folds: int) -> np.ndarray:
    """Put whole groups of windows into folds of about equal size and shares of the classes.

    Args:
        labels: (windows,) 0-based.
        groups: (windows,), what stays together, such as the windows of a recording.
        folds: number of folds, or that of the groups, or of the windows of the rarest class, where these are fewer.

    Returns:
        (windows,) number of the fold of each.

    Raises:
        InputError: a class is in one window or one group only, so that it cannot be learned and tested.
    """
    by_class = [len(np.unique(groups[labels == label])) for label in np.unique(labels)]
    if len(by_class) < 2 or min(by_class) < 2:
        raise InputError(
            f"labels: cross-validation needs two classes or more, each in two recordings or more (found "
            f"{', '.join(map(str, by_class))} recordings)"
        )
    split = StratifiedGroupKFold(min(folds, *by_class), shuffle=True, random_state=0)
    number = np.empty(len(labels), int)
    for k, (_, held_out) in enumerate(split.split(labels, labels, groups)):
        number[held_out] = k
    return number


def choose(
    variants: Mapping[str, np.ndarray], kinds: Sequence[str], labels: np.ndarray, groups: np.ndarray, folds: int
) -> Choice:
    """Choose the variant of features and the probe that classify held-out training windows best.

    Args:
        variants: features (windows, features) of the training windows, by name.
        kinds: probes to choose from; see :data:`~eegdiffusion.events.probes.probes.PROBES`.
        labels: (windows,) 0-based.
        groups: (windows,), what must not stand on both sides of a fold.
        folds: number of folds.

    Returns:
        the best by balanced accuracy, the first of equal ones.
    """
    number = fold_numbers(labels, groups, folds)
    choices = []
    for variant, features in variants.items():
        for kind in kinds:
            predicted = np.empty_like(labels)
            for fold in np.unique(number):
                learned, held_out = number != fold, number == fold
                predicted[held_out] = probe(kind, features[learned], labels[learned], features[held_out])
            choices.append(Choice(variant, kind, float(balanced_accuracy_score(labels, predicted))))
    return max(choices, key=lambda choice: choice.score)
