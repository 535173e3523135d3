"""Settings of the Latent Fusion Transformer's training."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.events.training.finetuning_settings import LFTTraining


@settings
class FinetuneLFT(LFTTraining):
    """Section ``finetune_lft``: what the LFT is trained on and how; ablations are trained by it as well."""
