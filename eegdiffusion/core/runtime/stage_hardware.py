"""What one stage runs on: the section ``hardware`` of ``params.yaml``, with what it says of this stage alone.

The standard library alone: Airflow's scheduler, which has no package of this project, loads this file by its path.
"""

from collections.abc import Collection, Mapping
from typing import Any

SECTION = "hardware"
"""Section of ``params.yaml`` that says how a run goes: where, on how many devices, with how many workers, for how long.

DVC watches only those of its fields that a stage's contract declares, as they change numbers (``hardware.precision``).
"""

BY_STAGE = "stages"
"""Field of it with what is otherwise for some stages, by their names."""

RESERVED = ("cpus", "memory_gb", "shm_gb", "timeout_min")
"""Fields that an orchestrator gives a stage; where they are not set, ``meta.airflow`` of ``dvc.yaml`` says them."""

TRAINS = "hardware.precision"
"""What a stage that trains declares among its parameters; others compute on one device."""


def hardware_of(section: Any, stage: str) -> dict[str, Any]:
    """Return what a stage runs on: what is said of all stages, and in its place what is said of this one.

    Args:
        section: the section ``hardware``.
        stage: name of the stage, without its item.

    Raises:
        ValueError: the section, or what it says of the stage, is no mapping; the message begins with the field's name.
    """
    if not isinstance(section, Mapping):
        raise ValueError(f"{SECTION}: must be a mapping (found {section!r})")
    by_stage = section.get(BY_STAGE) or {}
    own = by_stage.get(stage) if isinstance(by_stage, Mapping) else by_stage
    if own and not isinstance(own, Mapping):
        raise ValueError(f"{SECTION}.{BY_STAGE}: must be a mapping of fields by stage (found {own!r})")
    common = {name: value for name, value in section.items() if name != BY_STAGE}
    return common | {name: value for name, value in (own or {}).items() if value is not None}


def gpus_of(hardware: Mapping[str, Any], params: Collection[str], asked: int) -> int:
    """Return how many GPUs a stage takes: none where it runs on the CPU, and more than one only where it trains.

    Args:
        hardware: what :func:`hardware_of` returns; without an accelerator, as with ``auto``.
        params: what the stage declares among the ``params`` of ``dvc.yaml``.
        asked: ``gpus`` of the stage's ``meta.airflow``, where 0 says that it has no use for one.
    """
    if hardware.get("accelerator", "auto") == "cpu" or not asked:
        return 0
    return int(hardware.get("devices") or asked) if TRAINS in params else asked
