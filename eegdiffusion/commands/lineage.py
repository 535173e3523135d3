"""From a number, a file or a model to the recordings behind it: ``eeg lineage``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.command_line import Command
from eegdiffusion.commands.registered_models import address, unsigned_option
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    from eegdiffusion.operations.lineage.cached_outputs import CachedOutputs
    from eegdiffusion.operations.lineage.locked_graph import LockedGraph, LockedPath, LockedStage
    from eegdiffusion.operations.lineage.traced_result import TracedResult

NUMBERS = (Path("reports/metrics.json"), Path("reports/headline.json"))
"""Files of the report that numbers are looked for in, in this order."""


@click.command("lineage", cls=Command)
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, with every edge.")
@click.option("--without-recordings", is_flag=True, help="End at the corpora; nothing is read of them.")
@unsigned_option
def command(target: str, as_json: bool, without_recordings: bool, unsigned: bool) -> None:
    """Say what TARGET was made from: stages, data by DVC's hashes, and the SHA-256 of each recording.

    TARGET is a number of the report by its name in reports/metrics.json (lft_cohen_kappa_mean), a number of any JSON
    file (models/lft/recorded/seed-0/metrics.json:cohen_kappa), a file or folder that a stage wrote, or a version of a
    registered model (lft, lft/3, models:/lft@champion). What is said of a version is what was recorded with it; of all
    else, what dvc.lock holds now.
    """
    _require_known(target)
    with loading_modules():
        from eegdiffusion.core.runtime.run_record import read_records
        from eegdiffusion.operations.lineage.lineage_tree import lineage_lines
        from eegdiffusion.operations.lineage.traced_result import lineage_document, write_document
        from eegdiffusion.operations.lineage.workspace_graph import open_workspace_graph
    with open_workspace_graph() as workspace:
        traced = trace(target, workspace.graph, workspace.cache, unsigned)
        traced = workspace.with_corpora(traced, recordings=not without_recordings)
        if as_json:
            click.echo(write_document(lineage_document(traced, workspace.cache, read_records())))
        else:
            say(*lineage_lines(traced, workspace.cache))


def trace(target: str, graph: "LockedGraph", cache: "CachedOutputs", unsigned: bool) -> "TracedResult":
    """Find what a target is, and the part of the graph behind it."""
    from eegdiffusion.operations.lineage.traced_result import TracedResult, read_number, require_recorded

    file, _, number = target.rpartition(":")
    if file and not target.startswith(("models:", "runs:")):
        path = _relative(Path(file))
        value = read_number(path, number)
        require_recorded(path, graph, cache)
        return TracedResult(target, f"number of {path}", *_behind(path, graph, number), value=value)
    path = _relative(Path(target))
    if path.exists() or graph.outputs_behind(path.as_posix()):
        require_recorded(path, graph, cache)
        return TracedResult(path.as_posix(), "by dvc.lock", *_behind(path, graph))
    for path in NUMBERS:
        if target in _numbers(path):
            require_recorded(path, graph, cache)
            value = read_number(path, target)
            return TracedResult(target, f"number of {path}", *_behind(path, graph, target), value=value)
    return _trace_version(target, unsigned)


def _relative(path: Path) -> Path:
    """Return a path relative to the clone, where it lies in it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _numbers(file: Path) -> list[str]:
    from eegdiffusion.core.storage.text_files import read_json

    return list(read_json(file)) if file.is_file() else []


def _behind(
    path: Path, graph: "LockedGraph", number: str | None = None
) -> tuple[list[tuple["LockedStage", "LockedPath"]], "LockedGraph"]:
    """Return the outputs that a file is of, and the graph of the stages behind them.

    A number of the report is of fewer results than the report: its name says of which.
    """
    outputs = graph.outputs_behind(path.as_posix())
    if number is not None and path in NUMBERS:
        from eegdiffusion.report.metric_outputs import outputs_of_metric

        every = [(stage, out) for stage in graph.stages.values() for out in stage.outputs]
        chosen = outputs_of_metric(number, [out.path for _, out in every])
        outputs = [(stage, out) for stage, out in every if out.path in chosen] or outputs
    if not outputs:
        raise InputError(f"{path}: no stage wrote it, by dvc.lock; `dvc repro` makes what stages write")
    return outputs, graph.upstream([stage.name for stage, _ in outputs])


def _require_known(target: str) -> None:
    """Refuse what is no number, file or model before anything is loaded."""
    numbers = [number for file in NUMBERS for number in _numbers(file)]
    if set(":/@") & set(target) or Path(target).exists() or target in numbers:
        return
    from eegdiffusion.operations.registry.registry_config import trained_models

    models = list(trained_models())
    if target not in models:
        raise InputError(
            f"TARGET: {target}: must be a number of {' or '.join(map(str, NUMBERS))}, a file that a stage wrote, or a "
            f"registered model{nearest(target, [*numbers, *models])}"
        )


def _trace_version(target: str, unsigned: bool) -> "TracedResult":
    """Read what was recorded of a version of a registered model."""
    from eegdiffusion.operations.lineage.locked_graph import read_locked_graph
    from eegdiffusion.operations.lineage.traced_result import TracedResult
    from eegdiffusion.operations.registry.recorded_version import read_recorded_version

    version = read_recorded_version(address(target), unsigned)
    graph = read_locked_graph(version.lock, where=f"models:/{version.name}/{version.version}: dvc.lock")
    stage = graph.stages[version.stage]
    (out,) = [out for out in stage.outputs if Path(version.result).is_relative_to(out.path)]
    return TracedResult(
        f"models:/{version.name}/{version.version}",
        f"registered from {version.result}",
        [(stage, out)],
        graph.upstream([stage.name]),
        revision=version.revision + (" and uncommitted changes" if version.patch else ""),
        facts={"scores": version.scores},
    )
