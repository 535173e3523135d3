"""Where the results of the report come from: corpora, revision, machine, and the time that each stage took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from eegdiffusion.core.runtime.run_record import RunRecord

SURROGATE = "surrogate"
"""How the name of a corpus begins that stands for a licensed one."""

SHORT = 10
"""Digits of a git commit that are shown."""


@dataclass(frozen=True)
class StageTime:
    """Time that a stage took.

    Attributes:
        stage: name of the stage.
        runs: number of its items that were run.
        seconds: their sum.
        cpu_seconds: time on all cores together, their sum; None where one of them does not say.
        peak_bytes: memory of the largest process at its peak; None where one of them does not say.
    """

    stage: str
    runs: int
    seconds: float
    cpu_seconds: float | None = None
    peak_bytes: int | None = None

    @property
    def duration(self) -> str:
        """The time in words."""
        return format_duration(self.seconds)

    @property
    def cost(self) -> str:
        """CPU time and memory in words; empty where they are not known."""
        if self.cpu_seconds is None or self.peak_bytes is None:
            return ""
        return f"{format_duration(self.cpu_seconds)} of CPU, {self.peak_bytes / 2**30:.1f} GiB"


@dataclass(frozen=True)
class Origin:
    """Where the results come from.

    Attributes:
        corpora: names of the corpora that the models were trained on.
        when: first and last end of a stage, UTC; empty where no run is recorded here.
        revision: git commit of the runs, shortened, and how many others there are.
        machine: machine of the runs, and how many others there are.
        stages: time of each stage, in the order in which they ended.
        unrecorded: stages whose results lie here without a record of their run.
    """

    corpora: Sequence[str]
    when: str
    revision: str
    machine: str
    stages: Sequence[StageTime]
    unrecorded: Sequence[str]

    @property
    def surrogate(self) -> bool:
        """Whether a corpus stands for a licensed one."""
        return any(name.startswith(SURROGATE) for name in self.corpora)

    @property
    def duration(self) -> str:
        """The time of all stages together, one after the other."""
        return format_duration(sum(stage.seconds for stage in self.stages))


def format_duration(seconds: float) -> str:
    """Write a time in the largest unit that it fills: seconds, minutes or hours."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def describe_origin(corpora: Sequence[str], records: Sequence[RunRecord], stages: Sequence[str]) -> Origin:
    """Summarise the records of the runs.

    Args:
        corpora: names of the corpora.
        records: runs whose outputs lie here, in the order in which they ended.
        stages: names of the stages whose results the report shows.

    Returns:
        where the results come from.
    """
    shown = [record for record in records if record.stage in stages]
    of_stage: dict[str, list[RunRecord]] = {}
    for record in shown:
        of_stage.setdefault(record.stage, []).append(record)
    times = {stage: _time(stage, runs) for stage, runs in of_stage.items()}
    return Origin(
        corpora=list(dict.fromkeys(corpora)),
        when=_period([record.ended for record in shown]),
        revision=_and_others([_short(record.revision) for record in shown]),
        machine=_and_others([record.machine for record in shown]),
        stages=list(times.values()),
        unrecorded=[name for name in stages if name not in times],
    )


def _time(stage: str, runs: Sequence[RunRecord]) -> StageTime:
    used = [run.used for run in runs if run.used is not None]
    known = len(used) == len(runs)
    return StageTime(
        stage,
        len(runs),
        sum(run.seconds for run in runs),
        sum(use.cpu_seconds for use in used) if known else None,
        max(use.peak_bytes for use in used) if known else None,
    )


def _period(ends: Sequence[str]) -> str:
    if not ends:
        return ""
    first, last = (datetime.fromisoformat(end) for end in (min(ends), max(ends)))
    begin = f"{first:%-d %b %Y %H:%M}"
    if first == last:
        return f"{begin} UTC"
    return f"{begin} to {last:%H:%M} UTC" if first.date() == last.date() else f"{begin} to {last:%-d %b %Y %H:%M} UTC"


def _short(revision: str | None) -> str:
    if revision is None:
        return "unknown (no git)"
    commit, dirty, _ = revision.partition("-dirty")
    return commit[:SHORT] + (" with uncommitted changes" if dirty else "")


def _and_others(values: Sequence[str]) -> str:
    """Return the last of several values, and how many others there are."""
    distinct = list(dict.fromkeys(reversed(values)))
    if len(distinct) < 2:
        return distinct[0] if distinct else ""
    return f"{distinct[0]}, and {len(distinct) - 1} other{'s' if len(distinct) > 2 else ''}"
