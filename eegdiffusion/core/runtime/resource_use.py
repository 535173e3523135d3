"""What this process and those that it started have used of the machine so far."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ResourceUse:
    """Resources of a run.

    Attributes:
        cpu_seconds: time on all cores together, of the process and of those that it waited for.
        peak_bytes: memory of the largest of these processes at its peak; pages of files that are shared count as well.
        read_bytes: bytes that came from disks; None where the system does not say.
        written_bytes: bytes that went to disks; None where the system does not say.
        gpu_peak_bytes: memory that torch held on the fullest GPU at its peak; None without one.
    """

    cpu_seconds: float
    peak_bytes: int
    read_bytes: int | None = None
    written_bytes: int | None = None
    gpu_peak_bytes: int | None = None


def resource_use() -> ResourceUse:
    """Return what has been used since the process began."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    counted = _disk()
    return ResourceUse(
        cpu_seconds=round(sum(use.ru_utime + use.ru_stime for use in uses), 1),
        peak_bytes=max(use.ru_maxrss for use in uses) * (1 if sys.platform == "darwin" else 1024),
        read_bytes=counted.get("read_bytes"),
        written_bytes=counted.get("write_bytes"),
        gpu_peak_bytes=_gpu_peak(),
    )


def _disk() -> dict[str, int]:
    """Return what Linux counts of the process and of the children that it waited for."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return {}
    return {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}


def _gpu_peak() -> int | None:
    torch = sys.modules.get("torch")  # a stage without torch uses no GPU, and should not load it to say so
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return max(torch.cuda.max_memory_reserved(k) for k in range(torch.cuda.device_count()))
