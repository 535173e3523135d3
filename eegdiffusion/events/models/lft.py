"""The Latent Fusion Transformer of EEGDM (arXiv:2508.14086) as a model of diffusers: it classifies pooled latents."""

from collections.abc import Sequence

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config

from eegdiffusion.events.models.lft_network import LFTNetwork, LFTSizes


class LFT(LFTNetwork, ModelMixin, ConfigMixin):
    """Latent Fusion Transformer.

    Args:
        d_model: H, width of the latents.
        n_layer: layers of the backbone.
        n_pool: P, pools in a window.
        n_channel: C; only ``mean`` and ``none`` need it, whose position embeddings tell channels apart.
        n_fusion: N, fusion tokens to a pool.
        num_heads: heads of every attention.
        encoder_blocks: encoder blocks of the classification stage (35 with fusion ``none`` match the paper's number of
            parameters).
        n_class: logits.
        fusion: ``cross_attention``; ``mean``, the latents' mean over layers; ``none``, all latents enter the encoder.
        layers: the backbone's layers to use, in order; None: all.
        token_scale: factor on the tokens, 1 in the paper. Tokens are small beside the fusion tokens' [0, 1), and a few
            hundred windows do not suffice for learning to see them.
    """

    @register_to_config
    def __init__(
        self,
        d_model: int = 128,
        n_layer: int = 20,
        n_pool: int = 5,
        n_channel: int = 22,
        n_fusion: int = 16,
        num_heads: int = 8,
        encoder_blocks: int = 8,
        n_class: int = 6,
        fusion: str = "cross_attention",
        layers: Sequence[int] | None = None,
        token_scale: float = 1.0,
    ):
        sizes = LFTSizes(
            d_model,
            n_layer,
            n_pool,
            n_channel,
            n_fusion,
            num_heads,
            encoder_blocks,
            n_class,
            fusion,
            layers,
            token_scale,
        )
        super().__init__(sizes)
