"""The device on which a single process evaluates."""

import torch

from eegdiffusion.core.training.settings import Accelerator


def device_of(accelerator: Accelerator) -> torch.device:
    """Return the GPU where the settings ask for one, or allow one and there is one."""
    on_gpu = accelerator == "gpu" or (accelerator == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if on_gpu else "cpu")
