"""Settings of an ablation: an entry of the section ``ablations``, and the LFT that it differs from."""

from eegdiffusion.events.training.ablation_row import AblationRow
from eegdiffusion.events.training.finetuning_settings import LFTTraining

__all__ = ["AblationRow", "LFTTraining"]
