"""SSMDP, the backbone of EEGDM (arXiv:2508.14086), as a model of diffusers."""

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config

from eegdiffusion.events.models.ssmdp_network import KINDS, PART, WINDOW, SSMDPNetwork, SSMDPSizes

__all__ = ["KINDS", "PART", "SSMDP", "WINDOW"]


class SSMDP(SSMDPNetwork, ModelMixin, ConfigMixin):
    """Predicts the diffusion velocity of single-channel EEG.

    Args:
        d_model: H, width.
        d_state: 2N, twice the number of complex states.
        n_layer: n, layers.
        d_cond: width of the conditioning vector.
        d_cond_embed: width E of the step and channel embeddings, even and at least 4.
        n_class: number of channels of the montage.
        num_train_timesteps: T, diffusion steps.
        beta_schedule: noise schedule it is trained for, see :mod:`eegdiffusion.events.models.diffusion`.
    """

    @register_to_config
    def __init__(
        self,
        d_model: int = 128,
        d_state: int = 128,
        n_layer: int = 20,
        d_cond: int = 512,
        d_cond_embed: int = 128,
        n_class: int = 22,
        num_train_timesteps: int = 50,
        beta_schedule: str = "squaredcos_cap_v2",
    ):
        super().__init__(SSMDPSizes(d_model, d_state, n_layer, d_cond, d_cond_embed, n_class, num_train_timesteps))
