"""The graph that ``dvc.lock`` holds: which stage made which output from what, by content."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import yaml

from eegdiffusion.core.runtime.closure import is_code
from eegdiffusion.core.runtime.errors import InputError


@dataclass(frozen=True)
class LockedPath:
    """A file or folder that a stage has read or written.

    Attributes:
        path: path in the repository, or wherever a corpus lies.
        md5: DVC's hash of its content, which ends with ``.dir`` where it is a folder.
        size: bytes; None where DVC did not say it.
        files: number of files; None of a file.
    """

    path: str
    md5: str
    size: int | None = None
    files: int | None = None


@dataclass(frozen=True)
class LockedStage:
    """A stage as it ran last.

    Attributes:
        name: DVC's name, e.g. ``finetune_lft@recorded-0``.
        command: what was run.
        data: dependencies that are no code of the project.
        code: folders of code that it depended on.
        outputs: what it wrote.
        params: file -> section or field -> value that it depended on.
    """

    name: str
    command: str
    data: tuple[LockedPath, ...]
    code: tuple[LockedPath, ...]
    outputs: tuple[LockedPath, ...]
    params: Mapping[str, Mapping[str, object]]

    @property
    def component(self) -> str:
        """Name of the stage without its item, e.g. ``finetune_lft``."""
        return self.name.partition("@")[0]


@dataclass(frozen=True)
class Edge:
    """Data that went from one stage to another.

    Attributes:
        output: what was written, or None of what no stage wrote, such as a corpus.
        maker: who wrote it, or None.
        data: what was read: the output, a part of it, or a folder that holds it.
        reader: who read it.
    """

    output: LockedPath | None
    maker: LockedStage | None
    data: LockedPath
    reader: LockedStage


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _locked_path(entry: Mapping) -> LockedPath:
    return LockedPath(str(entry["path"]), str(entry["md5"]), entry.get("size"), entry.get("nfiles"))


class LockedGraph:
    """The stages of ``dvc.lock``, and what leads from one to another.

    Args:
        stages: the stages, by name.
    """

    def __init__(self, stages: Mapping[str, LockedStage]):
        self.stages = dict(stages)

    def outputs_behind(self, path: str) -> list[tuple[LockedStage, LockedPath]]:
        """Return the outputs that a path is, is in, or holds, each with its stage."""
        return [
            (stage, out)
            for stage in self.stages.values()
            for out in stage.outputs
            if _lies_in(path, out.path) or _lies_in(out.path, path)
        ]

    @cached_property
    def edges(self) -> list[Edge]:
        """All edges, in the order of ``dvc.lock``; data that no stage wrote have one without a maker."""
        edges = []
        for reader in self.stages.values():
            for data in reader.data:
                behind = [(maker, out) for maker, out in self.outputs_behind(data.path) if maker is not reader]
                edges += [Edge(out, maker, data, reader) for maker, out in behind] or [Edge(None, None, data, reader)]
        return edges

    def edges_into(self, stage: LockedStage) -> list[Edge]:
        """Return the edges into a stage."""
        return [edge for edge in self.edges if edge.reader is stage]

    def upstream(self, names: Collection[str]) -> "LockedGraph":
        """Return the part of the graph that these stages rest on, themselves included."""
        waiting, names_above = list(names), dict.fromkeys(names)
        while waiting:
            stage = self.stages[waiting.pop()]
            makers = {edge.maker.name for edge in self.edges_into(stage) if edge.maker}
            waiting += makers - names_above.keys()
            names_above |= dict.fromkeys(sorted(makers))
        return self.having(names_above)

    def having(self, names: Iterable[str]) -> "LockedGraph":
        """Return the graph of these stages alone: DVC leaves those of earlier versions in the file."""
        wanted = set(names)
        return LockedGraph({name: stage for name, stage in self.stages.items() if name in wanted})

    def sources(self) -> dict[LockedPath, list[LockedStage]]:
        """Return the data that no stage wrote, such as corpora, with the stages that read them."""
        sources: dict[LockedPath, list[LockedStage]] = {}
        for edge in self.edges:
            if edge.maker is None:
                sources.setdefault(edge.data, []).append(edge.reader)
        return sources


def _stages(document: Mapping) -> Iterator[LockedStage]:
    for name, entry in document.get("stages", {}).items():
        deps = [_locked_path(dep) for dep in entry.get("deps", [])]
        yield LockedStage(
            name=name,
            command=str(entry.get("cmd", "")),
            data=tuple(dep for dep in deps if not is_code(dep.path)),
            code=tuple(dep for dep in deps if is_code(dep.path)),
            outputs=tuple(_locked_path(out) for out in entry.get("outs", [])),
            params=entry.get("params", {}),
        )


def read_locked_graph(text: str, where: str = "dvc.lock") -> LockedGraph:
    """Read the graph of a ``dvc.lock``.

    Args:
        text: its text.
        where: what it is called in errors.

    Raises:
        InputError: it is no such file.
    """
    try:
        document = yaml.load(text, yaml.CSafeLoader) or {}
        return LockedGraph({stage.name: stage for stage in _stages(document)})
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"{where}: must be what DVC writes: stages with deps and outs, each a path and an md5"
        ) from error
