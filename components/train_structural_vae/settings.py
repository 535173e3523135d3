"""Settings of the structural VAE and of the prediction of structure from EEG."""

from components.settings import settings
from components.training.settings import Count
from components.training.structure import Autoencoder, Predictor


@settings
class TrainStructuralVAE:
    """Section ``train_structural_vae``."""

    seed: Count
    vae: Autoencoder
    predictor: Predictor
