"""Settings of the surrogate corpora."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.features.image_features import OUTPUT

STIMULI = ("objects", "classes", "tangrams")
"""What the corpora show: objects in scenes, few classes of them, or tangrams."""

DEPTHS = (*(f"stage{number}" for number in range(1, 8)), OUTPUT)
"""Layers of the image network, from shallow to deep; see :mod:`eegdiffusion.images.features.efficientnet_lite`."""


@settings
class SurrogateThings:
    """How the corpora are made."""

    seed: Annotated[int, Ge(0)] = 20
    """Seed of everything that is drawn."""
    subjects: Annotated[int, Ge(1)] = 3
    """Number of subjects."""
    concepts: Annotated[int, Ge(4)] = 120
    """Number of training concepts, for each of which a drawing is made."""
    exemplars: Annotated[int, Ge(1)] = 5
    """Number of images of each training concept."""
    test_concepts: Annotated[int, Ge(2)] = 40
    """Number of test concepts, with one image each."""
    test_repetitions: Annotated[int, Ge(1)] = 20
    """Number of repetitions of a test image in each of the four sessions."""
    classes: Annotated[int, Ge(2)] = 10
    """Number of classes of the corpus of classes."""
    class_images: Annotated[int, Ge(2)] = 120
    """Number of training images of each class."""
    class_test_images: Annotated[int, Ge(1)] = 20
    """Number of test images of each class."""
    tangrams: Annotated[int, Ge(4)] = 60
    """Number of training figures of the tangram corpus."""
    test_tangrams: Annotated[int, Ge(2)] = 20
    """Number of test figures of the tangram corpus."""
    sfreq: Annotated[float, Ge(200)] = 250.0
    """Sampling rate of the recordings in Hz; THINGS-EEG2 has 1000."""
    snr: Annotated[float, Gt(0)] = 0.12
    """Image-specific part of a single response over the background, as standard deviations."""
    depth: str = OUTPUT
    """Layer of EfficientNet-lite0 whose activations the later components of the responses follow: ``stage1`` to
    ``stage7``, or ``output``."""

    imagery: Annotated[float, Ge(0), Le(1)] = 0.0
    """Strength of the response to an imagined tangram, as a share of that to one that is seen; 0: none are imagined,
    and the corpus tells no tasks."""
    imagery_delay_s: Annotated[float, Ge(0), Le(0.5)] = 0.15
    """Seconds by which the response to an imagined tangram is later."""

    def __post_init__(self):
        if self.depth not in DEPTHS:
            raise ValueError(f"depth must be one of {', '.join(DEPTHS)} (found {self.depth!r})")
