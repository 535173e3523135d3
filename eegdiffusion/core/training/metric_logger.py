"""Where a training's metrics go."""

from typing import Protocol

from lightning.pytorch.loggers import Logger


class MetricLogger(Protocol):
    """Takes the metrics of a run, such as the run of a stage in MLflow does."""

    @property
    def run_id(self) -> str:
        """Name of the run."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log metrics by name."""


class LightningLogger(Logger):
    """Hands Lightning's metrics on.

    Args:
        target: what takes them.
    """

    def __init__(self, target: MetricLogger):
        super().__init__()
        self._target = target

    @property
    def name(self) -> str:
        """Name of the logger, which Lightning asks for."""
        return "mlflow"

    @property
    def version(self) -> str:
        """Name of the run."""
        return self._target.run_id

    def log_hyperparams(self, params, *args, **kwargs) -> None:
        """Nothing: the run has the stage's settings."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log metrics."""
        self._target.log_metrics({name: float(value) for name, value in metrics.items()}, step)
