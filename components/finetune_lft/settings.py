"""Settings of the Latent Fusion Transformer's training."""

from components.settings import settings
from components.training.lft import LFTTraining


@settings
class FinetuneLFT(LFTTraining):
    """Section ``finetune_lft``."""

    latents: str
    """Entry of the section latents."""
