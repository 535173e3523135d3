"""Networks of an image generator without their weights: those of a folder, or of Stable Diffusion 1.5."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from eegdiffusion.images.generation.generator import Generator, Source
from eegdiffusion.operations.planning.counted_operations import META
from eegdiffusion.operations.planning.stage_cost import Planned

UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
TEXT = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
"""Sizes of Stable Diffusion 1.5, where diffusers' and transformers' defaults are others."""


@dataclass(frozen=True)
class GeneratorShapes:
    """A generator on the meta device.

    Attributes:
        generator: its networks.
        bytes: of its folder.
        note: what is assumed of it; empty for nothing.
    """

    generator: Generator
    bytes: int
    note: str


def generator_shapes(planned: Planned) -> GeneratorShapes:
    """Return the generator of ``prepare_generator``, anew: what is trained changes its networks."""
    settings = planned.settings("prepare_generator")
    folder = Path(settings.pipeline)
    known = (folder / "unet" / "config.json").is_file()
    with torch.device(META):
        if known:
            unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"))
            vae = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae"))
            text_config = CLIPTextConfig.from_pretrained(folder / "text_encoder", local_files_only=True)
        else:
            unet, vae, text_config = UNet2DConditionModel(**UNET), AutoencoderKL(**VAE), CLIPTextConfig(**TEXT)
        text = CLIPTextModel(text_config)
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(META)
    source = Source(str(folder), None, settings.image_size)
    generator = Generator(source, vae, unet, text, scheduler, None, {}).to(META)  # type: ignore[arg-type]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if known else 0
    note = "" if known else f"{folder}: is not there, sizes of Stable Diffusion 1.5 are assumed"
    return GeneratorShapes(generator, size, note)
