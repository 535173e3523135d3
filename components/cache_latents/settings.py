"""Settings of the latent cache."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Positive


@settings
class CacheLatents:
    """Section ``cache_latents``."""

    batch_size: Positive
    """Windows that go through the backbone at once."""
