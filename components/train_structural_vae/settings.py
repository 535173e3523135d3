"""Settings of the structural VAE and of the prediction of structure from EEG."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count
from eegdiffusion.images.structure.structure_settings import StructuralVAESettings, StructurePredictorSettings


@settings
class TrainStructuralVAE:
    """Section ``train_structural_vae``: a VAE of images and their structure, and its prediction from EEG."""

    seed: Count = 0
    """Seed of weights, of the order of samples and of all noise in both trainings."""
    vae: StructuralVAESettings
    """Structural VAE, which is trained first."""
    predictor: StructurePredictorSettings
    """Predictor of the VAE's latents from EEG."""
