"""Settings of reconstruction."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Positive
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.metrics.metric_settings import ReconstructionMetrics
from eegdiffusion.images.sgdm.control_settings import ControlSettings


@settings
class Reconstruct:
    """Section ``reconstruct``: how images are made from held-out EEG and scored."""

    repetitions: Positive | None = None
    """Number of repetitions of a test image that are averaged into the EEG of an item; 1 takes single trials, null
    all."""
    samples: Positive = 2
    """Number of images of each item."""
    seed: Count = 0
    """Seed of the noise, which all arms share, and of the controls' order."""
    sampling: Sampling
    """How images are sampled."""
    control: ControlSettings = ControlSettings()
    """How far the ControlNet takes part."""
    metrics: ReconstructionMetrics = ReconstructionMetrics()
    """Metrics of the images."""
