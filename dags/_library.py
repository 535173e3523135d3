"""Two files of the library that need the standard library alone, loaded by their path: the scheduler has no package.

What they say is said once for ``eeg repro``, the stages and the DAGs: which GPUs are free, and what a stage runs on.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

RUNTIME = Path(__file__).resolve().parents[1] / "eegdiffusion" / "core" / "runtime"


def _load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"_library_{name}", RUNTIME / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{RUNTIME / name}.py: cannot be loaded")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the module of a class
    spec.loader.exec_module(module)
    return module


gpu_leases = _load("gpu_leases")
stage_hardware = _load("stage_hardware")
