"""The graph of the clone's ``dvc.lock``, with DVC's cache and hashes at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eegdiffusion.core.observe.tracking import dvc_lock
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.lineage.cached_outputs import CachedOutputs
from eegdiffusion.operations.lineage.corpus_recordings import locked_corpora
from eegdiffusion.operations.lineage.locked_graph import LockedGraph, read_locked_graph
from eegdiffusion.operations.lineage.traced_result import TracedResult

if TYPE_CHECKING:
    from dvc.repo import Repo


@dataclass(frozen=True)
class WorkspaceGraph:
    """What ``dvc.lock`` holds of the stages that ``dvc.yaml`` has now.

    Attributes:
        graph: the graph.
        cache: DVC's cache.
        lock: text of ``dvc.lock``.
        repository: DVC's view of the clone.
    """

    graph: LockedGraph
    cache: CachedOutputs
    lock: str
    repository: "Repo"

    def hash_now(self, folder: Path) -> str:
        """Return DVC's hash of a folder as it is now; what DVC has hashed before is not read again."""
        from dvc.fs import localfs
        from dvc_data.hashfile.build import build

        cache, ignore = self.repository.cache.local, self.repository.dvcignore
        *_, tree = build(cache, str(folder.absolute()), localfs, "md5", dry_run=True, ignore=ignore)
        return str(tree.hash_info.value)

    def with_corpora(self, traced: TracedResult, recordings: bool = True) -> TracedResult:
        """Add the corpora that a result begins with.

        Args:
            traced: the result.
            recordings: whether their recordings are wanted; see :func:`.locked_corpora` for the errors.
        """
        corpora = list(locked_corpora(traced.graph, self.cache, self.hash_now, recordings))
        return replace(traced, corpora=corpora)


@contextmanager
def open_workspace_graph() -> Iterator[WorkspaceGraph]:
    """Open the graph of the clone that is the working folder.

    Raises:
        InputError: nothing was run here yet.
    """
    from dvc.repo import Repo

    text = dvc_lock.read()
    if text is None:
        raise InputError(f"{dvc_lock.PATH}: is not here; `dvc repro` writes it")
    recorded = read_locked_graph(text)
    with Repo() as repository:
        graph = recorded.having(stage.addressing for stage in repository.index.stages)
        yield WorkspaceGraph(graph, CachedOutputs(Path(repository.cache.local_cache_dir)), text, repository)
