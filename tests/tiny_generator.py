"""Tiny image generators with random weights."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from eegdiffusion.images.generation.generator import Generator, Source, open_generator

SIDE = 16
"""Of the pictures; latents are 4 x 4."""

WIDTH = 32
"""Of text encoder and cross-attention."""

CHARACTERS = [chr(k) for k in [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)]]
"""How CLIP's tokenizer writes the 256 bytes."""


def autoencoder() -> AutoencoderKL:
    """Three levels: a latent has a quarter of the picture's side."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIDE,
    )


def unet(width: int = WIDTH, **options) -> UNet2DConditionModel:
    """Two levels with attention, as Stable Diffusion's are."""
    return UNet2DConditionModel(
        sample_size=SIDE // 4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=8,
        cross_attention_dim=width,
        **options,
    )


def text_encoder(tokens: int = 77, vocabulary: int = 2) -> CLIPTextModel:
    """Two layers; the vocabulary ends with the tokens for start and end."""
    ends = {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": vocabulary - 1}
    config = CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=tokens, vocab_size=vocabulary, **ends,
    )  # fmt: skip
    return CLIPTextModel(config)


def scheduler() -> DDPMScheduler:
    """Stable Diffusion's."""
    return DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    )


def tokenizer(folder: Path) -> CLIPTokenizer:
    """Make CLIP's tokenizer with the bytes alone as its vocabulary."""
    folder.mkdir(parents=True)
    words = [*CHARACTERS, *(f"{c}</w>" for c in CHARACTERS), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: k for k, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def write_stable_diffusion(folder: Path) -> Path:
    """Write a pipeline of Stable Diffusion 1.5's classes in its folders."""
    torch.manual_seed(1)
    words = tokenizer(folder.with_name(f"{folder.name}-tokenizer"))
    pipeline = StableDiffusionPipeline(
        vae=autoencoder(), text_encoder=text_encoder(vocabulary=len(words)), tokenizer=words, unet=unet(),
        scheduler=scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def make(folder: Path) -> Generator:
    """Write a pipeline and open it."""
    return open_generator(Source(str(write_stable_diffusion(folder)), None, SIDE))


def write_generator(folder: Path, pipeline: Path, side: int = SIDE) -> Path:
    """Write ``generator.json`` of a pipeline, as prepare_generator does."""
    Source(str(pipeline), None, side).write(folder)
    return folder
