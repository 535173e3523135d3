"""Settings of the reconstruction by SGDM."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.reconstruction.reconstruction_settings import Reconstruction
from eegdiffusion.images.sgdm.control_settings import ControlSettings


@settings
class ReconstructSGDM(Reconstruction):
    """Section ``reconstruct_sgdm``: how images are made from held-out EEG by SGDM, and scored."""

    control: ControlSettings = ControlSettings()
    """How far the ControlNet takes part."""
