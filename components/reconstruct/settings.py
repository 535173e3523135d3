"""Settings of reconstruction."""

from components.evaluation.reconstruction_settings import ReconstructionMetrics
from components.models.image_sampling import Sampling
from components.models.sgdm import Control
from components.settings import settings
from components.training.settings import Count, Positive


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
