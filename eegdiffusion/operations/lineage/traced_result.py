"""A result and all that is behind it: stages, data by their hashes, and the recordings of the corpora."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.run_record import RunRecord
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.operations.lineage.cached_outputs import FOLDER, CachedOutputs, file_md5
from eegdiffusion.operations.lineage.corpus_recordings import LockedCorpus
from eegdiffusion.operations.lineage.locked_graph import LockedGraph, LockedPath, LockedStage


@dataclass(frozen=True)
class TracedResult:
    """A result, and what it was made from.

    Attributes:
        target: what was asked for: a number's name, a file, or a version of a registered model.
        origin: where that stands, in words.
        outputs: the outputs that it is of, each with its stage.
        graph: the stages that they rest on, theirs included.
        corpora: the corpora that the graph begins with.
        value: the number, where one was asked for.
        revision: git commit that was registered, where a version was asked for.
        facts: what more is known of the target, such as its registered scores.
    """

    target: str
    origin: str
    outputs: Sequence[tuple[LockedStage, LockedPath]]
    graph: LockedGraph
    corpora: Sequence[LockedCorpus] = ()
    value: object = None
    revision: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


def read_number(file: Path, name: str) -> object:
    """Return a value of a JSON file.

    Args:
        file: the file.
        name: its key, or keys joined by dots.

    Raises:
        InputError: there is no such file or value.
    """
    document = read_json(file)
    if isinstance(document, dict) and name in document:
        return document[name]
    value = document
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            known = list(document) if isinstance(document, dict) else []
            raise InputError(f"{file}: {name}: there is no such number{nearest(name, known)}")
        value = value[part]
    return value


def require_recorded(path: Path, graph: LockedGraph, cache: CachedOutputs) -> None:
    """Check that a file is the one that ``dvc.lock`` speaks of.

    Args:
        path: a file in an output, or one that is an output.
        graph: the graph of ``dvc.lock``.
        cache: DVC's cache.

    Raises:
        InputError: it was changed since, or it cannot be told, as the cache does not have the folder's list of files.
    """
    if not path.is_file():
        return
    for stage, out in graph.outputs_behind(path.as_posix()):
        name = path.as_posix().removeprefix(out.path).lstrip("/")
        manifest = cache.manifest(out.md5) if out.md5.endswith(FOLDER) else {"": out.md5}
        if manifest is None:
            raise InputError(
                f"{out.path}: DVC's cache does not have the list of its files ({out.md5}), so that {path} cannot be "
                f"compared with it; `dvc fetch {out.path}` brings it"
            )
        if manifest.get(name) != file_md5(path):
            raise InputError(
                f"{path}: is not what {stage.name} wrote by dvc.lock; `dvc repro` or `dvc checkout {out.path}`"
            )


def lineage_document(traced: TracedResult, cache: CachedOutputs, records: Sequence[RunRecord]) -> dict:
    """Write a result's origin as values that JSON can hold.

    Args:
        traced: the result.
        cache: DVC's cache, which tells what was made again since it was read.
        records: records of the stages' runs, for when and from which code each ran.
    """
    ran = {"@".join(filter(None, (record.stage, record.item))): record for record in records}
    return {
        "target": traced.target,
        "origin": traced.origin,
        **({} if traced.value is None else {"value": traced.value}),
        **({} if traced.revision is None else {"revision": traced.revision}),
        **({"facts": dict(traced.facts)} if traced.facts else {}),
        "outputs": [_path(out) | {"stage": stage.name} for stage, out in traced.outputs],
        "stages": [_stage(stage, traced.graph, cache, ran.get(stage.name)) for stage in traced.graph.stages.values()],
        "edges": [
            {
                "from": edge.maker and edge.maker.name,
                "output": edge.output and edge.output.path,
                "data": edge.data.path,
                "md5": edge.data.md5,
                "to": edge.reader.name,
            }
            for edge in traced.graph.edges
        ],
        "sources": [
            _path(source) | {"read by": [stage.name for stage in readers]}
            for source, readers in traced.graph.sources().items()
        ],
        "corpora": [
            {
                "entry": corpus.entry,
                "root": corpus.root.path,
                "md5": corpus.root.md5,
                "stage": corpus.stage,
                "recordings": corpus.recordings and [asdict(recording) for recording in corpus.recordings],
            }
            for corpus in traced.corpora
        ],
    }


def _path(path: LockedPath) -> dict:
    return {name: value for name, value in asdict(path).items() if value is not None}


def _stage(stage: LockedStage, graph: LockedGraph, cache: CachedOutputs, record: RunRecord | None) -> dict:
    inputs = []
    for data in stage.data:
        edges = [edge for edge in graph.edges_into(stage) if edge.data == data]
        outputs = [edge.output for edge in edges if edge.output is not None]
        row = _path(data) | {"from": sorted({edge.maker.name for edge in edges if edge.maker is not None})}
        if outputs and cache.agrees(data, outputs) is False:
            row["made again since"] = True
        inputs.append(row)
    ran = {"ended": record.ended, "revision": record.revision} if record else {}
    return {
        "name": stage.name,
        "command": stage.command,
        **ran,
        "inputs": inputs,
        "code": [_path(path) for path in stage.code],
        "outputs": [_path(path) for path in stage.outputs],
    }


def write_document(document: dict) -> str:
    """Return a document as indented JSON."""
    return json.dumps(document, indent=2)
