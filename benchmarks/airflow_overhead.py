"""What Airflow adds to a task: ``python -m benchmarks.airflow_overhead``.

Runs one graph of trivial stages three ways: ``dvc repro`` at once, ``dvc repro --single-item`` a stage, and the DAG
``eeg_retrain`` in the `process` runtime; prints a Markdown table. The DAG's own tasks (open, finalize, register) are
left out of its figure: they do work that the other ways do not.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.dags.airflow_home import RESOURCES, start, stub
from tests.e2e.workspace import command

STAGE = """  stage{n}:
    cmd: mkdir -p data && echo {n} > data/{n}
    deps: [{dep}]
    outs: [data/{n}]
    {resources}
"""


def graph(stages: int) -> str:
    """A chain of stages."""
    deps = ["params.yaml", *(f"data/{n}" for n in range(stages - 1))]
    return "stages:\n" + "".join(STAGE.format(n=n, dep=dep, resources=RESOURCES) for n, dep in enumerate(deps))


def timed(path: Path, *words: str) -> float:
    """Run a command in a folder and return the seconds that it took."""
    started = time.perf_counter()
    command(path, *words)
    return time.perf_counter() - started


def main() -> None:
    """Run a chain of trivial stages by DVC and by Airflow, and print what each costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=10)
    stages = parser.parse_args().stages
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        graph_at_once = stub(root / "whole" / "repository", graph(stages), "{}\n")
        single = stub(root / "single" / "repository", graph(stages), "{}\n")
        airflow = start(root / "home", stub(root / "dag" / "repository", graph(stages), "{}\n"))
        at_once = timed(graph_at_once, "dvc", "repro")
        one_by_one = [timed(single, "dvc", "repro", "--single-item", f"stage{n}") for n in range(stages)]
        dag_run = airflow.dag("eeg_retrain")
        if dag_run["state"] != "success":
            raise RuntimeError(dag_run["log"])
    tasks = [seconds for name, seconds in dag_run["seconds"].items() if name.startswith("stage")]
    print(f"| {stages} trivial stages in a chain | total (s) | per stage (s) |\n|---|---:|---:|")
    print(f"| `dvc repro` | {at_once:.1f} | {at_once / stages:.2f} |")
    print(
        f"| `dvc repro --single-item`, one after another | {sum(one_by_one):.1f} | {statistics.mean(one_by_one):.2f} |"
    )
    print(f"| tasks of `eeg_retrain` (`process`) | {sum(tasks):.1f} | {statistics.mean(tasks):.2f} |")
    span = dag_run["span"]
    print(f"| from the first stage's start to the last one's end | {span:.1f} | {span / stages:.2f} |")


if __name__ == "__main__":
    main()
