"""Trains a small image generator: an autoencoder, and a UNet on its latents conditioned by image features."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.generation.autoencoder import Autoencoding
from eegdiffusion.images.generation.dirac_init import carry, sharpen, silence
from eegdiffusion.images.generation.generator import Generator, Source, to_pixels
from eegdiffusion.images.generation.generator_settings import Autoencoder, Network, SmallGenerator
from eegdiffusion.images.generation.latent_diffusion import Denoiser, GeneratorTraining
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens


class FlippedPictures:
    """Pictures as pixels; in training each also left for right.

    Args:
        pictures: (n, side, side, 3) uint8.
        flip: whether items n and beyond are the same pictures left for right.
    """

    def __init__(self, pictures: np.ndarray, flip: bool):
        self._pictures, self._flip = pictures, flip

    def __len__(self) -> int:
        return len(self._pictures) * (2 if self._flip else 1)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items: ``pixels`` (batch, 3, side, side) float32 from -1 to 1."""
        turned, rows = np.divmod(np.asarray(indices), len(self._pictures))
        found = self._pictures[rows]
        found[turned == 1] = found[turned == 1, :, ::-1]
        return {"pixels": to_pixels(found).numpy()}


class LatentItems:
    """Latents and features as items of a dataset.

    Args:
        latents: (n, c, h, w) float32.
        others: (n, ...) arrays by name.
    """

    def __init__(self, latents: np.ndarray, **others: np.ndarray):
        self._arrays = {"latent": latents} | others

    def __len__(self) -> int:
        return len(self._arrays["latent"])

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        return {name: values[indices] for name, values in self._arrays.items()}


def make_autoencoder(settings: Autoencoder, side: int) -> AutoencoderKL:
    """Make an autoencoder with freshly drawn weights; see ``eegdiffusion.images.generation.dirac_init``."""
    levels = len(settings.widths)
    made = AutoencoderKL(
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
    branches = {block.conv2 for block in made.modules() if isinstance(block, ResnetBlock2D)}
    inner = {block.conv1 for block in made.modules() if isinstance(block, ResnetBlock2D)}
    for layer in made.modules():
        if layer in branches:
            silence(layer)
        elif isinstance(layer, nn.Conv2d) and layer not in inner:
            carry(layer)
    sharpen(made.quant_conv)
    return made


def make_unet(settings: Network, channels: int, side: int, condition: int) -> UNet2DConditionModel:
    """Make a UNet with freshly drawn weights, for latents (channels, side, side) and tokens of width ``condition``."""
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


def make_generator(settings: SmallGenerator, n_features: int) -> Generator:
    """Make a small generator with freshly drawn weights, all of them determined by the seed."""
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


def train_generator(
    generator: Generator, pictures: np.ndarray, features: np.ndarray, held_out: np.ndarray, settings: SmallGenerator,
    hardware: Hardware, work: Path, device: torch.device,
) -> tuple[Fitted, Fitted]:  # fmt: skip
    """Train the autoencoder, then UNet and semantic tokens on its latents.

    Args:
        generator: from :func:`make_generator`; its networks are trained in place.
        pictures: (n, side, side, 3) uint8.
        features: (n, width) of the pictures.
        held_out: (n,) bool, those that choose the weights and are not trained on.
        settings: of both.
        hardware: where to run.
        work: folder for checkpoints.
        device: where latents are computed.

    Returns:
        how both trainings went.
    """
    kept = ~held_out
    module = Autoencoding(
        generator.vae, settings.autoencoder.optimisation, settings.seed, settings.autoencoder.kl_weight
    )
    first = fit(
        module, FlippedPictures(pictures[kept], True), FlippedPictures(pictures[held_out], False),
        monitor="validation_loss", mode="min", hardware=hardware, work=work / "autoencoder",
    )  # fmt: skip
    generator.vae = module.ema_model
    generator.to(device)
    latents = generator.encode(pictures)
    generator.vae.register_to_config(scaling_factor=float(1 / latents[torch.from_numpy(kept)].std()))
    latents = generator.scaled(latents).numpy()
    flipped = generator.encode(pictures[kept][:, :, ::-1]).numpy()
    generator.semantics.fit_scale(torch.from_numpy(features[kept]).to(device))
    pair = Denoiser(generator.unet, generator.semantics).requires_grad_(True).train()
    training = GeneratorTraining(
        pair, [], generator.scheduler, settings.network.denoising, settings.network.optimisation, settings.seed
    )
    train = LatentItems(np.concatenate([latents[kept], flipped]), features=np.tile(features[kept], (2, 1)))
    validation = LatentItems(latents[held_out], features=features[held_out])
    second = fit(
        training, train, validation, monitor="validation_loss", mode="min", hardware=hardware, work=work / "network"
    )
    generator.unet, generator.semantics = training.ema_model.unet, training.ema_model.semantics
    generator.to(device)
    return first, second
