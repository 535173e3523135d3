"""Settings of the baselines' training."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Optimisation


@settings
class TrainBaselines:
    """Section ``train_baselines``: how PyHealth's baselines are trained, on the same windows and splits as the LFT."""

    corpus: str
    """Entry of the section ``event_corpora`` whose windows the baselines learn from."""
    optimisation: Optimisation
    """Optimiser, its schedule and its stopping rule."""
