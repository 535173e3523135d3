"""Make a registered model again and compare its metrics: ``eeg reproduce models:/lft/3``."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.command_line import PATH, Command
from eegdiffusion.commands.registered_models import address, unsigned_option
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.operations.registry.registered_names import require_registered

if TYPE_CHECKING:
    from eegdiffusion.operations.registry.recorded_version import RecordedVersion

TOLERANCE = 0.01
"""Metrics are the same on the same machine; processors and numbers of threads round differently."""


def compare(recorded: dict[str, float], again: dict[str, float], tolerance: float) -> tuple[str, bool]:
    """Compare metrics: a table, and whether all differ by at most the tolerance."""
    width = max(map(len, recorded))
    lines = [f"{'metric':<{width}}  recorded     again  difference"]
    for name, value in recorded.items():
        lines.append(f"{name:<{width}}  {value:8.4f}  {again[name]:8.4f}  {abs(value - again[name]):10.2g}")
    # Written so that a metric that is not a number is not the same as anything.
    return "\n".join(lines), all(abs(value - again[name]) <= tolerance for name, value in recorded.items())


def _note(record: "RecordedVersion", verdict: str) -> None:
    import mlflow

    now = datetime.now(UTC).isoformat(timespec="seconds")
    mlflow.MlflowClient().set_model_version_tag(record.name, record.version, "reproduced", f"{now}: {verdict}")


@click.command("reproduce", cls=Command)
@click.argument("model")
@click.option("--workspace", type=PATH, help="Folder to make (default: runs/reproduce-NAME-VERSION).")
@click.option("--tolerance", type=float, default=TOLERANCE, show_default=True, help="Allowed difference of a metric.")
@click.option("--no-training", is_flag=True, help="Get back code, parameters and data, and check them.")
@unsigned_option
def command(model: str, workspace: Path | None, tolerance: float, no_training: bool, unsigned: bool) -> int:
    """Train MODEL, models:/NAME/VERSION or models:/NAME@ALIAS, again and compare its metrics.

    Code, parameters and data come back as they were (git revision and uncommitted changes, dvc.lock, DVC's cache or
    remote); the training stage runs anew, in a workspace that is kept. Exit status 1: a metric is not the same; 2: the
    stage failed; 65: something cannot be had.
    """
    model = address(model)
    require_registered(model, "MODEL")
    from eegdiffusion.operations.registry import rebuild
    from eegdiffusion.operations.registry.recorded_version import read_recorded_version

    record = read_recorded_version(model, unsigned)
    repository = Path.cwd()
    workspace = (workspace or Path("runs", f"reproduce-{record.name}-{record.version}")).absolute()
    changes = " with uncommitted changes" if record.patch else ""
    say(f"{record.stage} at {record.revision[:12]}{changes}, in {workspace}")
    rebuild.open_workspace(record, repository, workspace)
    rebuild.pull_data(record, workspace)
    rebuild.check_workspace(record, workspace)
    say(f"Code, parameters and data are those of dvc.lock: {', '.join(sorted(record.data))}")
    if others := rebuild.other_packages(workspace):
        say("Other versions than in its requirements.lock:", *(f"  {line}" for line in others))
    if no_training:
        return 0
    try:
        again, identical = rebuild.rerun_stage(record, workspace)
    except RuntimeError as error:
        say(*f"reproduce: {error}".split("\n"), stream=sys.stderr)
        return 2
    table, same = compare(record.scores, again, tolerance)
    verdict = f"{'the same' if same else 'NOT the same'} within {tolerance:g}"
    verdict += ", all files bit for bit" if identical else ""
    say(*table.split("\n"), f"models:/{record.name}/{record.version}: {verdict}")
    _note(record, verdict)
    return 0 if same else 1
