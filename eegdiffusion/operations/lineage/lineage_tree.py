"""The origin of a result as a tree of lines: stages, what they read, and the recordings at the end."""

from collections.abc import Iterator, Sequence

from eegdiffusion.operations.lineage.cached_outputs import CachedOutputs
from eegdiffusion.operations.lineage.corpus_recordings import LockedCorpus
from eegdiffusion.operations.lineage.locked_graph import LockedGraph, LockedPath, LockedStage
from eegdiffusion.operations.lineage.traced_result import TracedResult

BRANCH, LAST, TRUNK, EMPTY = "├─ ", "└─ ", "│  ", "   "


def lineage_lines(traced: TracedResult, cache: CachedOutputs) -> Iterator[str]:
    """Yield the lines of a result: the tree of its stages, and then the SHA-256 of each recording.

    A stage whose own origin stands further up already is followed by ``(above)``; data that another stage has made
    again since it was read, by ``(made again since)``.

    Args:
        traced: the result.
        cache: DVC's cache.
    """
    number = "" if traced.value is None else f" = {traced.value}"
    yield f"{traced.target}{number}  ({traced.origin})"
    if traced.revision:
        yield f"revision {traced.revision}"
    shown: set[str] = set()
    count = len(traced.outputs)
    for k, (stage, out) in enumerate(traced.outputs):
        yield from _branch(traced.graph, cache, stage, out, "", k == count - 1, shown)
    for corpus in traced.corpora:
        yield from _recordings(corpus)


def _described(path: LockedPath) -> str:
    files = "" if path.files is None else f", {path.files} files"
    return f"{path.path}  md5 {path.md5}{files}"


def _branch(
    graph: LockedGraph,
    cache: CachedOutputs,
    stage: LockedStage,
    data: LockedPath,
    before: str,
    last: bool,
    shown: set[str],
    note: str = "",
) -> Iterator[str]:
    again = stage.name in shown
    yield f"{before}{LAST if last else BRANCH}{stage.name}: {_described(data)}{note}{' (above)' if again else ''}"
    if again:
        return
    shown.add(stage.name)
    before += EMPTY if last else TRUNK
    below = list(_inputs(graph, cache, stage))
    for k, (maker, read, remark) in enumerate(below):
        end = k == len(below) - 1
        if maker is None:
            yield f"{before}{LAST if end else BRANCH}{_described(read)}{remark}"
        else:
            yield from _branch(graph, cache, maker, read, before, end, shown, remark)


def _inputs(
    graph: LockedGraph, cache: CachedOutputs, stage: LockedStage
) -> Iterator[tuple[LockedStage | None, LockedPath, str]]:
    """Yield what a stage has read: who made it, the output or the source, and a remark."""
    for data in stage.data:
        edges = [edge for edge in graph.edges_into(stage) if edge.data == data]
        outputs = [edge.output for edge in edges if edge.output is not None]
        remark = " (made again since)" if outputs and cache.agrees(data, outputs) is False else ""
        for edge in edges:
            # Of a folder that holds several outputs each is named; of a part of an output, the part.
            inside = edge.output is not None and edge.output.path.startswith(f"{data.path}/")
            yield edge.maker, edge.output if inside and edge.output else data, remark


def _recordings(corpus: LockedCorpus) -> Sequence[str]:
    if corpus.recordings is None:
        return [f"{corpus.root.path}: {_described(corpus.root)}; recordings left out"]
    split = max((len(recording.split or "") for recording in corpus.recordings), default=0)
    head = f"{len(corpus.recordings)} recordings of {corpus.entry} in {corpus.root.path}, by SHA-256:"
    return [head] + [
        f"  {recording.sha256}  {recording.split or '':{split}}  {recording.path}"
        + (
            ""
            if recording.recording in (recording.path, recording.path.rpartition(".")[0])
            else f": {recording.recording}"
        )
        for recording in corpus.recordings
    ]
