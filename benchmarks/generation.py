"""Images from EEG: what caching saves, how fast pictures are made, what a step takes at Stable Diffusion's size."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.measure import Row, compare, peak_gib
from components.prepare_generator.settings import PrepareGenerator
from eegdiffusion.core.runtime.settings import read
from eegdiffusion.core.training.settings import EMASettings, Optimisation
from eegdiffusion.images.features import efficientnet_lite
from eegdiffusion.images.features.image_networks import load_network
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.images.generation.generator import Generator, Source, open_generator
from eegdiffusion.images.generation.image_sampling import SamplingRequest, sample_latents, seeds_for
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.sgdm.controlnet_training import ControlNetTraining, Guide
from eegdiffusion.images.sgdm.sgdm import guided_prediction, make_controlnet
from eegdiffusion.surrogate.text_to_image.captions import make_tokenizer

PIXELS = 512

AVERAGING = EMASettings(beta=0.999, update_after_step=0, update_every=1)
OPTIMISATION = Optimisation(
    batch_size=1, max_epochs=1, patience=1, learning_rate=1e-5, betas=(0.9, 0.999), weight_decay=0.0, clip_norm=1.0,
    ema=AVERAGING,
)  # fmt: skip


def _demo() -> Generator:
    """The demo's generator."""
    settings = read("prepare_generator", PrepareGenerator)
    return open_generator(Source(settings.pipeline, settings.ip_adapter, settings.image_size))


def _tokens(generator: Generator) -> SemanticTokens:
    """Semantic tokens with weights as they are drawn, frozen."""
    width = generator.unet.config.cross_attention_dim
    return SemanticTokens(efficientnet_lite.WIDTH, 4, width).eval().requires_grad_(False)


def cached(batch: int = 32) -> Row:
    """A ControlNet's training step from latents and features that were computed once, or computed at every step."""
    generator = _demo()
    side = generator.source.image_size
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (batch, side, side, 3), np.uint8)
    network, _ = load_network("efficientnet_lite0", None, False, torch.device("cpu"))
    opened = [Image.fromarray(picture) for picture in pictures]
    kept = generator.encode(pictures).clone(), torch.from_numpy(network(opened))
    controlnet, tokens = make_controlnet(generator, 1), _tokens(generator)
    optimiser = torch.optim.AdamW(controlnet.parameters())
    structure, steps = torch.rand(batch, 1, side, side), torch.randint(1000, (batch,))

    def step(latents: torch.Tensor, features: torch.Tensor) -> None:
        optimiser.zero_grad()
        condition = generator.condition(features, tokens=tokens)
        predicted = guided_prediction(generator, controlnet, latents, steps, condition, structure)
        predicted.square().mean().backward()
        optimiser.step()

    return compare(
        "ControlNet training step, latents and features cached",
        f"batch {batch}, {side} x {side}, the demo's generator",
        lambda: step(*kept),
        lambda: step(generator.encode(pictures).clone(), torch.from_numpy(network(opened))),
        "encoding pictures at every step",
        rounds=3,
    )


def sampling(pictures: int = 64, steps: int = 10) -> Row:
    """Pictures of EEG's conditions: in batches, and one at a time."""
    generator = _demo()
    controlnet, tokens = make_controlnet(generator, 1).eval().requires_grad_(False), _tokens(generator)
    side = generator.source.image_size
    features, structure = torch.randn(pictures, efficientnet_lite.WIDTH), torch.rand(pictures, 1, side, side)
    seeds = seeds_for(pictures, 1, 0)

    def run(batch_size: int) -> None:
        def denoise(noisy: torch.Tensor, now: torch.Tensor, items: slice, without: bool) -> torch.Tensor:
            dropped = torch.full((len(noisy),), without)
            condition = generator.condition(features[items], dropped, tokens)
            return guided_prediction(generator, controlnet, noisy, now, condition, structure[items])

        request = SamplingRequest(generator.latent_shape, seeds, steps=steps, guidance=2.0, batch_size=batch_size)
        generator.decode(sample_latents(denoise, generator.scheduler, request, torch.device("cpu")))

    row = compare(
        "pictures from conditions, UniPC with guidance and ControlNet",
        f"{pictures} pictures of {side} x {side}, {steps} steps, the demo's generator",
        lambda: run(32),
        lambda: run(1),
        "one picture at a time",
        rounds=3,
    )
    return replace(row, ours=row.ours / pictures, plain=row.plain / pictures, unit="s/picture")


def stable_diffusion() -> Generator:
    """Stable Diffusion 1.5's shapes with weights as they are drawn."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=PIXELS, scaling_factor=0.18215,
    )  # fmt: skip
    unet = UNet2DConditionModel(sample_size=PIXELS // 8, cross_attention_dim=768, attention_head_dim=8)
    text = CLIPTextModel(
        CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    )
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
    tokenizer = make_tokenizer([], text.config.max_position_embeddings)
    return Generator(Source("in memory", None, PIXELS), vae, unet, text, scheduler, tokenizer, {}).to(
        torch.device("cpu")
    )


def sd15_step(checkpointing: bool) -> dict[str, float]:
    """Take two training steps of a ControlNet at Stable Diffusion 1.5's size; seconds of the second, peak GiB."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = stable_diffusion().to(device)
    guide = Guide(make_controlnet(generator, 3), SemanticTokens(1280, 4, 768), None)
    settings = Denoising(condition_dropout=0.1, min_snr_gamma=None, gradient_checkpointing=checkpointing)
    module = ControlNetTraining(guide, generator, 0.5, 1.0, settings, OPTIMISATION, 0).to(device)
    optimiser = torch.optim.AdamW(guide.parameters(), lr=1e-5)
    batch = {
        "latent": torch.randn(1, 4, PIXELS // 8, PIXELS // 8), "features": torch.randn(1, 1280),
        "structure": torch.rand(1, 3, PIXELS, PIXELS),
    }  # fmt: skip
    batch |= {"eeg_features": batch["features"], "eeg_structure": batch["structure"]}
    batch = {name: value.to(device) for name, value in batch.items()}
    for _ in range(2):
        begin = time.perf_counter()
        optimiser.zero_grad()
        noise = (part.to(device) for part in module.draw(batch["latent"].shape, 0))
        module.losses(guide, batch, *noise).mean().backward()
        optimiser.step()
        module.ema.update()
        if device.type == "cuda":
            torch.cuda.synchronize()
        elapsed = time.perf_counter() - begin
    peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else peak_gib()
    return {"seconds": elapsed, "gib": peak}


def memory() -> Row:
    """Peak memory of a process that trains a ControlNet at Stable Diffusion 1.5's size, with and without."""
    usage = {}
    for checkpointing in (True, False):
        code = f"import json; from benchmarks import generation as g; print(json.dumps(g.sd15_step({checkpointing})))"
        process = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
        usage[checkpointing] = json.loads(process.stdout.splitlines()[-1])
    return Row(
        "memory of a ControlNet training step, gradient checkpointing",
        f"batch 1, 512 x 512, shapes of Stable Diffusion 1.5, random weights; {usage[True]['seconds']:.0f} s against "
        f"{usage[False]['seconds']:.0f} s a step",
        usage[True]["gib"],
        usage[False]["gib"],
        "activations kept",
        unit="GiB",
    )


ROWS = {"cached-latents": cached, "pictures": sampling, "sd15-memory": memory}
