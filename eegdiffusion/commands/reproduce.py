"""Make a registered model again and compare: ``python -m eegdiffusion.commands.reproduce models:/lft/3``.

Code, parameters and data come back as they were (git revision and uncommitted changes, ``dvc.lock``, DVC's cache or
remote); the training stage runs anew, in a workspace that is kept. Exit status 1: a metric is not the same; 2: the
stage failed; 65: something cannot be had.
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import mlflow

from eegdiffusion.core.runtime import shell
from eegdiffusion.operations.registry import rebuild
from eegdiffusion.operations.registry.recorded_version import RecordedVersion, read_recorded_version

TOLERANCE = 0.01
"""Metrics are the same on the same machine; processors and numbers of threads round differently."""


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eegdiffusion.commands.reproduce", description=__doc__)
    parser.add_argument("model", help="models:/NAME/VERSION or models:/NAME@ALIAS")
    parser.add_argument("--workspace", type=Path, help="folder to make (default: runs/reproduce-NAME-VERSION)")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"of each metric (default: {TOLERANCE})")
    parser.add_argument("--no-training", action="store_true", help="get back code, parameters and data, and check them")
    return parser.parse_args(argv)


def compare(recorded: dict[str, float], again: dict[str, float], tolerance: float) -> tuple[str, bool]:
    """Compare metrics: a table, and whether all differ by at most the tolerance."""
    width = max(map(len, recorded))
    lines = [f"{'metric':<{width}}  recorded     again  difference"]
    for name, value in recorded.items():
        lines.append(f"{name:<{width}}  {value:8.4f}  {again[name]:8.4f}  {abs(value - again[name]):10.2g}")
    # Written so that a metric that is not a number is not the same as anything.
    return "\n".join(lines), all(abs(value - again[name]) <= tolerance for name, value in recorded.items())


def _note(record: RecordedVersion, verdict: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    mlflow.MlflowClient().set_model_version_tag(record.name, record.version, "reproduced", f"{now}: {verdict}")


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # for dvc and its stages
    record = read_recorded_version(arguments.model)
    repository = Path.cwd()
    workspace = (arguments.workspace or Path("runs", f"reproduce-{record.name}-{record.version}")).absolute()
    changes = " with uncommitted changes" if record.patch else ""
    print(f"{record.stage} at {record.revision[:12]}{changes}, in {workspace}", flush=True)
    rebuild.open_workspace(record, repository, workspace)
    rebuild.pull_data(record, workspace)
    rebuild.check_workspace(record, workspace)
    print(f"Code, parameters and data are those of dvc.lock: {', '.join(sorted(record.data))}", flush=True)
    if others := rebuild.other_packages(workspace):
        print("Other versions than in its requirements.lock:", *others, sep="\n  ", flush=True)
    if arguments.no_training:
        return 0
    try:
        again, identical = rebuild.rerun_stage(record, workspace)
    except RuntimeError as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return 2
    table, same = compare(record.scores, again, arguments.tolerance)
    verdict = f"{'the same' if same else 'NOT the same'} within {arguments.tolerance:g}"
    verdict += ", all files bit for bit" if identical else ""
    print(f"{table}\nmodels:/{record.name}/{record.version}: {verdict}")
    _note(record, verdict)
    return 0 if same else 1


if __name__ == "__main__":
    shell.run("reproduce", main)
