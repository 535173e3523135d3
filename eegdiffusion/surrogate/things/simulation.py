"""What the corpora of objects and of tangrams have in common: responses of subjects to images."""

from collections.abc import Iterator
from functools import cache as remembered
from pathlib import Path

import numpy as np
from PIL import Image

from eegdiffusion.images.features.efficientnet_lite import image_layers, load_efficientnet
from eegdiffusion.surrogate.things.responses import (
    Background,
    draw_observer,
    low_level_features,
    response_strengths,
    resting_background,
)
from eegdiffusion.surrogate.things.things_settings import SurrogateThings
from eegdiffusion.surrogate.tuev.aeon_neuro import read_source

POSTERIOR = slice(46, 63)
"""The 17 electrodes whose background the signal-to-noise ratio refers to."""


@remembered
def load_background(cache: Path, sfreq: float) -> Background:
    """Read the real EEG at rest, resampled to ``sfreq`` Hz; once in a process."""
    return resting_background(read_source(cache), sfreq)


def simulate_subjects(
    images: list[Image.Image], fitted: np.ndarray, cache: Path, options: SurrogateThings
) -> Iterator[tuple[Background, np.ndarray]]:
    """Simulate the responses of each subject.

    Args:
        images: all images of the corpus.
        fitted: (images,) bool, the training images.
        cache: folder of downloads.
        options: settings.

    Yields:
        background, and responses (images, 63, samples) in microvolts.
    """
    background = load_background(cache, options.sfreq)
    features = image_layers(load_efficientnet(cache), images, [options.depth])[options.depth]
    strength = response_strengths(low_level_features(images), features, fitted)
    deviation = options.snr * float(np.mean([part[POSTERIOR].std() for part in background.parts]))
    for number in range(1, options.subjects + 1):
        yield background, draw_observer(options.seed, number, options.sfreq, deviation).responses(strength)
