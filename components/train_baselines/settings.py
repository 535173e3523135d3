"""Settings of the baselines' training."""

from components.settings import settings
from components.training.settings import Optimisation


@settings
class TrainBaselines:
    """Section ``train_baselines``."""

    optimisation: Optimisation
