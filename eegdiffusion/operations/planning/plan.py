"""What every stage of a graph takes before it runs: time, memory and disk, here and on a GPU that is named."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import settings, validate
from eegdiffusion.core.runtime.yaml_text import parse_yaml
from eegdiffusion.operations.planning.cost_rules import rule_of
from eegdiffusion.operations.planning.machine_rates import (
    GPU_CONTEXT,
    MIXED_BYTES,
    REFERENCE_LOOP_S,
    Rates,
)
from eegdiffusion.operations.planning.schedule import Schedule, schedule
from eegdiffusion.operations.planning.stage_cost import Phase, Planned, StageCost


@settings
class StageStart:
    """What a stage's process takes before it begins with its work: an entry of ``stage_starts.yaml``."""

    seconds: float
    """CPU seconds on the reference machine."""
    memory: float
    """Memory of the process in MiB."""


@cache
def stage_starts() -> dict[str, StageStart]:
    """Return what the processes of all stages take to begin with, by stage."""
    path = files("eegdiffusion.operations.planning").joinpath("stage_starts.yaml")
    return validate(parse_yaml(path.read_text("utf-8"), str(path)), dict[str, StageStart], str(path))


@dataclass(frozen=True)
class Machine:
    """What stages would run on.

    Attributes:
        processors: rates of the processors, with the threads that a stage gets.
        cores: cores that a stage gets.
        memory: bytes of memory for all stages that run at a time.
        disk: bytes that are free.
        gpu: rates of a GPU; None: networks run on the processors.
        gpus: number of GPUs.
        devices: GPUs that a training takes.
        precision: ``hardware.precision``.
    """

    processors: Rates
    cores: int
    memory: int
    disk: int
    gpu: Rates | None = None
    gpus: int = 1
    devices: int = 1
    precision: str = "32-true"


@dataclass(frozen=True)
class PlannedStage:
    """A stage before it runs.

    Attributes:
        name: its name in the graph.
        steps: steps of training, at most.
        seconds: time on the processors, or with the GPUs where they are planned with, at most.
        least_s: time without steps of training, which may stop early.
        gpu_bytes: memory of a GPU; None where networks run on the processors, or there are none.
        host_bytes: memory of the process.
        output_bytes: bytes of its outputs.
        work_bytes: bytes of unfinished work while it runs.
        gpus: GPUs that it takes.
        notes: what is assumed.
    """

    name: str
    steps: int
    seconds: float
    least_s: float
    gpu_bytes: int | None
    host_bytes: int
    output_bytes: int
    work_bytes: int
    gpus: int
    notes: Sequence[str]


@dataclass(frozen=True)
class Plan:
    """The stages of a graph before they run.

    Attributes:
        stages: the stages, in the order of the graph.
        unplanned: stages of which too little is known, and what to do about it.
        schedule: how they run side by side.
        problems: what does not fit.
    """

    stages: Sequence[PlannedStage]
    unplanned: Mapping[str, str]
    schedule: Schedule
    problems: Sequence[str]

    @property
    def output_bytes(self) -> int:
        """Bytes of all outputs."""
        return sum(stage.output_bytes for stage in self.stages)

    def disk_bytes(self, jobs: int) -> int:
        """Return the bytes of outputs and of the unfinished work of as many stages as run at a time."""
        largest = sorted((stage.work_bytes for stage in self.stages), reverse=True)[:jobs]
        return self.output_bytes + sum(largest)


def phase_seconds(phase: Phase, machine: Machine) -> float:
    """Return the seconds of a part of a stage, each time."""
    speed = (machine.processors.loop_s or REFERENCE_LOOP_S) / REFERENCE_LOOP_S
    cores = machine.cores if phase.cores == 0 else min(phase.cores, machine.cores)
    if machine.gpu is not None and phase.on_gpu:
        computed = machine.gpu.seconds(phase.operations, machine.devices if phase.stops_early else 1)
    else:
        computed = machine.processors.seconds(phase.operations)
    return computed + speed * phase.reference_s / cores


