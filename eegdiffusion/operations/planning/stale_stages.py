"""Which stages of the graph would run, as DVC sees them, and the graph of settings that are not in place."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import PARAMS

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

GRAPH, LOCK = "dvc.yaml", "dvc.lock"

Upstream = dict[str, frozenset[str]]
"""stage -> the stages that it waits for."""


def read_stages(root: Path, uninitialised: bool = False) -> Upstream:
    """Read the stages of a folder from DVC, by name, in the order of ``dvc.yaml``.

    Args:
        root: folder with ``dvc.yaml``.
        uninitialised: whether DVC has not been set up in it.

    Raises:
        InputError: DVC refuses its graph.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root), uninitialized=uninitialised) as repository:
            graph = repository.index.graph
            return {
                stage.name: frozenset(other.name for other in graph.successors(stage) if other.cmd)
                for stage in repository.index.stages
                if stage.cmd
            }
    except DvcException as error:
        raise InputError(f"{root}/{GRAPH}: {error}") from error


@contextmanager
def _graph_of(document: Mapping[str, Any]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="eeg-plan-") as folder:
        shutil.copy(GRAPH, folder)
        (Path(folder) / PARAMS).write_text(yaml.safe_dump(dict(document)))
        yield Path(folder)


def stages_of(document: Mapping[str, Any]) -> Upstream:
    """Return the stages that ``dvc.yaml`` has under other settings than those in place.

    Raises:
        InputError: DVC refuses the graph.
    """
    with _graph_of(document) as folder:
        return read_stages(folder, uninitialised=True)


def stale_stages(upstream: Upstream) -> list[str]:
    """Return the stages that ``dvc repro`` would run: those that never ran, that changed, and all that follow them.

    DVC is asked of a stage only where all that it waits for is up to date, so that no corpus is hashed for it; its lock
    is not taken, as a plan is asked for while stages run, too.

    Args:
        upstream: the graph of the clone that is the working folder.
    """
    from graphlib import TopologicalSorter

    from dvc.repo import Repo

    lock = Path(LOCK)
    known = set((yaml.load(lock.read_text(), _LOADER) or {}).get("stages") or ()) if lock.is_file() else set()
    stale: set[str] = set()
    with Repo() as repository:
        stages = {stage.name: stage for stage in repository.index.stages if stage.cmd}
        for name in TopologicalSorter(upstream).static_order():
            if name not in known or upstream[name] & stale or _has_changed(stages[name]):
                stale.add(name)
    return [name for name in upstream if name in stale]


def _has_changed(stage: "PipelineStage") -> bool:
    """Whether a stage's command, or a file or setting that it reads or writes, is not what ``dvc.lock`` says."""
    return stage.changed_stage() or any(each.status() for each in (*stage.deps, *stage.outs))


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
