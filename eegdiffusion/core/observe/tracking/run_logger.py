"""Metrics of a run in MLflow, by way of its journal."""

from eegdiffusion.core.observe.tracking.journal import Journal


class RunLogger:
    """Logs metrics of a run; never waits for the server.

    Attributes:
        run_id: MLflow's.
    """

    def __init__(self, journal: Journal):
        self._journal = journal
        self.run_id = journal.run_id

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log metrics."""
        self._journal.log({name: float(value) for name, value in metrics.items()}, step or 0)

    def drain(self) -> None:
        """Wait until the server has all metrics, before it is asked for more (see :meth:`Journal.drain`)."""
        self._journal.drain()
