"""Names of devices as PyTorch has them, checked without PyTorch, which takes seconds to load."""

import re

from eegdiffusion.core.runtime.errors import InputError

DEVICE = "EEG_DEVICE"
"""Environment variable that names the device of models that are loaded from the registry or served."""


def require_device_name(name: str, setting: str) -> None:
    """Check that a text names a device, whether or not there is one.

    Args:
        name: the text.
        setting: option or variable that it was given in, for the error.

    Raises:
        InputError: it is none of ``cpu``, ``cuda``, ``cuda:<number>`` and ``auto``.
    """
    if not re.fullmatch(r"cpu|auto|cuda(:\d{1,3})?", name):
        raise InputError(f"{setting}: must be cpu, cuda, cuda:N with the number of a GPU, or auto (found {name})")
