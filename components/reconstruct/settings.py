"""Settings of reconstruction."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Positive
from eegdiffusion.images.generation.image_sampling import Sampling
from eegdiffusion.images.metrics.metric_settings import ReconstructionMetrics
from eegdiffusion.images.sgdm.sgdm import Control


@settings
class Reconstruct:
    """Section ``reconstruct``."""

    repetitions: Positive | None
    """Of a test image that are averaged into the EEG of an item; 1: single trials; null: all."""
    samples: Positive
    """Pictures of each item."""
    seed: Count
    sampling: Sampling
    control: Control
    metrics: ReconstructionMetrics
