"""Trains a small image generator: an autoencoder, and a UNet on its latents conditioned by image features."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.inference import ArrayDataset
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.generation.autoencoder import Autoencoding
from eegdiffusion.images.generation.dirac_init import dirac_init_, narrow_posterior_init_, zero_init_
from eegdiffusion.images.generation.generator import Generator, Source
from eegdiffusion.images.generation.generator_settings import (
    AutoencoderSettings,
    DenoiserSettings,
    SmallGeneratorSettings,
)
from eegdiffusion.images.generation.latent_diffusion import Denoiser, GeneratorTraining
from eegdiffusion.images.generation.pixels import to_pixels
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens


class FlippedImages:
    """A dataset of images as pixels; for training, each also mirrored left to right.

    Args:
        images: (n, side, side, 3) uint8.
        flip: whether items n and beyond are the same images mirrored.
    """

    def __init__(self, images: np.ndarray, flip: bool):
        self._images, self._flip = images, flip

    def __len__(self) -> int:
        return len(self._images) * (2 if self._flip else 1)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items: ``pixels`` (batch, 3, side, side) float32 from -1 to 1."""
        mirrored, rows = np.divmod(np.asarray(indices), len(self._images))
        images = self._images[rows]
        images[mirrored == 1] = images[mirrored == 1, :, ::-1]
        return {"pixels": to_pixels(images).numpy()}


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


def make_generator(settings: SmallGeneratorSettings, n_features: int) -> Generator:
    """Make a small generator for ``n_features`` image features, with random weights that the seed determines."""
    torch.manual_seed(settings.seed)
    auto, network, text = settings.autoencoder, settings.network, settings.text_encoder
    side = settings.image_size // 2 ** (len(auto.widths) - 1)
    config = CLIPTextConfig(
        hidden_size=text.width,
        intermediate_size=4 * text.width,
        num_hidden_layers=text.layers,
        num_attention_heads=text.heads,
        max_position_embeddings=text.tokens,
        vocab_size=2,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    diffusion = settings.diffusion
    scheduler = DDPMScheduler(
        num_train_timesteps=diffusion.steps,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule=diffusion.beta_schedule,
        prediction_type=diffusion.prediction_type,
        clip_sample=False,
    )
    return Generator(
        Source(None, False, None, settings.image_size, True),
        make_autoencoder(auto, settings.image_size),
        make_unet(network, auto.latent_channels, side, text.width),
        CLIPTextModel(config),
        scheduler,
        SemanticTokens(n_features, network.tokens, text.width),
        {},
    )


@dataclass(frozen=True)
class FittedGenerator:
    """How the two trainings of a small generator went.

    Attributes:
        autoencoder: training of the autoencoder.
        network: training of UNet and semantic tokens.
    """

    autoencoder: Fitted
    network: Fitted


def train_generator(
    generator: Generator, images: np.ndarray, features: np.ndarray, held_out: np.ndarray,
    settings: SmallGeneratorSettings, hardware: Hardware, work: Path, device: torch.device,
) -> FittedGenerator:  # fmt: skip
    """Train the autoencoder, then UNet and semantic tokens on its latents.

    Args:
        generator: generator from :func:`make_generator`, whose networks are trained in place.
        images: (n, side, side, 3) uint8.
        features: (n, width) features of the images.
        held_out: (n,) bool, images that choose the weights and are not trained on.
        settings: settings of both trainings.
        hardware: devices to train on.
        work: folder for checkpoints, from which an interrupted training goes on.
        device: device on which latents are computed.

    Returns:
        how the two trainings went.

    Raises:
        InputError: the generator has no semantic tokens.
    """
    if generator.semantics is None:
        raise InputError(
            "generator: must have semantic tokens (found an IP-Adapter); only a small generator is trained"
        )
    kept = ~held_out
    autoencoding = Autoencoding(
        generator.vae, settings.autoencoder.optimisation, settings.seed, settings.autoencoder.kl_weight
    )
    fitted_autoencoder = fit(
        autoencoding, FlippedImages(images[kept], True), FlippedImages(images[held_out], False),
        monitor="validation_loss", mode="min", hardware=hardware, work=work / "autoencoder",
    )  # fmt: skip
    generator.vae = autoencoding.ema_model
    generator.to(device)
    latents = generator.encode(images)
    generator.vae.register_to_config(scaling_factor=float(1 / latents[torch.from_numpy(kept)].std()))
    latents = generator.scaled(latents).numpy()
    flipped = generator.encode(images[kept][:, :, ::-1]).numpy()
    generator.semantics.fit_scale(torch.from_numpy(features[kept]).to(device))
    denoiser = Denoiser(generator.unet, generator.semantics).requires_grad_(True).train()
    training = GeneratorTraining(
        denoiser, [], generator.scheduler, settings.network.denoising, settings.network.optimisation, settings.seed
    )
    train = ArrayDataset(latent=np.concatenate([latents[kept], flipped]), features=np.tile(features[kept], (2, 1)))
    validation = ArrayDataset(latent=latents[held_out], features=features[held_out])
    fitted_network = fit(
        training, train, validation, monitor="validation_loss", mode="min", hardware=hardware, work=work / "network"
    )
    generator.unet, generator.semantics = training.ema_model.unet, training.ema_model.semantics
    generator.to(device)
    return FittedGenerator(fitted_autoencoder, fitted_network)
