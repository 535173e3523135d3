"""Settings of the latent cache."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Positive


@settings
class CacheLatents:
    """Section ``cache_latents``: how the latents of a frozen backbone are computed, for every entry of ``latents``."""

    batch_size: Positive = 16
    """Windows that go through the backbone at once."""
