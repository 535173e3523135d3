"""Settings of the Latent Fusion Transformer's training."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.events.training.finetuning import LFTTraining


@settings
class FinetuneLFT(LFTTraining):
    """Section ``finetune_lft``."""

    latents: str
    """Entry of the section ``latents``."""
    corpus: str
    """Entry of the section ``event_corpora`` that the latents are of."""
