"""Settings of the training for a task: an entry of the section ``event_tasks``, and the LFT that it differs from."""

from eegdiffusion.events.training.event_task import EventTask
from eegdiffusion.events.training.finetuning_settings import LFTTraining

__all__ = ["EventTask", "LFTTraining"]
