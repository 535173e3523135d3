"""Pictures for tests: OpenMoji drawings in scenes, as the surrogate of THINGS has them."""

from functools import cache

import numpy as np
from PIL import Image

from eegdiffusion.surrogate.things.objects import draw_images
from eegdiffusion.surrogate.things.things_settings import SurrogateThings
from tests.surrogate_source import CACHE


@cache
def scenes(count: int, side: int = 64) -> np.ndarray:
    """Draw so many scenes, each of another concept: (count, side, side, 3) uint8."""
    others = {"subjects": 2, "test_repetitions": 2, "tangrams": 4, "test_tangrams": 2, "snr": 5.0}
    options = SurrogateThings(concepts=4, exemplars=2, test_concepts=count, **others)
    pictures, training = draw_images(CACHE, options, np.random.default_rng(0))
    small = [picture.resize((side, side), Image.Resampling.LANCZOS) for _, picture in pictures[training:]]
    found = np.stack([np.asarray(picture) for picture in small])
    found.flags.writeable = False  # it is shared
    return found
