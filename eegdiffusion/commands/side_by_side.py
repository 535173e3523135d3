"""Runs the stages of the graph side by side on one machine, without Airflow: ``python dags/_side_by_side.py --jobs 2``.

Each stage is a ``dvc repro`` of its own, with its share of the cores: what is up to date is skipped, and a graph that
was interrupted goes on where it ended. Of the stages that are ready the one with the longest way to go begins first.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path

from _dvc_graph import Graph, GraphError, read_graph

LOGS = Path(".work") / "stages"
"""Folder of what the stages print, progress bars among it."""


class Failed(Exception):
    """A stage ended with an error; it has the stage's name."""


def chosen(graph: Graph, without: Collection[str]) -> list[str]:
    """Names of stages, those with the longest way to go first; of equals, those that more others wait for.

    Args:
        graph: of the repository.
        without: stages, or groups of them, that are left out together with all that follows them.

    Raises:
        GraphError: there is no such stage.
    """
    if unknown := set(without) - {stage.base for stage in graph.stages.values()} - graph.stages.keys():
        raise GraphError(f"dvc.yaml: there is no stage {', '.join(sorted(unknown))}")
    downstream = {name: [after for before, after in graph.edges if before == name] for name in graph.stages}

    @cache
    def following(name: str) -> frozenset[str]:
        return frozenset(downstream[name]).union(*map(following, downstream[name]))

    @cache
    def way(name: str) -> int:
        return 1 + max(map(way, downstream[name]), default=0)

    left_out = {name for name, stage in graph.stages.items() if {name, stage.base} & set(without)}
    left_out |= {after for name in left_out for after in following(name)}
    names = [name for name in graph.stages if name not in left_out]
    return sorted(names, key=lambda name: (way(name), len(following(name))), reverse=True)


def run(graph: Graph, names: list[str], jobs: int) -> Iterator[tuple[str, float | None]]:
    """Run stages, ``jobs`` at a time.

    Yields:
        each stage as it begins, with None, and as it ends, with the seconds that it has taken.

    Raises:
        Failed: a stage did; those that ran beside it have ended, and no other was begun.
    """
    waiting = {name: {before for before, after in graph.edges if after == name} & set(names) for name in names}
    environment = os.environ | {"OMP_NUM_THREADS": str(-(-os.cpu_count() // jobs))}
    running: dict[Future, tuple[str, float]] = {}
    failed = None
    LOGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        while running or (waiting and not failed):
            ready = [] if failed else [name for name, upstream in waiting.items() if not upstream]
            for name in ready[: jobs - len(running)]:
                del waiting[name]
                running[pool.submit(_repro, name, environment)] = name, time.monotonic()
                yield name, None
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name, begun = running.pop(future)
                if future.result():
                    failed = failed or name
                    continue
                for upstream in waiting.values():
                    upstream.discard(name)
                yield name, time.monotonic() - begun
    if failed:
        raise Failed(failed)


def _repro(name: str, environment: dict[str, str]) -> int:
    words = ["dvc", "--wait-for-lock", "repro", "--single-item", name]
    with (LOGS / f"{name}.log").open("w") as log:
        return subprocess.run(words, env=environment, stdout=log, stderr=subprocess.STDOUT).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(": ")[0])
    parser.add_argument("--jobs", type=int, required=True, help="stages at a time")
    parser.add_argument(
        "--without", nargs="*", default=[], metavar="STAGE", help="leave it and all that follows it out"
    )
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error(f"--jobs: must be 1 or more (found {arguments.jobs})")
    try:
        graph = read_graph(".")
        names = chosen(graph, arguments.without)
        print(f"{len(names)} stages, {arguments.jobs} at a time; what each says is in {LOGS}", flush=True)
        ended = 0
        for name, seconds in run(graph, names, arguments.jobs):
            ended += seconds is not None
            said = "begins" if seconds is None else f"has taken {seconds:.0f} s"
            print(f"{time.strftime('%H:%M:%S')}  {ended:3} of {len(names)}  {name:36} {said}", flush=True)
    except GraphError as error:
        print(error, file=sys.stderr)
        return 65
    except Failed as failure:
        print((LOGS / f"{failure}.log").read_text(), f"{failure} has failed", sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
