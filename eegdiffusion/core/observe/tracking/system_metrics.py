"""Load of processor, memory, disk, network and GPUs, as metrics of a run.

MLflow's own monitor asks the server at every sample, and ends at the first that gets no answer; its probes do not.
"""

import threading
import time
from contextlib import suppress

from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
from mlflow.system_metrics.metrics.rocm_monitor import ROCMMonitor

from eegdiffusion.core.observe.tracking.journal import Journal

PERIOD_S = 2.0


class SystemMetrics:
    """Samples while its block runs, under MLflow's names (``system/...``).

    Args:
        journal: takes the metrics.
        start_ms: when the run began, from which steps are counted, also after a resumption.
    """

    def __init__(self, journal: Journal, start_ms: int):
        self._journal, self._start_s = journal, start_ms / 1000
        self._probes = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        for kind in (GPUMonitor, ROCMMonitor):
            with suppress(Exception):  # how they say that there is no such GPU, or no library for it
                self._probes.append(kind())
                break
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True, name="system metrics")

    def __enter__(self) -> "SystemMetrics":
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(PERIOD_S):
            metrics: dict[str, float] = {}
            for probe in self._probes:
                probe.collect_metrics()
                metrics |= probe.aggregate_metrics()
                probe.clear_metrics()
            step = round((time.time() - self._start_s) / PERIOD_S)
            self._journal.log({f"system/{name}": value for name, value in metrics.items()}, step)
