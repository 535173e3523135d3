"""The order in which the stages of a graph run side by side, and the way through it that takes longest."""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Schedule:
    """Stages side by side.

    Attributes:
        seconds: from the first stage's beginning to the last one's end.
        longest_way: stages that wait for one another and take longest together, in order.
        longest_s: seconds of that way, which no number of jobs makes shorter.
    """

    seconds: float
    longest_way: list[str]
    longest_s: float


def schedule(
    upstream: Mapping[str, Collection[str]],
    seconds: Mapping[str, float],
    jobs: int,
    gpus_of: Mapping[str, int] | None = None,
    gpus: int = 0,
) -> Schedule:
    """Lay out stages as ``eeg repro --jobs`` begins them: of those that are ready the one with the longest way to go.

    Args:
        upstream: stage -> the stages that it waits for; those that are not planned are done already.
        seconds: stage -> seconds that it takes; the stages that are planned.
        jobs: stages at a time.
        gpus_of: stage -> GPUs that it takes; none for those that are not named.
        gpus: GPUs of the machine; more than a stage asks for are never missing to it.
    """
    before = {name: [other for other in upstream.get(name, ()) if other in seconds] for name in seconds}
    after: dict[str, list[str]] = {name: [] for name in seconds}
    for name, others in before.items():
        for other in others:
            after[other].append(name)

    @cache
    def way(name: str) -> float:
        return seconds[name] + max(map(way, after[name]), default=0.0)

    path: list[str] = []
    candidates = list(seconds)
    while candidates:
        path.append(max(candidates, key=way))
        candidates = after[path[-1]]
    taken = {name: min(gpus, (gpus_of or {}).get(name, 0)) for name in seconds}
    waiting = {name: len(before[name]) for name in seconds}
    ready = [name for name in seconds if not waiting[name]]
    running: list[tuple[float, str]] = []
    now, free = 0.0, gpus
    while ready or running:
        for name in sorted(ready, key=way, reverse=True):
            if len(running) < jobs and taken[name] <= free:
                ready.remove(name)
                free -= taken[name]
                heapq.heappush(running, (now + seconds[name], name))
        now, ended = heapq.heappop(running)
        free += taken[ended]
        for name in after[ended]:
            waiting[name] -= 1
            if not waiting[name]:
                ready.append(name)
    return Schedule(now, path, sum(seconds[name] for name in path))
