"""A published ControlNet, such as Stable Diffusion's for HED edges or depth, as the one that training begins with."""

from pathlib import Path

import torch
from diffusers import ControlNetModel
from torch import nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.images.generation.generator import Generator

SETTING = "train_controlnet.pretrained_controlnet"

SHARED = (
    "in_channels",
    "block_out_channels",
    "layers_per_block",
    "down_block_types",
    "cross_attention_dim",
    "attention_head_dim",
    "addition_embed_type",
)
"""Fields of the configuration in which a ControlNet is as the UNet that it guides."""


def load_published_controlnet(folder: Path, generator: Generator, channels: int) -> ControlNetModel:
    """Load a ControlNet (Zhang et al. 2023, arXiv:2302.05543) that guides a generator by structure maps.

    Published ones read pictures of three channels. A map of one channel, shown to them as a grey picture, gives the
    sum of what the three give: the weights of the first convolution are added up, so that nothing is computed thrice.

    Args:
        folder: folder of a ControlNet of diffusers, with its weights as safetensors.
        generator: generator whose UNet it guides.
        channels: channels of a structure map.

    Returns:
        the network, in single precision; it reads maps (B, channels, side, side) from 0 to 1.

    Raises:
        InputError: the folder holds no ControlNet, or it fits another UNet, another autoencoder, or other maps.
    """
    controlnet = load_folder(ControlNetModel, folder).float()
    where = f"{SETTING}: {folder}"
    for field in SHARED:
        published, wanted = controlnet.config.get(field), generator.unet.config.get(field)
        if _plain(published) != _plain(wanted):
            raise InputError(
                f"{where}: {field}: must be that of prepare_generator.pipeline's UNet, {wanted} (found {published})"
            )
    shrinks = 2 ** (len(controlnet.config.conditioning_embedding_out_channels) - 1)
    if shrinks != generator.downscale:
        raise InputError(
            f"{where}: brings a map to 1/{shrinks} of its side, and a latent of prepare_generator.pipeline has "
            f"1/{generator.downscale}"
        )
    reads = controlnet.config.conditioning_channels
    if reads == channels:
        return controlnet
    if channels != 1:
        raise InputError(
            f"{where}: reads maps of {reads} channels, and those of embed_images.structure have {channels}; must be as "
            f"many, or one, which is shown as grey"
        )
    _read_grey(controlnet)
    return controlnet


def _plain(value: object) -> object:
    """Return a field of a configuration with lists for tuples, as files have them."""
    return list(value) if isinstance(value, (tuple, list)) else value


def _read_grey(controlnet: ControlNetModel) -> None:
    """Let the first convolution read one channel as it reads the same in each of its own."""
    embedding = controlnet.controlnet_cond_embedding
    first = embedding.conv_in
    layer = nn.Conv2d(1, first.out_channels, first.kernel_size, first.stride, first.padding)
    with torch.no_grad():
        layer.weight.copy_(first.weight.sum(1, keepdim=True))
        layer.bias.copy_(first.bias)
    embedding.conv_in = layer
    controlnet.register_to_config(conditioning_channels=1)
