"""Settings of the latent cache."""

from components.settings import settings
from components.training.settings import Positive


@settings
class CacheLatents:
    """Section ``cache_latents``."""

    batch_size: Positive
    """Windows that go through the backbone at once."""
