"""Training, validation and test split by subject."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np

from eegdiffusion.core.runtime.errors import InputError

SPLITS = ("train", "validation", "test")

_UNKNOWN = "unknown"

ClassesOf = Mapping[str, Collection[int]]
"""Subject -> labels that occur in its recordings."""

NO_CLASSES: ClassesOf = MappingProxyType({})

ATTEMPTS = 100
"""Draws of each number of subjects."""

RULE = (
    "test: all of eval/; validation: int(fraction * n) of the n sorted subjects of train/, drawn without replacement "
    "by NumPy's legacy RandomState(seed).choice; train: the others; then those without a usable recording are left out"
)


def unknown_subject(split: str) -> str:
    """Return the name that stands for the subjects of a split whom the corpus does not tell apart."""
    return f"{_UNKNOWN} ({split})"


def is_unknown(subject: str) -> bool:
    """Whether a name stands for subjects whom the corpus does not tell apart."""
    return subject.startswith(f"{_UNKNOWN} (")


def split_subjects(
    train: list[str], test: list[str], fraction: float, seed: int, classes_of: ClassesOf = NO_CLASSES
) -> dict[str, list[str]]:
    """Divide subjects as EEGDM does.

    Args:
        train: subjects of the corpus's folder train/.
        test: subjects of its folder eval/.
        fraction: share of the training subjects that validate, 0 to 1.
        seed: seed of the draw.
        classes_of: classes of each subject; where they are known, the draw heeds them (:func:`_draw`).

    Returns:
        the subjects of each split, by its name.

    Raises:
        InputError: a split would be empty.
    """
    subjects = sorted(set(train))
    validation = _draw(subjects, int(fraction * len(subjects)), seed, classes_of)
    splits = {
        "train": [subject for subject in subjects if subject not in validation],
        "validation": sorted(validation),
        "test": sorted(set(test)),
    }
    for name, members in splits.items():
        if not members:
            raise InputError(
                f"validation_fraction {fraction:g}: the {name} split of {len(subjects)} subjects to train on "
                f"and {len(splits['test'])} to test on is empty"
            )
    return splits


def divide_subjects(
    given: dict[str, list[str]],
    test_fraction: float,
    validation_fraction: float,
    seed: int,
    classes_of: ClassesOf = NO_CLASSES,
) -> dict[str, list[str]]:
    """Divide subjects, as far as the corpus does not say their split.

    Args:
        given: subjects by the split that the corpus gives; under an empty text those of which it says none.
        test_fraction: share of the subjects that test, where none is given for the test.
        validation_fraction: share of the remaining ones that validate, where none is given for the validation.
        seed: seed of the draws.
        classes_of: classes of each subject; where they are known, the draws heed them.

    Returns:
        the subjects of each split, by its name.

    Raises:
        InputError: a split would be empty, or a subject stands in several.
    """
    if shared := leaks({name: sorted(set(members)) for name, members in given.items()}):
        raise InputError(f"split: {', '.join(shared)} must stand in one split only")
    train, test = [*given["train"], *given[""]], given["test"]
    if not test:
        unsaid = sorted(set(given[""]))
        count = max(1, int(test_fraction * len(unsaid))) if len(unsaid) > 1 else 0
        test = _draw(unsaid, count, seed, classes_of)
        train = [subject for subject in train if subject not in set(test)]
    if not given["validation"]:
        return split_subjects(train, test, validation_fraction, seed, classes_of)
    splits = {"train": train, "validation": given["validation"], "test": test}
    for name, members in splits.items():
        if not members:
            raise InputError(f"split: the {name} split is empty, as the corpus gives the others")
    return {name: sorted(set(members)) for name, members in splits.items()}


def _draw(subjects: list[str], count: int, seed: int, classes_of: ClassesOf) -> list[str]:
    """Draw subjects so that each class that two of them have is among the drawn and among the others.

    A subject of many corpora has one class alone, and a few that are drawn blindly may all have the same. The draw of
    the seed itself is taken where it will do; then those of the next seeds, and then one subject more.

    Args:
        subjects: who may be drawn, in order.
        count: how many.
        seed: seed of the first draw.
        classes_of: classes of each subject.

    Returns:
        the drawn subjects, in order; those of the first draw where no other does better.
    """

    def drawn(number: int, attempt: int) -> list[str]:
        return sorted(np.random.RandomState(seed + attempt).choice(subjects, number, replace=False).tolist())

    having = Counter(name for subject in subjects for name in classes_of.get(subject, ()))
    wanted = {name for name, number in having.items() if number > 1}
    if count == 0 or not wanted:
        return drawn(count, 0)
    for number in range(count, max(count, len(subjects) // 2) + 1):
        for attempt in range(ATTEMPTS):
            members = drawn(number, attempt)
            parts = set(members), set(subjects) - set(members)
            if all(wanted <= {name for subject in part for name in classes_of.get(subject, ())} for part in parts):
                return members
    return drawn(count, 0)


def describe_rule(given: dict[str, list[str]]) -> str:
    """Return the rule by which :func:`divide_subjects` divides."""
    how = {name: "as the corpus gives it" if given[name] else "" for name in SPLITS}
    draw = (
        "of the sorted subjects, drawn without replacement by NumPy's legacy RandomState(seed).choice, by the next "
        "seeds and then of one more until each class that two subjects have is among the drawn and the others"
    )
    return (
        f"test: {how['test'] or f'max(1, int(test_fraction * n)) {draw}'}; "
        f"validation: {how['validation'] or f'int(fraction * n) of the others, {draw}'}; train: the others; "
        "then those without a usable recording are left out"
    )


def having(splits: dict[str, list[str]], usable: set[str]) -> dict[str, list[str]]:
    """Keep of each split the subjects that have a usable recording.

    Raises:
        InputError: a split would be empty.
    """
    kept = {name: [subject for subject in members if subject in usable] for name, members in splits.items()}
    for name, members in kept.items():
        if not members:
            raise InputError(f"split: none of the {len(splits[name])} subjects of {name} has a usable recording")
    return kept


def leaks(splits: dict[str, list[str]]) -> list[str]:
    """Return the subjects that stand in more than one split."""
    members = [subject for subjects in splits.values() for subject in subjects]
    return sorted({subject for subject in members if members.count(subject) > 1})


def manifest(
    splits: dict[str, list[str]], recordings: dict[str, str], fraction: float, seed: int, rule: str = RULE
) -> dict:
    """Describe a split so that it can be kept, compared and checked.

    Args:
        splits: subjects of each split.
        recordings: content hash of each recording.
        fraction: share of the training subjects that validate.
        seed: seed of their draw.
        rule: how subjects were divided.

    Returns:
        rule, seed, fraction, subjects of each split, and a hash over the subjects and the recordings' content.

    Raises:
        InputError: a subject stands in more than one split.
    """
    if shared := leaks(splits):
        raise InputError(f"split: {', '.join(shared)} must stand in one split only")
    content = json.dumps([splits, dict(sorted(recordings.items()))], sort_keys=True)
    return {
        "rule": rule,
        "seed": seed,
        "fraction": fraction,
        "subjects": splits,
        "hash": hashlib.sha256(content.encode()).hexdigest(),
    }
