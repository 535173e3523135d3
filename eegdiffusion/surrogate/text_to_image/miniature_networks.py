"""The networks of the miniature of Stable Diffusion, with random weights."""

from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from eegdiffusion.images.generation.dirac_init import dirac_init_, narrow_posterior_init_, zero_init_
from eegdiffusion.surrogate.text_to_image.network_settings import (
    AutoencoderSettings,
    DenoiserSettings,
    TextEncoderSettings,
)


def make_autoencoder(settings: AutoencoderSettings, side: int) -> AutoencoderKL:
    """Make an autoencoder for images of this side in pixels with random weights.

    See ``eegdiffusion.images.generation.dirac_init`` for how they begin.
    """
    levels = len(settings.widths)
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=tuple(settings.widths),
        layers_per_block=settings.layers,
        latent_channels=settings.latent_channels,
        norm_num_groups=settings.groups,
        sample_size=side,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )
    blocks = [module for module in autoencoder.modules() if isinstance(module, ResnetBlock2D)]
    last_of_block, first_of_block = {block.conv2 for block in blocks}, {block.conv1 for block in blocks}
    for layer in autoencoder.modules():
        if layer in last_of_block:
            zero_init_(layer)
        elif isinstance(layer, nn.Conv2d) and layer not in first_of_block:
            dirac_init_(layer)
    narrow_posterior_init_(autoencoder.quant_conv)
    return autoencoder


def make_unet(settings: DenoiserSettings, channels: int, side: int, condition: int) -> UNet2DConditionModel:
    """Make a UNet with random weights.

    Args:
        settings: sizes of the UNet.
        channels: channels of a latent.
        side: side of a latent.
        condition: width of the tokens that condition it.
    """
    deeper = len(settings.widths) - 1
    return UNet2DConditionModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * deeper,
        up_block_types=("CrossAttnUpBlock2D",) * deeper + ("UpBlock2D",),
        block_out_channels=tuple(settings.widths),
        layers_per_block=settings.layers,
        norm_num_groups=settings.groups,
        cross_attention_dim=condition,
        attention_head_dim=settings.head_width,
    )


def make_text_encoder(settings: TextEncoderSettings, tokenizer: PreTrainedTokenizerFast) -> CLIPTextModel:
    """Make a text encoder of CLIP's class with random weights for a tokenizer's vocabulary."""
    config = CLIPTextConfig(
        hidden_size=settings.width,
        intermediate_size=4 * settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=settings.tokens,
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)
