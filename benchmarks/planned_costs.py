"""Plans held against what stages took: ``python -m benchmarks.planned_costs [RUN]``.

With a clone in which the pipeline has run it records what each of its stages took, with the settings, the sizes of its
corpora and the rates of this machine, in ``planned_costs.json``. Then, and without one, it plans those stages anew, and
writes ``planned_costs.md``: what was planned beside what was measured. Time is CPU time, which other work changes
least; of trainings that stopped early the steps count that were taken.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDED, TABLE = HERE / "planned_costs.json", HERE / "planned_costs.md"

TIME_FACTOR = 2.0
"""Planned time over measured, or measured over planned, at most."""

SHARE = 0.3
"""Planned memory and disk differ from the measured by this share of it, at most."""

SLACK_BYTES = 1_000_000
"""Files of an output that are a report's rather than the corpus's: no more difference than this counts."""


@dataclass(frozen=True)
class Comparison:
    """A stage as it was planned and as it ran.

    Attributes:
        name: of the stage.
        planned_s, measured_s: CPU seconds.
        planned_memory, measured_memory: bytes of memory at the peak.
        planned_disk, measured_disk: bytes of the outputs.
    """

    name: str
    planned_s: float
    measured_s: float
    planned_memory: int
    measured_memory: int
    planned_disk: int
    measured_disk: int

    @property
    def time_holds(self) -> bool:
        """Whether the time is within its bar."""
        return 1 / TIME_FACTOR <= self.planned_s / self.measured_s <= TIME_FACTOR

    @property
    def memory_holds(self) -> bool:
        """Whether the memory is within its bar."""
        return abs(self.planned_memory / self.measured_memory - 1) <= SHARE

    @property
    def disk_holds(self) -> bool:
        """Whether the disk is within its bar."""
        return abs(self.planned_disk - self.measured_disk) <= max(SHARE * self.measured_disk, SLACK_BYTES)


def _steps(folders: list[Path]) -> int:
    """Return the steps of all trainings below some folders: the last row of each table of curves."""
    import pandas

    tables = [path for folder in folders for path in folder.rglob("curves.csv")]
    return sum(int(table["step"].max()) for path in tables if len(table := pandas.read_csv(path)))


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def record(run: Path) -> None:
    """Record what the stages of a clone took."""
    import yaml

    from eegdiffusion.commands.plan import sizes_of
    from eegdiffusion.core.runtime.run_record import read_records
    from eegdiffusion.operations.planning.machine_rates import machine_rates

    document = yaml.safe_load((run / "params.yaml").read_text())
    sizes = sizes_of(document, {}, run)
    rates, stages = asdict(machine_rates(1)), {}
    with contextlib.chdir(run):
        for each in read_records():
            outputs = [Path(path) for path in each.outputs]
            if each.used is not None:
                stages[f"{each.stage}@{each.item}" if each.item else each.stage] = {
                    "cpu_s": each.used.cpu_seconds,
                    "memory": each.used.peak_bytes,
                    "disk": sum(map(_bytes, outputs)),
                    "steps": _steps([path for path in outputs if path.is_dir()]),
                }
    corpora = {"events": sizes.events, "images": sizes.images}
    written = {
        "params": document,
        "sizes": {kind: {name: asdict(size) for name, size in each.items()} for kind, each in corpora.items()},
        "rates": rates,
        "stages": stages,
    }
    RECORDED.write_text(json.dumps(written, indent=1) + "\n")


def compare(recorded: dict[str, Any]) -> Iterator[Comparison]:
    """Plan the stages of a record, with the machine and the steps that it tells."""
    from eegdiffusion.operations.planning.corpus_size import CorpusSizes, EventCorpusSize, ImageCorpusSize
    from eegdiffusion.operations.planning.machine_rates import Rates
    from eegdiffusion.operations.planning.plan import Machine, stage_costs, stage_plan
    from eegdiffusion.operations.planning.stage_cost import Planned

    events = {name: EventCorpusSize(**size) for name, size in recorded["sizes"]["events"].items()}
    images = {name: ImageCorpusSize(**size) for name, size in recorded["sizes"]["images"].items()}
    planned = Planned(recorded["params"], CorpusSizes(events, images))
    machine = Machine(Rates(**recorded["rates"]), cores=1, memory=1 << 40, disk=1 << 50)
    costs, unplanned = stage_costs(planned, recorded["stages"])
    if unplanned:
        raise SystemExit("\n".join(f"{name}: {why}" for name, why in unplanned.items()))
    for name, cost in costs.items():
        measured = recorded["stages"][name]
        share = measured["steps"] / cost.steps if cost.steps and measured["steps"] else 1.0
        stage = stage_plan(name, name.partition("@")[0], cost, machine, share)
        yield Comparison(
            name, stage.seconds, measured["cpu_s"], stage.host_bytes, measured["memory"], stage.output_bytes,
            measured["disk"],
        )  # fmt: skip


def table(comparisons: list[Comparison]) -> str:
    """Return the comparison as Markdown; what misses its bar is bold."""
    lines = [
        "| stage | CPU s, planned | measured | memory GB, planned | measured | disk MB, planned | measured |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for each in comparisons:
        cells = [
            (f"{each.planned_s:.0f}", f"{each.measured_s:.0f}", each.time_holds),
            (f"{each.planned_memory / 1e9:.2f}", f"{each.measured_memory / 1e9:.2f}", each.memory_holds),
            (f"{each.planned_disk / 1e6:.1f}", f"{each.measured_disk / 1e6:.1f}", each.disk_holds),
        ]
        texts = [
            text for planned, measured, holds in cells for text in (planned if holds else f"**{planned}**", measured)
        ]
        lines.append(f"| {each.name} | {' | '.join(texts)} |")
    return "\n".join(lines)


def main() -> None:
    """Record a run, or compare what was recorded with a plan."""
    if len(sys.argv) > 1:
        record(Path(sys.argv[1]))
    recorded = json.loads(RECORDED.read_text())
    comparisons = list(compare(recorded))
    counts = [sum(getattr(each, f"{what}_holds") for each in comparisons) for what in ("time", "memory", "disk")]
    TABLE.write_text(f"""# What was planned, and what it took

Written by `python -m benchmarks.planned_costs` from a run of the demo, two stages at a time beside other work, on
{recorded["rates"]["name"]}.
Bars: time within a factor of {TIME_FACTOR:g}, memory within {SHARE:.0%}, disk within {SHARE:.0%} or
{SLACK_BYTES / 1e6:g} MB; what misses its bar is bold. Of {len(comparisons)} stages {counts[0]} hold the first,
{counts[1]} the second, {counts[2]} the third. Seconds outside of networks were measured on this machine, many of
them in this run: of those the table says how well a few rates describe all stages, of networks how well counting does.

{table(comparisons)}
""")
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
