"""Run the stages that are out of date: ``eeg repro``."""

import subprocess
import sys
import time
from pathlib import Path

import click

from eegdiffusion.commands.checkout import GRAPH
from eegdiffusion.commands.command_line import Command, SeveralOption
from eegdiffusion.operations.orchestration.dvc_command import dvc_words


def _side_by_side(targets: tuple[str, ...], without: tuple[str, ...], alone: tuple[str, ...], jobs: int) -> int:
    """Run stages ``jobs`` at a time, then those that want nothing beside them; return the exit status."""
    from eegdiffusion.commands import side_by_side

    upstream = side_by_side.read_graph(Path())
    names = side_by_side.chosen(upstream, without, targets)
    beside = side_by_side.chosen(upstream, (*without, *alone), targets)
    last = [name for name in names if name not in beside]
    print(f"{len(names)} stages, {jobs} at a time; what each prints is in {side_by_side.LOGS}", flush=True)
    ended = 0
    try:
        for part, at_once in ((beside, jobs), (last, 1)):
            for name, seconds in side_by_side.run(upstream, part, at_once):
                ended += seconds is not None
                event = "begins" if seconds is None else f"has taken {seconds:.0f} s"
                print(f"{time.strftime('%H:%M:%S')}  {ended:3} of {len(names)}  {name:36} {event}", flush=True)
    except side_by_side.StageFailedError as failure:
        log = (side_by_side.LOGS / f"{failure}.log").read_text()
        print(log, f"{failure} has failed", sep="\n", file=sys.stderr)
        return 1
    return 0


def _require_stages(names: tuple[str, ...]) -> None:
    """Check that ``dvc.yaml`` has stages of these names, before DVC, which takes seconds to say so.

    Raises:
        InputError: it has not; the message names the one that is most like it.
    """
    import yaml

    from eegdiffusion.core.runtime.errors import InputError, nearest

    known = yaml.safe_load(Path(GRAPH).read_text())["stages"]
    for name in names:
        if (stage := name.partition("@")[0]) not in known:
            raise InputError(f"{GRAPH}: there is no stage {stage}{nearest(stage, known)}")


@click.command("repro", cls=Command)
@click.argument("stages", nargs=-1)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Stages at a time.")
@click.option("--without", cls=SeveralOption, metavar="STAGE", help="Leave it and all that follows it out.")
@click.option("--alone", cls=SeveralOption, metavar="STAGE", help="Run it, and what follows it, with nothing beside.")
def command(stages: tuple[str, ...], jobs: int, without: tuple[str, ...], alone: tuple[str, ...]) -> int:
    """Run what is out of date of STAGES and of all that they wait for (default: the whole graph).

    It is `dvc repro`, with several stages at a time on this machine, each with its share of the cores.
    """
    _require_stages((*stages, *without, *alone))
    if jobs > 1 or without or alone:
        return _side_by_side(stages, without, alone, jobs)
    return subprocess.call(dvc_words("repro", *stages))
