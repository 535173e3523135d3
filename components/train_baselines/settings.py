"""Settings of the baselines' training."""

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Optimiser


@settings
class TrainBaselines:
    """Section ``train_baselines``: how baselines are trained, on the LFT's windows and splits, by its stopping rule."""

    corpus: Name
    """Entry of the section ``event_corpora`` whose windows the baselines learn from."""
    optimisation: Optimiser
    """Optimiser and its schedule; they stop by the rule of ``finetune_lft.optimisation``, and by the same metric."""
