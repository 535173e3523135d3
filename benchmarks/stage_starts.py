"""What a stage's process takes before it begins with its work: ``python -m benchmarks.stage_starts``.

It writes ``eegdiffusion/operations/planning/stage_starts.yaml``, which plans begin with: CPU seconds, on the reference
machine, and memory of a process that has loaded all modules that the stage computes with.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.start_up import STAGES

TABLE = Path("eegdiffusion/operations/planning/stage_starts.yaml")

WHERE_LOADED = """
import contextlib, os, resource, runpy, sys
from eegdiffusion.core.runtime import loading
whole = loading.loading_modules
@contextlib.contextmanager
def loading_modules():
    with whole():
        yield
    use = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{use.ru_utime + use.ru_stime:.1f}, {use.ru_maxrss // 1024}", flush=True)
    os._exit(0)
loading.loading_modules = loading_modules
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


ROWS = {
    "ablations": {"fusion_mean": {"family": "fusion", "name": "mean", "latents": "base", "model": {"fusion": "mean"}}},
    "lft_tests": {"rate_190_Hz_physical_convention": {"family": "rate", "name": "190 Hz", "latents": "base"}},
}
"""Entries of the rows that `benchmarks.start_up` starts, which params.yaml does without."""


def measured(stage: str, arguments: tuple[str, ...], folder: Path) -> tuple[float, int]:
    """Return CPU seconds and MiB of a stage's process that has loaded its modules; the less of two runs."""
    words = [sys.executable, "-c", WHERE_LOADED, f"components.{stage}", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())}
    results = []
    for _ in range(2):
        run = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, cwd=folder)
        seconds, size = run.stdout.strip().splitlines()[-1].split(", ")
        results.append((float(seconds), int(size)))
    return min(results)


def main() -> None:
    """Measure every stage, and write the table."""
    lines = [
        "# What a stage's process takes before it begins with its work: CPU seconds on the reference machine, and",
        "# memory in MiB. Written by `python -m benchmarks.stage_starts`.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        document = yaml.safe_load(Path("params.yaml").read_text())
        (Path(folder) / "params.yaml").write_text(yaml.safe_dump(document | ROWS))
        (Path(folder) / "components").symlink_to(Path("components").absolute())
        for stage, arguments in STAGES.items():
            seconds, size = measured(stage, arguments, Path(folder))
            lines.append(f"{stage}: {{seconds: {seconds}, memory: {size}}}")
            print(lines[-1], flush=True)
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
