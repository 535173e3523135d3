"""Settings of the structural VAE and of the prediction of structure from EEG."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count
from eegdiffusion.images.structure.structure_training import Autoencoder, Predictor


@settings
class TrainStructuralVAE:
    """Section ``train_structural_vae``."""

    seed: Count
    vae: Autoencoder
    predictor: Predictor
