"""Settings of the reconstruction by EEG-ConDiffusion."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.reconstruction.reconstruction_settings import Reconstruction


@settings
class ReconstructConDiffusion(Reconstruction):
    """Section ``reconstruct_condiffusion``: how images are made from held-out EEG by EEG-ConDiffusion, and scored."""