def stage_plan(name: str, stage: str, cost: StageCost, machine: Machine, shares: float = 1.0) -> PlannedStage:
    """Return what a stage takes on a machine.

    Args:
        name: of the stage in the graph.
        stage: its name without that of the item.
        cost: what its rule says.
        machine: what it runs on.
        shares: share of the trainings' steps that are taken.
    """
    start = stage_starts()[stage]
    begin = start.seconds * (machine.processors.loop_s or REFERENCE_LOOP_S) / REFERENCE_LOOP_S
    parts = [(phase.stops_early, phase.count * phase_seconds(phase, machine)) for phase in cost.phases]
    untrained_s = begin + sum(seconds for trained, seconds in parts if not trained)
    trained = sum(seconds for trained, seconds in parts if trained)
    on_gpu = machine.gpu is not None and any(phase.on_gpu and phase.operations.calls for phase in cost.phases)
    devices = machine.devices if cost.steps else 1
    host, gpu_bytes = round(start.memory * 2**20) + cost.host_bytes, None
    if on_gpu:
        half = MIXED_BYTES if machine.precision != "32-true" else 1.0
        gpu_bytes = GPU_CONTEXT + cost.state_bytes + round(cost.activation_bytes * half / devices)
        host += 1_500_000_000 + cost.state_bytes // 2  # CUDA's libraries, and weights on their way
    else:
        host += cost.state_bytes + cost.activation_bytes
    return PlannedStage(
        name, cost.steps, untrained_s + shares * trained, untrained_s, gpu_bytes, host, cost.output_bytes,
        cost.work_bytes, devices if on_gpu else 0, cost.notes,
    )  # fmt: skip


def stage_costs(planned: Planned, names: Collection[str]) -> tuple[dict[str, StageCost], dict[str, str]]:
    """Return what stages take by their rules, and why of some it cannot be told.

    Args:
        planned: settings and sizes.
        names: names of stages in the graph, ``stage@item``.
    """
    costs, unplanned = {}, {}
    for name in names:
        stage, _, key = name.partition("@")
        try:
            item: dict[str, Any] = contract.item_of(contract.read(stage), name) if key else {}
            costs[name] = rule_of(stage)(planned, item)
        except InputError as error:
            unplanned[name] = str(error)
    return costs, unplanned


def make_plan(
    planned: Planned, upstream: Mapping[str, Collection[str]], names: Collection[str], machine: Machine, jobs: int
) -> Plan:
    """Plan stages.

    Args:
        planned: settings and sizes.
        upstream: stage -> the stages that it waits for.
        names: the stages that would run.
        machine: what they run on.
        jobs: stages at a time.
    """
    costs, unplanned = stage_costs(planned, names)
    stages = [stage_plan(name, name.partition("@")[0], cost, machine) for name, cost in costs.items()]
    seconds, gpus_of = {stage.name: stage.seconds for stage in stages}, {stage.name: stage.gpus for stage in stages}
    laid_out = schedule(upstream, seconds, jobs, gpus_of, machine.gpus if machine.gpu else 0)
    plan = Plan(stages, unplanned, laid_out, [])
    return Plan(stages, unplanned, laid_out, list(_problems(plan, machine, jobs)))


def _problems(plan: Plan, machine: Machine, jobs: int):
    if (needed := plan.disk_bytes(jobs)) > machine.disk:
        yield f"disk: {_gigabytes(needed)} are needed, {_gigabytes(machine.disk)} are free"
    for stage in plan.stages:
        if stage.host_bytes > machine.memory:
            held, free = _gigabytes(stage.host_bytes), _gigabytes(machine.memory)
            yield f"memory: {stage.name} needs {held}, and {free} may be used"
        if machine.gpu and stage.gpu_bytes and machine.gpu.memory and stage.gpu_bytes > machine.gpu.memory:
            held, capacity = _gigabytes(stage.gpu_bytes), _gigabytes(machine.gpu.memory)
            yield f"GPU memory: {stage.name} needs {held}, and {machine.gpu.name} has {capacity}"
    together = sum(sorted((stage.host_bytes for stage in plan.stages), reverse=True)[:jobs])
    if jobs > 1 and together > machine.memory:
        yield f"memory: the largest {jobs} stages need {_gigabytes(together)} together, of {_gigabytes(machine.memory)}"


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
