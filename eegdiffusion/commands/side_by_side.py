"""The stages of the graph side by side on one machine, without Airflow.

Each stage is a ``dvc repro`` of its own, with its share of the cores: what is up to date is skipped, and a graph that
was interrupted goes on where it ended. Of the stages that are ready the one with the longest way to go begins first;
stages that take GPUs begin while there are free ones, and others fill the places beside them.
"""

import os
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from eegdiffusion.core.runtime.allotment import CORES_OF_TASK, THREADS
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.processes import ending_children
from eegdiffusion.core.runtime.settings import PARAMS, load
from eegdiffusion.core.runtime.stage_hardware import SECTION, gpus_of, hardware_of
from eegdiffusion.core.runtime.threads import threads_of_each
from eegdiffusion.operations.orchestration.dvc_command import dvc_words

LOGS = Path(".work") / "stages"
"""Folder of what the stages print, progress bars among it."""

type Upstream = Mapping[str, frozenset[str]]
"""stage -> the stages that it waits for."""


class StageFailedError(Exception):
    """A stage ended with an error; it has the stage's name."""


def read_graph(root: Path) -> Upstream:
    """Read the stages of a repository from DVC, in the order of ``dvc.yaml``.

    Raises:
        InputError: DVC refuses its graph.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repository:
            graph = repository.index.graph
            return {
                stage.addressing: frozenset(other.addressing for other in graph.successors(stage) if other.cmd)
                for stage in repository.index.stages
                if stage.cmd
            }
    except DvcException as error:
        raise InputError(f"{root}/dvc.yaml: {error}") from error


def missing_sources(root: Path) -> dict[str, str]:
    """Return the stages whose data no stage makes and that are not there, each with the path of one.

    Args:
        root: the repository.

    Raises:
        InputError: DVC refuses its graph.
    """
    from dvc.dependency.param import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repository:
            stages = [stage for stage in repository.index.stages if stage.cmd]
            outputs = [Path(out.fs_path) for stage in repository.index.stages for out in stage.outs]
            missing = {}
            for stage in stages:
                for dep in stage.deps:
                    path = Path(dep.fs_path)
                    if isinstance(dep, ParamsDependency) or path.exists():
                        continue
                    if not any(path.is_relative_to(out) or out.is_relative_to(path) for out in outputs):
                        missing[stage.addressing] = str(dep)
            return missing
    except DvcException as error:
        raise InputError(f"{root}/dvc.yaml: {error}") from error


def stages_named(upstream: Upstream, names: Collection[str]) -> set[str]:
    """Return the stages of these names: one item (``train@a``), or all of a stage (``train``).

    Raises:
        InputError: there is no such stage; the message names those that are called alike.
    """
    known = {base for stage in upstream for base in (stage, stage.partition("@")[0])}
    for name in names:
        if name not in known:
            raise InputError(f"dvc.yaml: there is no stage {name}{nearest(name, known)}")
    return {stage for stage in upstream if {stage, stage.partition("@")[0]} & set(names)}


def chosen(upstream: Upstream, without: Collection[str], targets: Collection[str] = ()) -> list[str]:
    """Return the names of stages, those with the longest way to go first; of equals, those that more others wait for.

    Args:
        upstream: the graph.
        without: stages, or groups of them, that are left out together with all that follows them.
        targets: stages that are wanted, with all that they wait for; all when empty.

    Raises:
        InputError: there is no such stage.
    """
    downstream = {name: [after for after, before in upstream.items() if name in before] for name in upstream}

    @cache
    def following(name: str) -> frozenset[str]:
        return frozenset(downstream[name]).union(*map(following, downstream[name]))

    @cache
    def preceding(name: str) -> frozenset[str]:
        return upstream[name].union(*map(preceding, upstream[name]))

    @cache
    def way(name: str) -> int:
        return 1 + max(map(way, downstream[name]), default=0)

    left_out = stages_named(upstream, without)
    left_out |= {after for name in left_out for after in following(name)}
    wanted = stages_named(upstream, targets) or set(upstream)
    wanted |= {before for name in wanted for before in preceding(name)}
    names = [name for name in upstream if name in wanted - left_out]
    return sorted(names, key=lambda name: (way(name), len(following(name))), reverse=True)


def gpus_of_stages(root: Path) -> dict[str, int]:
    """Return how many GPUs each stage of ``dvc.yaml`` takes, by its name without the item, of those that take any.

    Args:
        root: the repository.

    Raises:
        InputError: the section ``hardware`` of ``params.yaml`` is no mapping.
    """
    hardware = load(root / PARAMS).get(SECTION, {}) if (root / PARAMS).is_file() else {}
    counts: dict[str, int] = {}
    try:
        for name, entry in load(root / "dvc.yaml")["stages"].items():
            body = entry.get("do", entry)
            asked = ((body.get("meta") or {}).get("airflow") or {}).get("gpus", 0)
            if count := gpus_of(hardware_of(hardware, name), body.get("params") or (), asked):
                counts[name] = count
    except ValueError as error:
        raise InputError(f"{PARAMS}: {error}") from error
    return counts


def _first_startable(ready: list[str], needs: Mapping[str, int], free: int) -> str | None:
    """Return the first stage that is ready and whose GPUs are free; None where all wait for GPUs.

    A stage that wants several is passed by those that want none alone, or it would never begin.
    """
    for name in ready:
        wanted = needs.get(name.partition("@")[0], 0)
        if wanted <= free:
            return name
        free = 0
    return None


def run(
    upstream: Upstream, names: list[str], jobs: int, needs: Mapping[str, int] | None = None, gpus: int = 0
) -> Iterator[tuple[str, float | None]]:
    """Run stages, ``jobs`` at a time.

    Args:
        upstream: the graph.
        names: stages of it; of those that are ready the earlier one begins first.
        jobs: stages at a time.
        needs: GPUs that stages take, by the stage's name without its item; others take none.
        gpus: GPUs that there are; 0: stages take none.

    Yields:
        each stage as it begins, with None, and as it ends, with the seconds that it has taken.

    Raises:
        StageFailedError: a stage did; those that ran beside it have ended, and no other was begun.
    """
    sorter = TopologicalSorter({name: upstream[name] & set(names) for name in names})
    sorter.prepare()
    wanted = dict(needs or {}) if gpus else {}
    share = str(threads_of_each(jobs))
    environment = os.environ | {THREADS: share, CORES_OF_TASK: share}
    ready: list[str] = []
    running: dict[Future, tuple[str, float]] = {}
    failed = None
    LOGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool, ending_children():
        while running or (sorter.is_active() and not failed):
            ready = sorted([*ready, *sorter.get_ready()], key=names.index)
            while len(running) < jobs and not failed:
                busy = sum(wanted.get(name.partition("@")[0], 0) for name, _ in running.values())
                # One that wants more than there are is started, and says so.
                name = _first_startable(ready, wanted, gpus - busy if running else max(wanted.values(), default=0))
                if name is None:
                    break
                ready.remove(name)
                running[pool.submit(_repro, name, environment)] = name, time.monotonic()
                yield name, None
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name, begun = running.pop(future)
                if future.result():
                    failed = failed or name
                    continue
                sorter.done(name)
                yield name, time.monotonic() - begun
    if failed:
        raise StageFailedError(failed)


def _repro(name: str, environment: dict[str, str]) -> int:
    words = dvc_words("--wait-for-lock", "repro", "--single-item", name)
    with (LOGS / f"{name}.log").open("w") as log:
        return subprocess.run(words, env=environment, stdout=log, stderr=subprocess.STDOUT).returncode
