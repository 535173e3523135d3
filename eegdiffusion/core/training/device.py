"""The device on which a process computes, and whether this machine has what the settings ask for."""

import os

import torch

from eegdiffusion.core.runtime.device_name import DEVICE, require_device_name
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.settings import Accelerator


def require_devices(accelerator: Accelerator, devices: int = 1) -> None:
    """Check that this machine has the GPUs that the settings ask for.

    Args:
        accelerator: ``hardware.accelerator``; only ``gpu`` asks for any.
        devices: ``hardware.devices``, GPUs on each machine.

    Raises:
        InputError: there are fewer, or none.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerator != "gpu" or devices <= available:
        return
    if not available:
        raise InputError(
            "params.yaml: hardware.accelerator: is gpu, and PyTorch finds no GPU here; set it to cpu or auto, or give "
            "the task a GPU (EEG_GPUS where it runs in a container of Airflow's)"
        )
    raise InputError(f"params.yaml: hardware.devices: must be at most the {available} GPUs here (found {devices})")


def device_of(accelerator: Accelerator) -> torch.device:
    """Return the GPU where the settings ask for one, or allow one and there is one.

    Raises:
        InputError: the settings ask for a GPU, and there is none.
    """
    require_devices(accelerator)
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def named_device(name: str, setting: str = "--device") -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, ``cuda:1``; or ``auto``, a GPU where there is one.

    Args:
        name: the name.
        setting: option or variable that it was given in, for errors.

    Raises:
        InputError: it is no such name, or this machine has no such GPU.
    """
    require_device_name(name, setting)
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= available:
        gpus = ", ".join(f"cuda:{k}" for k in range(available)) or "none"
        raise InputError(f"{setting}: {name}: is not here; PyTorch finds {gpus}, and cpu")
    return device


def serving_device() -> torch.device:
    """Return the device that a served model computes on: that of the variable ``EEG_DEVICE``, by default ``auto``.

    Raises:
        InputError: it names none, or one that this machine has not.
    """
    return named_device(os.environ.get(DEVICE) or "auto", DEVICE)
