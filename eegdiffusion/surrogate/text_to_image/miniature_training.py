"""Trains the miniature of Stable Diffusion: an autoencoder, then a UNet and a text encoder together, from captions."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, PreTrainedTokenizerFast

from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.inference import ArrayDataset
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.generation.generator import Generator, Source
from eegdiffusion.images.generation.latent_diffusion import LatentDiffusion
from eegdiffusion.surrogate.text_to_image.autoencoder_training import Autoencoding, Pixels
from eegdiffusion.surrogate.text_to_image.captions import make_tokenizer, token_ids
from eegdiffusion.surrogate.text_to_image.miniature_networks import make_autoencoder, make_text_encoder, make_unet
from eegdiffusion.surrogate.text_to_image.miniature_settings import Miniature
from eegdiffusion.surrogate.text_to_image.scene_collection import SceneCollection


@dataclass(frozen=True)
class TextToImage:
    """The parts of a pipeline of Stable Diffusion.

    Attributes:
        vae: autoencoder.
        unet: denoiser.
        text_encoder: text encoder, as wide as the UNet's cross-attention.
        tokenizer: tokenizer of captions.
        scheduler: noise schedule.
    """

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: PreTrainedTokenizerFast
    scheduler: DDPMScheduler


class CaptionedDenoiser(nn.Module):
    """A UNet and the text encoder that conditions it, trained together.

    Args:
        unet: denoiser.
        text_encoder: encoder of captions' tokens.
        empty: (length,) tokens of the empty prompt.
    """

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, empty: Tensor):
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder
        self.register_buffer("empty", empty)

    def predict(self, noisy: Tensor, steps: Tensor, tokens: Tensor, dropped: Tensor) -> Tensor:
        """Predict velocity (B, c, h, w).

        Args:
            noisy: (B, c, h, w) noisy latents.
            steps: (B,) diffusion steps.
            tokens: (B, length) tokens of captions.
            dropped: (B,) bool, which items see the empty prompt instead.
        """
        seen = torch.where(dropped[:, None], self.empty, tokens)
        return self.unet(noisy, steps, encoder_hidden_states=self.text_encoder(seen).last_hidden_state).sample


class TextToImageTraining(LatentDiffusion):
    """Trains UNet and text encoder on the latents and captions of images (batches of ``latent`` and ``tokens``)."""

    def denoise(
        self, network: CaptionedDenoiser, noisy: Tensor, steps: Tensor, batch: dict[str, Tensor], dropped: Tensor
    ) -> Tensor:
        """Predict (B, c, h, w) from noisy latents under captions; see :meth:`LatentDiffusion.denoise`."""
        return network.predict(noisy, steps, batch["tokens"], dropped)


def make_text_to_image(settings: Miniature, words: list[str]) -> TextToImage:
    """Make the networks with random weights that the seed determines, and the tokenizer of these words."""
    torch.manual_seed(settings.seed)
    auto, text = settings.autoencoder, settings.text_encoder
    side = settings.image_size // 2 ** (len(auto.widths) - 1)
    tokenizer = make_tokenizer(words, text.tokens)
    scheduler = DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        steps_offset=1,
    )
    return TextToImage(
        make_autoencoder(auto, settings.image_size),
        make_unet(settings.network, auto.latent_channels, side, text.width),
        make_text_encoder(text, tokenizer),
        tokenizer,
        scheduler,
    )


def as_generator(pipeline: TextToImage, image_size: int) -> Generator:
    """Take a text-to-image model that is not on the disk as a generator."""
    source = Source("in memory", None, image_size)
    parts = pipeline.vae, pipeline.unet, pipeline.text_encoder, pipeline.scheduler
    return Generator(source, *parts, pipeline.tokenizer, {})


@dataclass(frozen=True)
class TrainedMiniature:
    """A trained miniature.

    Attributes:
        pipeline: its parts, with averaged weights.
        autoencoder: how the autoencoder's training went.
        network: how that of UNet and text encoder went.
    """

    pipeline: TextToImage
    autoencoder: Fitted
    network: Fitted


def train_miniature(
    collection: SceneCollection, held_out: np.ndarray, settings: Miniature, hardware: Hardware, work: Path,
    device: torch.device,
) -> TrainedMiniature:  # fmt: skip
    """Train the autoencoder, then UNet and text encoder on its latents.

    Args:
        collection: scenes with captions.
        held_out: (scenes,) bool, scenes that choose the weights and are not trained on.
        settings: sizes and settings of both trainings.
        hardware: devices to train on.
        work: folder for checkpoints, from which an interrupted training goes on.
        device: device on which latents are computed.
    """
    untrained = make_text_to_image(settings, collection.words)
    images = collection.images
    autoencoding = Autoencoding(
        untrained.vae, settings.autoencoder.optimisation, settings.seed, settings.autoencoder.kl_weight
    )
    fitted_autoencoder = fit(
        autoencoding, Pixels(images[~held_out]), Pixels(images[held_out]),
        monitor="validation_loss", mode="min", hardware=hardware, work=work / "autoencoder",
    )  # fmt: skip
    vae = autoencoding.ema_model
    generator = as_generator(replace(untrained, vae=vae), settings.image_size).to(device)
    latents = generator.encode(images)
    vae.register_to_config(scaling_factor=float(1 / latents[torch.from_numpy(~held_out)].std()))
    latents = generator.scaled(latents).numpy()
    tokens = token_ids(untrained.tokenizer, collection.captions)
    empty = torch.from_numpy(token_ids(untrained.tokenizer, [""])[0])
    denoiser = CaptionedDenoiser(untrained.unet, untrained.text_encoder, empty).requires_grad_(True).train()
    training = TextToImageTraining(
        denoiser, [], untrained.scheduler, settings.network.denoising, settings.network.optimisation, settings.seed
    )
    data = [ArrayDataset(latent=latents[rows], tokens=tokens[rows]) for rows in (~held_out, held_out)]
    fitted_network = fit(
        training, *data, monitor="validation_loss", mode="min", hardware=hardware, work=work / "network"
    )
    best = training.ema_model
    pipeline = TextToImage(vae, best.unet, best.text_encoder, untrained.tokenizer, untrained.scheduler)
    return TrainedMiniature(pipeline, fitted_autoencoder, fitted_network)
