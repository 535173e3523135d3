"""Settings that the reconstruction of images by any system has."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Positive
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.metrics.metric_settings import ReconstructionMetrics


@settings
class Reconstruction:
    """How images are made from held-out EEG and scored."""

    repetitions: Positive | None = None
    """Number of repetitions of a test image that are averaged into the EEG of an item; 1 takes single trials, null
    all."""
    samples: Positive = 2
    """Number of images of each item."""
    seed: Count = 0
    """Seed of the noise, which all arms share, and of the controls' order."""
    sampling: Sampling
    """How images are sampled."""
    metrics: ReconstructionMetrics = ReconstructionMetrics()
    """Metrics of the images."""
