"""A Lightning logger that writes to a run's journal."""

from lightning.pytorch.loggers import Logger

from eegdiffusion.core.observe.tracking.journal import Journal


class RunLogger(Logger):
    """Logs metrics of a run; never waits for the server.

    Attributes:
        run_id: MLflow's.
    """

    def __init__(self, journal: Journal):
        super().__init__()
        self._journal = journal
        self.run_id = journal.run_id

    @property
    def name(self) -> str:
        """Name of the logger, which Lightning asks for."""
        return "mlflow"

    @property
    def version(self) -> str:
        """MLflow's id of the run."""
        return self.run_id

    def log_hyperparams(self, params, *args, **kwargs) -> None:
        """Nothing: the run has the stage's settings."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log metrics."""
        self._journal.log({name: float(value) for name, value in metrics.items()}, step or 0)

    def drain(self) -> None:
        """Wait until the server has all metrics, before it is asked for more (see :meth:`Journal.drain`)."""
        self._journal.drain()
