"""GPUs by name, with their makers' rates."""

from functools import cache
from importlib.resources import files

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.settings import settings, validate
from eegdiffusion.core.runtime.yaml_text import parse_yaml


@settings
class GPU:
    """An entry of ``gpus.yaml``."""

    memory: float
    """Memory in GB."""
    bandwidth: float
    """Bandwidth of the memory in GB/s."""
    single: float
    """Rate in single precision in TFLOP/s."""
    half: float
    """Rate of the matrix units in half precision in TFLOP/s."""


@cache
def gpus() -> dict[str, GPU]:
    """Return the GPUs that are known, by name."""
    path = files("eegdiffusion.operations.planning").joinpath("gpus.yaml")
    return validate(parse_yaml(path.read_text("utf-8"), str(path)), dict[str, GPU], str(path))


def find_gpu(name: str) -> GPU:
    """Return a GPU of the table.

    Raises:
        InputError: the table has no such GPU.
    """
    if name.lower() not in gpus():
        raise InputError(f"--gpu: must be one of {', '.join(gpus())} (found {name}){nearest(name, gpus())}")
    return gpus()[name.lower()]
