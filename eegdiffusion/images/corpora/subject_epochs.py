"""The epochs of one subject: cut, whitened and written, session by session, in bounded memory."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas
from annotated_types import Ge

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.signal.epoching import Epoching, epoch_operator
from eegdiffusion.core.signal.whitening import inverse_root, noise_covariance
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.images.corpora.image_corpus import Block, Continuous, natural_order, pick_channels, require_most
from eegdiffusion.images.corpora.trial_tasks import COLUMN
from eegdiffusion.images.epochs import epoch_store

CHUNK = 128
"""Number of epochs that are in memory at a time."""

FLAT = 1e-6
"""Standard deviation below which a channel is flat, whatever the unit."""


@settings
class RepetitionLimits:
    """Largest number of repetitions of an image that are kept of a recording, for each partition.

    In THINGS-EEG2 a recording is the training or the test part of a session.
    """

    training: Annotated[int, Ge(1)] = 2
    """Repetitions of a training image."""
    test: Annotated[int, Ge(1)] = 20
    """Repetitions of a test image."""


@dataclass(frozen=True)
class EpochCutting:
    """How the epochs of a corpus are cut, the same for all of its subjects.

    Attributes:
        epoching: settings of an entry of the section ``epochs``.
        repetitions: largest number of repetitions of an image in a recording.
        seed: seed of the repetitions that are kept.
        channels: names of the channels, in order; None until the first subject has been read.
        standard: order of the layout's channels.
    """

    epoching: Epoching
    repetitions: RepetitionLimits
    seed: int
    channels: list[str] | None
    standard: list[str]


@dataclass(frozen=True)
class SubjectEpochs:
    """The epochs of a subject, which are on disk.

    Attributes:
        index: subject, session, image, repetition and row of each epoch, and its task where the corpus tells it.
        channels: names of the channels, in order.
        times: (samples,) in seconds from the onset of the image.
        trials: number of trials in the corpus, the ones left out included.
        problems: what was left out.
    """

    index: pandas.DataFrame
    channels: list[str]
    times: np.ndarray
    trials: int
    problems: list[Problem]


def keep_repetitions(
    image: np.ndarray, test: np.ndarray, most: RepetitionLimits, seed: int, task: np.ndarray | None = None
) -> np.ndarray:
    """Choose trials so that an image has no more than so many, as THINGS-EEG2's preprocessing draws them.

    Args:
        image: (trials,) image of each trial.
        test: (images,) bool, whether it is a test image.
        most: limits.
        seed: seed of the draw.
        task: (trials,) task of each trial, each of which has its own repetitions; None: all are of one.

    Returns:
        indices of the trials that are kept, ascending.
    """
    kept = []
    for trials in pandas.Series(image).groupby(conditions(image, task)).indices.values():
        limit = most.test if test[image[trials[0]]] else most.training
        if len(trials) > limit:
            order = np.arange(len(trials))
            np.random.RandomState(seed).shuffle(order)
            trials = trials[order[:limit]]
        kept.append(trials)
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, int)


def conditions(image: np.ndarray, task: np.ndarray | None) -> np.ndarray:
    """Number what trials repeat, (trials,) int64: the image, or image and task where the corpus tells tasks."""
    if task is None:
        return image
    return pandas.factorize(pandas.MultiIndex.from_arrays([image, task]), sort=True)[0].astype(np.int64)


def write_subject(
    blocks: list[Block], test: np.ndarray, cutting: EpochCutting, scratch: Path, target: Path
) -> SubjectEpochs:
    """Cut the epochs of a subject and write them to the store's format.

    Args:
        blocks: the subject's blocks of trials.
        test: (images,) bool, whether it is a test image.
        cutting: how the corpus's epochs are cut.
        scratch: folder for the epochs of a session before they are whitened; made and removed.
        target: Arrow file to write.

    Returns:
        the index of the epochs, and what is wrong with the subject.

    Raises:
        InputError: the subject lacks channels of the others, cannot be whitened, or has no trials.
    """
    subject = blocks[0].subject
    blocks, channels, problems = usable_blocks(blocks, cutting)
    times = _times(blocks[0], cutting.epoching)
    tables: list[pandas.DataFrame] = []
    total = sum(len(block.image) for block in blocks)

    def parts() -> Iterator[np.ndarray]:
        ordered = sorted(blocks, key=lambda block: natural_order(block.session))
        for session, members in groupby(ordered, key=lambda block: block.session):
            group = list(members)
            kept = [_kept_trials(block, test, cutting, problems) for block in group]
            image = np.concatenate([block.image[trials] for block, trials in zip(group, kept, strict=True)])
            if not len(image):
                continue
            task = _tasks(group, kept)
            if group[0].times is not None:
                yield from _delivered(group, kept, channels, times)
            else:
                epochs = _cut_epochs(group, kept, channels, cutting.epoching, scratch / "session.npy", problems)
                yield from _whitened(
                    epochs, _whitening_matrix(epochs, conditions(image, task), test[image], cutting.epoching, group[0])
                )
            table = pandas.DataFrame({"session": session, "image": image})
            tables.append(table if task is None else table.assign(**{COLUMN: task}))

    scratch.mkdir(parents=True, exist_ok=True)
    try:
        count = epoch_store.write_epochs(target, parts(), (len(channels), len(times)))
    except (ValueError, np.linalg.LinAlgError) as error:
        raise error if isinstance(error, InputError) else InputError(f"{subject}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    index = pandas.concat(tables, ignore_index=True)
    index["session"] = index["session"].astype("string")
    index.insert(0, "subject", subject)
    index["repetition"] = index.groupby(["image", *([COLUMN] if COLUMN in index else [])]).cumcount()
    index["row"] = np.arange(count)
    return SubjectEpochs(index, channels, times, total, problems)


def _tasks(group: list[Block], kept: list[np.ndarray]) -> np.ndarray | None:
    """Return the tasks of the trials of a session that are kept, (epochs,); None where the corpus tells none."""
    parts = [block.task[trials] for block, trials in zip(group, kept, strict=True) if block.task is not None]
    return np.concatenate(parts) if parts else None


def usable_blocks(blocks: list[Block], cutting: EpochCutting) -> tuple[list[Block], list[str], list[Problem]]:
    """Choose the blocks of a subject that epochs are cut from.

    Args:
        blocks: the subject's blocks of trials.
        cutting: how the corpus's epochs are cut.

    Returns:
        the blocks; the names of their channels that are kept; what is left out and why.

    Raises:
        InputError: the subject lacks channels of the others, has no trials that lie within their recordings, or comes
            at another rate or unfiltered where it comes cut.
    """
    subject, channels = blocks[0].subject, cutting.channels or _usual_channels(blocks, cutting)
    blocks, problems = _with_channels(blocks, channels, cutting)
    _times(blocks[0], cutting.epoching)
    for block in blocks if cutting.epoching.band is not None else ():
        _require_continuous(block)
    if not any(_inside(block, cutting.epoching).any() for block in blocks):
        raise InputError(f"{subject}: has no trials that lie within their recordings")
    return blocks, channels, problems


def _inside(block: Block, epoching: Epoching) -> np.ndarray:
    """Tell which trials of a block have a whole epoch, (trials,) bool."""
    operator = epoch_operator(epoching, block.sfreq)
    return block.trials.inside(operator.first, operator.length)


def _usual_channels(blocks: list[Block], cutting: EpochCutting) -> list[str]:
    """Return the channels, of those that are asked for, of the recording whose channels most of the others have."""
    chosen = [
        [
            block.channels[k]
            for k in pick_channels(block.channels, cutting.epoching.channels, cutting.standard, block.source)
        ]
        for block in blocks
    ]
    having = [sum(set(names) <= set(block.channels) for block in blocks) for names in chosen]
    return chosen[int(np.argmax(having))]


def _with_channels(
    blocks: list[Block], channels: list[str], cutting: EpochCutting
) -> tuple[list[Block], list[Problem]]:
    """Leave out recordings without the store's channels; note the electrodes that others lack, and so nobody keeps.

    Raises:
        InputError: too many recordings lack some, or one that the others cannot be used without.
    """
    problems, kept = [], []
    for block in blocks:
        if missing := [name for name in channels if name not in block.channels]:
            message = f"has no {', '.join(missing[:8])}, which other recordings have"
            if not block.separable:
                raise InputError(f"{block.source}: channels: {message}")
            problems.append(Problem(block.source, "recordings", "channels", message))
            continue
        kept.append(block)
        chosen = pick_channels(block.channels, cutting.epoching.channels, cutting.standard, block.source)
        if unused := [name for k in chosen if (name := block.channels[k]) not in channels]:
            message = f"{', '.join(unused)}: are not kept, as not all recordings have them"
            problems.append(Problem(block.source, "channels", "channels", message, "warning"))
    reasons = [f"{problem.path}: channels: {problem.message}" for problem in problems if problem.severity == "error"]
    require_most(len(reasons), len(blocks), reasons)
    return kept, problems


def _times(block: Block, epoching: Epoching) -> np.ndarray:
    if block.times is None:
        return epoch_operator(epoching, block.sfreq).times
    if abs(block.sfreq - epoching.rate_hz) > 1e-3:
        raise InputError(
            f"{block.source}: times: come at {block.sfreq:g} Hz, and are taken as they are; the entry of epochs says "
            f"rate_hz {epoching.rate_hz:g}"
        )
    first = -np.inf if epoching.keep_from_s is None else epoching.keep_from_s - 0.5 / block.sfreq
    return block.times[block.times > first]


def _kept_trials(block: Block, test: np.ndarray, cutting: EpochCutting, problems: list[Problem]) -> np.ndarray:
    """Return the trials of a block that are stored; note those that lie beyond the recording or run over a pause."""
    operator = epoch_operator(cutting.epoching, block.sfreq)
    inside = _inside(block, cutting.epoching)
    if outside := int((~inside).sum()):
        message = f"{outside} of {len(inside)} trials have no whole epoch in the recording and are left out"
        if isinstance(block.trials, Continuous):
            paused = int(block.trials.over_pauses(operator.first, operator.length).sum())
            message += f", {paused} of them as they run over a pause" if paused else ""
        problems.append(Problem(block.source, "trials", "onset", message, "warning"))
    if block.times is not None:
        return np.flatnonzero(inside)
    trials = np.flatnonzero(inside)
    task = None if block.task is None else block.task[trials]
    return trials[keep_repetitions(block.image[trials], test, cutting.repetitions, cutting.seed, task)]


def _delivered(
    group: list[Block], kept: list[np.ndarray], channels: list[str], times: np.ndarray
) -> Iterator[np.ndarray]:
    for block, trials in zip(group, kept, strict=True):
        assert block.times is not None, "only what comes cut is delivered"
        rows = [block.channels.index(name) for name in channels]
        for k in range(0, len(trials), CHUNK):
            part = block.trials.read(trials[k : k + CHUNK], 0, len(block.times))
            yield np.asarray(part[:, rows][:, :, -len(times) :], np.float64)


def _filtered(block: Block, epoching: Epoching) -> Block:
    if epoching.band is None:
        return block
    return replace(block, trials=_require_continuous(block).filtered(*epoching.band, block.sfreq))


def _require_continuous(block: Block) -> Continuous:
    if not isinstance(block.trials, Continuous):
        raise InputError(
            f"{block.source}: comes cut, and cannot be filtered before that; the entry of epochs has a band"
        )
    return block.trials


def _cut_epochs(
    group: list[Block],
    kept: list[np.ndarray],
    channels: list[str],
    epoching: Epoching,
    path: Path,
    problems: list[Problem],
) -> np.ndarray:
    """Cut the epochs of a session into a file: (epochs, channels, samples) float32, mapped; notes flat channels."""
    operators = [epoch_operator(epoching, block.sfreq) for block in group]
    group = [_filtered(block, epoching) for block in group]
    shape = (sum(map(len, kept)), len(channels), len(operators[0].times))
    epochs = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    start = 0
    for block, trials, operator in zip(group, kept, operators, strict=True):
        rows = [block.channels.index(name) for name in channels]
        for k in range(0, len(trials), CHUNK):
            part = block.trials.read(trials[k : k + CHUNK], operator.first, operator.length)[:, rows]
            if not np.isfinite(part).all():
                raise InputError(f"{block.source}: signals: must be finite (found NaN or infinity)")
            if not k and (flat := [channels[row] for row in np.flatnonzero(part.std((0, 2)) < FLAT)]):
                problems.append(Problem(block.source, "channels", "signal", f"flat: {', '.join(flat)}", "warning"))
            epochs[start : start + len(part)] = part @ operator.matrix
            start += len(part)
    return epochs


def _whitened(epochs: np.ndarray, root: np.ndarray | None) -> Iterator[np.ndarray]:
    for k in range(0, len(epochs), CHUNK):
        part = np.asarray(epochs[k : k + CHUNK], np.float64)
        yield part if root is None else root @ part


def _whitening_matrix(
    epochs: np.ndarray, image: np.ndarray, test: np.ndarray, epoching: Epoching, block: Block
) -> np.ndarray | None:
    """Compute the matrix that whitens a session, or None; partitions count alike, as in THINGS-EEG2's preprocessing."""
    if epoching.whitening == "none":
        return None
    partitions = [~test] if epoching.whitening == "training" else [~test, test]
    if not partitions[0].any():
        raise InputError(f"{block.source}: has no training trials in its session, whose noise would whiten it")
    covariances = []
    for part in partitions:
        if part.any():
            rows = np.flatnonzero(part)
            covariances.append(noise_covariance(epochs, rows, image[rows], epoching.covariance))
    return inverse_root(np.mean(covariances, axis=0))
