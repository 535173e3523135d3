"""All benchmarks, each row in a process of its own: ``python -m benchmarks`` writes ``benchmarks/results.md``.

``python -m benchmarks ROW`` prints one row; ``python -m benchmarks start-up`` writes ``benchmarks/start_up.md``.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).with_name("results.md")
WORK = Path(".work/benchmarks")


def _rows() -> dict:
    from benchmarks import data, generation, images, models

    return models.ROWS | data.ROWS | images.ROWS | generation.ROWS


def _here(name: str) -> dict:
    """Run a row, or one of ``limit`` and ``growth``, in this process."""
    from benchmarks import limits, models
    from eegdiffusion.core.training.memory import keep_freed_memory

    if name not in _rows() or name in models.ROWS:
        keep_freed_memory()
    if name in ("limit", "growth"):
        result = getattr(limits, name)()
        return asdict(result) | {"bound_s": result.bound_s} if name == "limit" else result
    result = _rows()[name]()
    return asdict(result) | {"ratio": result.ratio}


def _apart(name: str) -> dict:
    """Run a row in a process of its own, or read it where an interrupted run left it."""
    kept = WORK / f"{name}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    print(name, file=sys.stderr)
    process = subprocess.run([sys.executable, "-m", "benchmarks", name], stdout=subprocess.PIPE, text=True)
    if process.returncode:
        raise SystemExit(f"benchmarks: {name} failed with status {process.returncode}")
    result = json.loads(process.stdout.splitlines()[-1])
    WORK.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(result))
    return result


def machine() -> str:
    """Describe the machine in a line."""
    import torch

    model = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores, threads = len(os.sched_getaffinity(0)), torch.get_num_threads()
    return f"{model.strip()}, {cores} cores, {memory:.0f} GiB; {threads} threads, PyTorch {torch.__version__}, float32"


def _table(rows: list[dict]) -> str:
    lines = ["| what | sizes | ours | plain | plain / ours | peak GiB | against |", "|---|---|--:|--:|--:|--:|---|"]
    for row in rows:
        peak = "" if row["peak_gib"] is None else f"{row['peak_gib']:.1f}"
        values = (f"{row[key]:.3g} {row['unit']}" for key in ("ours", "plain"))
        cells = [row["what"], row["sizes"], *values, f"{row['ratio']:.2f}", peak, row["against"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _limits(limit: dict) -> str:
    return (
        f"A training step of batch 8 takes {limit['step_s']:.2f} s. Its linear maps and transforms are "
        f"{limit['gflop']:.0f} GFLOP, its activations and their gradients {limit['gbyte']:.1f} GB. At the rates that "
        f"the same run measured ({limit['gflops']:.0f} GFLOP/s for a matrix product, {limit['gbytes']:.1f} GB/s for a "
        f"copy) that is {limit['bound_s']:.2f} s: the step reaches {limit['bound_s'] / limit['step_s']:.0%} of the "
        f"bound. Transforms do not run at the rate of a matrix product, so the bound itself cannot be reached."
    )


def _growth(growth: dict) -> str:
    names = {"batch": "training step, batch", "layers": "forward + backward, layers", "windows": "tokens, windows"}
    lines = ["| | " + "size: seconds (seconds for each) |", "|---|---|"]
    for key, points in growth.items():
        cells = ", ".join(f"{size}: {s:.2f} ({s / size:.3f})" for size, s in points)
        lines.append(f"| {names[key]} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables of all benchmarks, or with a name on the command line the numbers of that one as JSON."""
    if sys.argv[1:] == ["start-up"]:
        from benchmarks import start_up

        start_up.main()
        return
    if len(sys.argv) > 1:
        print(json.dumps(_here(sys.argv[1])))
        return
    rows = [_apart(name) for name in _rows()]
    text = f"""# Benchmarks

Written by `make bench` on {date.today()}: {machine()}. Medians; ours and the plain way take turns in one process. Peak
memory is that of the process before the plain way ran. Models, ours and plain, run with freed memory kept by the
allocator, as training sets it. They have the paper's sizes (H=128, d_state=128, 20 layers). Rows of the
branch of images assert that both ways give the same.

{_table(rows)}

## Distance from the machine's limits

{_limits(_apart("limit"))}

## Growth of the cost

{_growth(_apart("growth"))}
"""
    RESULTS.write_text(text)
    shutil.rmtree(WORK)
    print(text)


if __name__ == "__main__":
    main()
