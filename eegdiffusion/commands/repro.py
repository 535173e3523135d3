"""Run the stages that are out of date: ``eeg repro``."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import click

from eegdiffusion.commands.checkout import GRAPH
from eegdiffusion.commands.command_line import Command, SeveralOption
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.printable import say

WARNING = "WARNING: "
"""How a line of ``eeg plan`` begins that says what does not fit."""


def _side_by_side(targets: tuple[str, ...], without: tuple[str, ...], alone: tuple[str, ...], jobs: int) -> int:
    """Run stages ``jobs`` at a time, then those that want nothing beside them; return the exit status."""
    from eegdiffusion.commands import side_by_side
    from eegdiffusion.core.runtime.gpu_leases import listed_gpus
    from eegdiffusion.core.runtime.processes import ending_children

    upstream = side_by_side.read_graph(Path())
    names = side_by_side.chosen(upstream, without, targets)
    beside = side_by_side.chosen(upstream, (*without, *alone), targets)
    last = [name for name in names if name not in beside]
    needs, gpus = side_by_side.gpus_of_stages(Path()), listed_gpus()
    on_gpus = f" on the GPUs {', '.join(gpus)}" if gpus and needs else ""
    say(f"{len(names)} stages, {jobs} at a time{on_gpus}; what each prints is in {side_by_side.LOGS}")
    ended = 0
    try:
        with ending_children():
            parts = (side_by_side.run(upstream, part, k, needs, len(gpus)) for part, k in ((beside, jobs), (last, 1)))
            for name, seconds in chain.from_iterable(parts):
                ended += seconds is not None
                event = "begins" if seconds is None else f"has taken {seconds:.0f} s"
                say(f"{time.strftime('%H:%M:%S')}  {ended:3} of {len(names)}  {name:36} {event}")
    except side_by_side.StageFailedError as failure:
        log = (side_by_side.LOGS / f"{failure}.log").read_text()
        say(*log.split("\n"), f"{failure} has failed", stream=sys.stderr)
        return 1
    return 0


def require_stages(names: tuple[str, ...]) -> None:
    """Check that ``dvc.yaml`` has stages of these names, before DVC, which takes seconds to say so.

    Raises:
        InputError: it has not; the message names the one that is most like it.
    """
    import yaml

    known = yaml.safe_load(Path(GRAPH).read_text())["stages"]
    for name in names:
        if (stage := name.partition("@")[0]) not in known:
            raise InputError(f"{GRAPH}: there is no stage {stage}{nearest(stage, known)}")


def _params() -> dict:
    """Return what params.yaml holds; nothing where the graph does without it."""
    from eegdiffusion.core.runtime.settings import PARAMS, load

    return load() if PARAMS.is_file() else {}


def _check_params() -> None:
    """Check every section of params.yaml, also of stages that would run hours later.

    Raises:
        InputError: a field is missing, unknown, of another type or breaks its rule.
    """
    from eegdiffusion.operations.configuration.sections import check, section_names

    document = _params()
    for name in section_names():
        if name in document:
            check(name, document)


def _without_sources() -> tuple[str, ...]:
    """Return the stages that cannot run for want of a corpus, and name them.

    Raises:
        InputError: no stage can run.
    """
    if all(root.exists() for root in _corpora()):
        return ()
    from eegdiffusion.commands import side_by_side

    missing = side_by_side.missing_sources(Path())
    upstream = side_by_side.read_graph(Path())
    runnable = side_by_side.chosen(upstream, list(missing))
    paths = ", ".join(sorted(set(missing.values())))
    if missing and not runnable:
        raise InputError(
            f"{paths}: no such folder, and every stage needs it; `make demo` makes the demo's corpora, "
            "`eeg params corpora` puts your own into params.yaml"
        )
    if missing:
        say(
            f"{paths}: no such folder: {len(upstream) - len(runnable)} of {len(upstream)} stages are left out, "
            f"{', '.join(missing)} and all that follows",
            stream=sys.stderr,
        )
    return tuple(missing)


def _corpora() -> list[Path]:
    """Return the folders of corpora that params.yaml names."""
    document = _params()
    corpora = [*(document.get("event_corpora") or {}).values(), *(document.get("image_corpora") or {}).values()]
    return [Path(corpus["root"]) for corpus in corpora if corpus["root"]]


@contextmanager
def _planned_beside(stages: tuple[str, ...], jobs: int) -> Iterator[None]:
    """Plan what would run in a process beside, and say what does not fit; with the last stage it ends too.

    What keeps it from planning keeps no stage from running, and is said by ``eeg plan`` alone.
    """
    words = [sys.executable, "-m", "eegdiffusion.commands", "plan", "--problems", "--jobs", str(jobs), *stages]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")

    def pass_on() -> None:
        for line in process.stderr or ():
            if line.startswith(WARNING):
                say(line.rstrip(), stream=sys.stderr)

    reader = threading.Thread(target=pass_on, daemon=True)
    reader.start()
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        reader.join()


@click.command("repro", cls=Command)
@click.argument("stages", nargs=-1)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Stages at a time.")
@click.option("--without", cls=SeveralOption, metavar="STAGE", help="Leave it and all that follows it out.")
@click.option("--alone", cls=SeveralOption, metavar="STAGE", help="Run it, and what follows it, with nothing beside.")
def command(stages: tuple[str, ...], jobs: int, without: tuple[str, ...], alone: tuple[str, ...]) -> int:
    """Run what is out of date of STAGES and of all that they wait for (default: the whole graph).

    It is `dvc repro`, with several stages at a time on this machine, each with its share of the cores. Of the
    whole graph, stages whose corpus is not there are left out, with all that follows them, and named. What does not
    fit the disk or the memory, as `eeg plan` says, is said in a line while the first stages run.
    """
    from eegdiffusion.commands import dvc_repro, side_by_side
    from eegdiffusion.operations.lineage import lineage_transport

    require_stages((*stages, *without, *alone))
    _check_params()
    with dvc_repro.alone() as lock, _planned_beside(stages, jobs):
        left_out = () if stages else _without_sources()
        if jobs > 1 or without or alone:
            status = _side_by_side(stages, (*without, *left_out), alone, jobs)
            lineage_transport.emit_stages()
            return status
        if left_out:
            stages = tuple(side_by_side.chosen(side_by_side.read_graph(Path()), left_out))
        return dvc_repro.repro(lock, *stages)
