"""The section ``hardware``: what stages run on and what an orchestrator gives them, of all and of each."""

from dataclasses import field
from typing import Annotated

from annotated_types import Gt

from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.settings import PARAMS, settings
from eegdiffusion.core.runtime.stage_hardware import BY_STAGE, SECTION
from eegdiffusion.core.training.settings import Accelerator, Count, Hardware, Positive

Minutes = Annotated[int, Gt(0)]


@settings
class StageHardware:
    """What is otherwise for one stage; what is not set is as for all. Precision is one for all: it changes numbers."""

    accelerator: Accelerator | None = None
    """What the stage runs on."""
    devices: Positive | None = None
    """Number of processes on each node that the stage trains with, one for each GPU."""
    nodes: Positive | None = None
    """Number of machines that the stage trains on together."""
    loader_workers: Count | None = None
    """Number of processes that read batches."""
    cpus: Positive | None = None
    """Number of cores that an orchestrator gives the stage."""
    memory_gb: Positive | None = None
    """Memory in GB that an orchestrator gives the stage, with what it shares."""
    shm_gb: Positive | None = None
    """Shared memory in GB that an orchestrator gives the stage, for batches of the loader's processes."""
    timeout_min: Minutes | None = None
    """Minutes after which an orchestrator ends the stage; its next try goes on at the last checkpoint."""


@settings
class HardwareSection(Hardware):
    """Section ``hardware``: what all stages run on, and what is otherwise for some."""

    cpus: Positive | None = None
    """Number of cores that an orchestrator gives each stage; null: as `meta.airflow` of `dvc.yaml` says."""
    memory_gb: Positive | None = None
    """Memory in GB that an orchestrator gives each stage, shared memory included; null: as `dvc.yaml` says."""
    shm_gb: Positive | None = None
    """Shared memory in GB that an orchestrator gives each stage; null: as `dvc.yaml` says."""
    timeout_min: Minutes | None = None
    """Minutes after which an orchestrator ends a stage; null: as `dvc.yaml` says."""
    stages: dict[str, StageHardware] = field(default_factory=dict)
    """What is otherwise for a stage, by its name, e.g. `{pretrain_ssmdp: {devices: 4, timeout_min: 20160}}`."""


def require_stages(hardware: HardwareSection) -> None:
    """Check that what is otherwise for a stage is of a stage that there is.

    Raises:
        InputError: there is no such stage; the message names the one that is most like it.
    """
    for name in hardware.stages:
        if name not in (names := contract.stage_names()):
            where = f"{PARAMS}: {SECTION}.{BY_STAGE}.{name}"
            raise InputError(f"{where}: there is no such stage{nearest(name, names)}")
