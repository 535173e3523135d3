"""Settings of pretraining."""

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.events.training.pretraining_settings import BackboneArchitecture, EEGSampling


@settings
class PretrainSSMDP:
    """Section ``pretrain_ssmdp``: how every backbone is pretrained, and what EEG it generates."""

    corpus: Name
    """Entry of the section ``event_corpora`` whose recordings the backbone learns from."""
    seed: Count = 0
    """Seed of the weights, of the order of the samples and of all noise."""
    validation_samples: Positive = 20_000
    """Single-channel signals that the validation loss is measured on, spread evenly over the split."""
    model: BackboneArchitecture = BackboneArchitecture()
    """Sizes of the backbone."""
    optimisation: Optimisation
    """Optimiser, its schedule and its stopping rule."""
    generation: EEGSampling = EEGSampling()
    """The EEG that the trained backbone generates."""
