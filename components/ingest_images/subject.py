"""The epochs of one subject: cut, whitened and written, session by session, in bounded memory."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas

from components.ingest_images.settings import Counts
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoching import Epoching, operator, window
from eegdiffusion.core.signal.whitening import inverse_root, noise_covariance
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.images.corpora.image_corpus import Block, Continuous, pick
from eegdiffusion.images.epochs import epoch_store

CHUNK = 128
"""Epochs that are in memory at a time."""

FLAT = 1e-6
"""A channel that varies less is flat, whatever the unit."""


@dataclass(frozen=True)
class Cut:
    """How the epochs of a corpus are cut, the same for all of its subjects.

    Attributes:
        epoching: settings.
        repetitions: most of an image in a session.
        seed: of the repetitions that are kept.
        channels: names, in order; None until the first subject has told them.
        standard: order of the layout's channels.
    """

    epoching: Epoching
    repetitions: Counts
    seed: int
    channels: list[str] | None
    standard: list[str]


@dataclass(frozen=True)
class Written:
    """What was written of a subject.

    Attributes:
        index: subject, session, image, repetition and row of each epoch.
        channels, times: of the epochs.
        trials: how many there were, the ones left out included.
        problems: what was left out.
    """

    index: pandas.DataFrame
    channels: list[str]
    times: np.ndarray
    trials: int
    problems: list[Problem]


def keep_repetitions(image: np.ndarray, test: np.ndarray, most: Counts, seed: int) -> np.ndarray:
    """Choose trials so that an image has no more than so many, as THINGS-EEG2's preprocessing draws them.

    Args:
        image: (trials,).
        test: (images,) whether it is a test image.
        most: repetitions.
        seed: of the draw.

    Returns:
        indices of trials, ascending.
    """
    kept = []
    for number, trials in pandas.Series(image).groupby(image).indices.items():
        limit = most.test if test[number] else most.training
        if len(trials) > limit:
            order = np.arange(len(trials))
            np.random.RandomState(seed).shuffle(order)
            trials = trials[order[:limit]]
        kept.append(trials)
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, int)


def write_subject(blocks: list[Block], test: np.ndarray, cut: Cut, scratch: Path, target: Path) -> Written:
    """Cut the epochs of a subject and write them to the store's format.

    Args:
        blocks: of the subject.
        test: (images,) whether it is a test image.
        cut: how.
        scratch: folder for the epochs of a session before they are whitened; made and removed.
        target: Arrow file to write.

    Raises:
        InputError: its channels are not those of the other subjects, it cannot be whitened, or it has no trials.
    """
    subject = blocks[0].subject
    names = [block.channels for block in blocks]
    chosen = [names[0][k] for k in pick(names[0], cut.epoching.channels, cut.standard, f"{subject}")]
    channels = cut.channels or chosen
    for block in blocks:
        if missing := [name for name in channels if name not in block.channels]:
            raise InputError(f"{block.source}: channels: has no {', '.join(missing[:8])}, which other recordings have")
    times = _times(blocks[0], cut.epoching)
    tables: list[pandas.DataFrame] = []
    problems: list[Problem] = []
    total = sum(len(block.image) for block in blocks)

    def parts() -> Iterator[np.ndarray]:
        ordered = sorted(blocks, key=lambda block: block.session or 0)
        for session, group in groupby(ordered, key=lambda block: block.session):
            group = list(group)
            kept = [_kept(block, test, cut, problems) for block in group]
            image = np.concatenate([block.image[trials] for block, trials in zip(group, kept, strict=True)])
            if not len(image):
                continue
            if group[0].times is not None:
                if cut.epoching.band is not None:
                    _filtered(group[0], cut.epoching)  # refuses it
                yield from _delivered(group, kept, channels, times)
            else:
                epochs = _cut(group, kept, channels, cut.epoching, scratch / "session.npy", problems)
                yield from _whitened(epochs, _whitening(epochs, image, test[image], cut.epoching, group[0]))
            tables.append(pandas.DataFrame({"session": session, "image": image}))

    scratch.mkdir(parents=True, exist_ok=True)
    try:
        written = epoch_store.write_epochs(target, parts(), (len(channels), len(times)))
    except (ValueError, np.linalg.LinAlgError) as error:
        raise error if isinstance(error, InputError) else InputError(f"{subject}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not written:
        raise InputError(f"{subject}: has no trials that lie within their recordings")
    index = pandas.concat(tables, ignore_index=True)
    index["session"] = index["session"].astype("Int16")
    index.insert(0, "subject", subject)
    index["repetition"] = index.groupby("image").cumcount()
    index["row"] = np.arange(written)
    return Written(index, channels, times, total, problems)


def _times(block: Block, epoching: Epoching) -> np.ndarray:
    if block.times is None:
        return operator(epoching, block.sfreq)[1]
    if abs(block.sfreq - epoching.rate_hz) > 1e-3:
        raise InputError(
            f"{block.source}: times: come at {block.sfreq:g} Hz, and are taken as they are; the entry of epochs says "
            f"rate_hz {epoching.rate_hz:g}"
        )
    first = -np.inf if epoching.keep_from_s is None else epoching.keep_from_s - 0.5 / block.sfreq
    return block.times[block.times > first]


def _kept(block: Block, test: np.ndarray, cut: Cut, problems: list[Problem]) -> np.ndarray:
    """Trials of a block that are stored; notes what lies beyond the recording."""
    inside = block.trials.inside(*window(cut.epoching, block.sfreq))
    if outside := int((~inside).sum()):
        message = f"{outside} of {len(inside)} trials have no whole epoch in the recording and are left out"
        problems.append(Problem(block.source, "trials", "onset", message, "warning"))
    if block.times is not None:
        return np.flatnonzero(inside)
    trials = np.flatnonzero(inside)
    return trials[keep_repetitions(block.image[trials], test, cut.repetitions, cut.seed)]


def _delivered(
    group: list[Block], kept: list[np.ndarray], channels: list[str], times: np.ndarray
) -> Iterator[np.ndarray]:
    for block, trials in zip(group, kept, strict=True):
        rows = [block.channels.index(name) for name in channels]
        for k in range(0, len(trials), CHUNK):
            part = block.trials.read(trials[k : k + CHUNK], 0, len(block.times))
            yield np.asarray(part[:, rows][:, :, -len(times) :], np.float64)


def _filtered(block: Block, epoching: Epoching) -> Block:
    if epoching.band is None:
        return block
    if not isinstance(block.trials, Continuous):
        raise InputError(
            f"{block.source}: comes cut, and cannot be filtered before that; the entry of epochs has a band"
        )
    return replace(block, trials=block.trials.filtered(*epoching.band, block.sfreq))


def _cut(
    group: list[Block],
    kept: list[np.ndarray],
    channels: list[str],
    epoching: Epoching,
    path: Path,
    problems: list[Problem],
) -> np.ndarray:
    """Cut the epochs of a session into a file: (epochs, channels, samples) float32, mapped; notes flat channels."""
    steps = [operator(epoching, block.sfreq)[0] for block in group]
    group = [_filtered(block, epoching) for block in group]
    shape = (sum(map(len, kept)), len(channels), steps[0].shape[1])
    epochs = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    place = 0
    for block, trials, step in zip(group, kept, steps, strict=True):
        rows = [block.channels.index(name) for name in channels]
        for k in range(0, len(trials), CHUNK):
            part = block.trials.read(trials[k : k + CHUNK], *window(epoching, block.sfreq))[:, rows]
            if not np.isfinite(part).all():
                raise InputError(f"{block.source}: signals: must be finite (found NaN or infinity)")
            if not k and (flat := [channels[row] for row in np.flatnonzero(part.std((0, 2)) < FLAT)]):
                problems.append(Problem(block.source, "channels", "signal", f"flat: {', '.join(flat)}", "warning"))
            epochs[place : place + len(part)] = part @ step
            place += len(part)
    return epochs


def _whitened(epochs: np.ndarray, root: np.ndarray | None) -> Iterator[np.ndarray]:
    for k in range(0, len(epochs), CHUNK):
        part = np.asarray(epochs[k : k + CHUNK], np.float64)
        yield part if root is None else root @ part


def _whitening(
    epochs: np.ndarray, image: np.ndarray, test: np.ndarray, epoching: Epoching, block: Block
) -> np.ndarray | None:
    """Matrix that whitens the session; None for none. Partitions count alike, as in THINGS-EEG2's preprocessing."""
    if epoching.whitening == "none":
        return None
    partitions = [~test] if epoching.whitening == "training" else [~test, test]
    if not partitions[0].any():
        raise InputError(f"{block.source}: has no training trials in its session, whose noise would whiten it")
    found = []
    for part in partitions:
        if part.any():
            rows = np.flatnonzero(part)
            found.append(noise_covariance(epochs, rows, image[rows], epoching.covariance))
    return inverse_root(np.mean(found, axis=0))
