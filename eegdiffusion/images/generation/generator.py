"""The image generator that EEG conditions: a text-to-image latent diffusion model, such as Stable Diffusion.

A folder ``models/generator/<corpus>`` holds ``generator.json``, which says where the pipeline of diffusers lies, and
the pipeline itself where it is small, so that what is built upon it needs no other folder.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import AutoTokenizer, CLIPTextModel, CLIPTextModelWithProjection, PreTrainedTokenizerBase

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.inference import ArrayDataset, batched
from eegdiffusion.core.training.weights_file import load_weights
from eegdiffusion.images.generation.pixels import as_uint8, to_pixels
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens

FILE = "generator.json"
PIPELINE = "pipeline"
"""Folder beside ``generator.json`` that holds a small pipeline."""
SMALL_BYTES = 64 * 2**20
"""Size up to which a pipeline is copied to the generator's folder."""
PARTS = ("vae", "unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
"""Folders of a pipeline that are read."""
PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth")
"""Files of weights that are not read, as a pickle can run code."""
VAE_BATCH = 16
"""Number of images that are encoded or decoded at a time."""


@dataclass(frozen=True)
class Source:
    """Where a generator comes from, as ``generator.json`` says.

    Attributes:
        pipeline: folder of a diffusers pipeline; null in ``generator.json`` where it is ``pipeline``, beside the file.
        ip_adapter: file of IP-Adapter's weights (safetensors); None: features condition by :class:`SemanticTokens`.
        image_size: side of the images in pixels.
    """

    pipeline: str
    ip_adapter: str | None
    image_size: int

    def write(self, folder: Path) -> None:
        """Write ``generator.json`` and copy a small pipeline to it; the folder is made when missing."""
        folder.mkdir(parents=True, exist_ok=True)
        document, pipeline = asdict(self), Path(self.pipeline)
        if sum(path.stat().st_size for path in pipeline.rglob("*") if path.is_file()) <= SMALL_BYTES:
            for part in PARTS:
                if (pipeline / part).is_dir():
                    copied = folder / PIPELINE / part
                    shutil.copytree(pipeline / part, copied, ignore=shutil.ignore_patterns(*PICKLES))
            document["pipeline"] = None
        (folder / FILE).write_text(json.dumps(document, indent=2))

    @classmethod
    def read(cls, folder: Path) -> "Source":
        """Read what :meth:`write` wrote.

        Raises:
            InputError: the file is missing.
        """
        if not (folder / FILE).is_file():
            raise InputError(f"{folder / FILE}: no such file; prepare_generator writes it")
        document = json.loads((folder / FILE).read_text())
        return cls(**document | {"pipeline": document["pipeline"] or str(folder / PIPELINE)})


@dataclass
class Generator:
    """A latent diffusion model, and how image features condition it.

    Attributes:
        source: where the generator comes from.
        vae, unet, scheduler: autoencoder, denoiser and noise schedule, of diffusers' classes.
        text_encoder: CLIP's text encoder; of SDXL the first.
        tokenizer: tokenizer of the text encoder.
        blank: what the UNet is told where an IP-Adapter tells it of images: ``encoder_hidden_states`` and, of SDXL,
            ``text_embeds``, of the empty prompt, each with a batch of one; empty where semantic tokens take the text's
            place.
    """

    source: Source
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    scheduler: DDPMScheduler
    tokenizer: PreTrainedTokenizerBase
    blank: dict[str, Tensor]

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image's latent."""
        side = self.source.image_size // self.downscale
        return self.vae.config.latent_channels, side, side

    @property
    def downscale(self) -> int:
        """Number of pixels to a step of a latent's side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def modules(self) -> list[nn.Module]:
        """Return the networks."""
        return [self.vae, self.unet, self.text_encoder]

    def to(self, device: torch.device) -> "Generator":
        """Move the networks, frozen and in evaluation mode."""
        for module in self.modules():
            module.to(device).eval().requires_grad_(False)
        self.blank = {name: value.to(device) for name, value in self.blank.items()}
        return self

    def encode(self, images: np.ndarray) -> Tensor:
        """Encode images (n, side, side, 3) uint8 to the means of their scaled latents, (n, c, h, w) on the CPU."""

        def encode_batch(batch: dict[str, Tensor]) -> Tensor:
            posterior = self.vae.encode(to_pixels(batch["images"])).latent_dist
            return self.scaled(posterior.mean).float()

        return batched(encode_batch, ArrayDataset(images=images), VAE_BATCH, self.vae.device)

    def decode(self, latents: Tensor) -> np.ndarray:
        """Decode scaled latents (n, c, h, w) to images (n, side, side, 3) uint8."""
        shift = self.vae.config.shift_factor or 0.0

        def decode_batch(batch: dict[str, Tensor]) -> Tensor:
            unscaled = batch["latents"].to(self.vae.dtype) / self.vae.config.scaling_factor + shift
            return as_uint8(self.vae.decode(unscaled).sample)

        dataset = ArrayDataset(latents=latents.cpu().numpy())
        return batched(decode_batch, dataset, VAE_BATCH, self.vae.device).numpy()

    def scaled(self, latents: Tensor) -> Tensor:
        """Scale and shift the VAE's latents to about zero mean and unit variance."""
        return (latents - (self.vae.config.shift_factor or 0.0)) * self.vae.config.scaling_factor

    def condition(self, features: Tensor, dropped: Tensor | None = None, tokens: SemanticTokens | None = None) -> dict:
        """Make the arguments that tell the UNet, and a ControlNet, about images.

        Args:
            features: (B, width) features of the images, not normalised.
            dropped: (B,) bool, which of them stay without a condition.
            tokens: network from features to tokens, which takes the text's place; None: the IP-Adapter does it.

        Returns:
            keyword arguments of the UNet.
        """
        if tokens is not None:
            arguments = {"encoder_hidden_states": tokens(features, dropped)}
        else:
            kept = features if dropped is None else torch.where(dropped[:, None], 0.0, features)
            arguments = {"encoder_hidden_states": self._blank("encoder_hidden_states", len(features))}
            arguments["added_cond_kwargs"] = {"image_embeds": [kept[:, None].to(self.unet.dtype)]}
        if "text_embeds" in self.blank:
            sizes = torch.tensor([self.source.image_size, self.source.image_size, 0, 0] + [self.source.image_size] * 2)
            added = arguments.setdefault("added_cond_kwargs", {})
            added["text_embeds"] = self._blank("text_embeds", len(features))
            added["time_ids"] = sizes.to(added["text_embeds"]).expand(len(features), -1)
        return arguments

    def _blank(self, name: str, batch: int) -> Tensor:
        return self.blank[name].expand(batch, *self.blank[name].shape[1:])


def weights_digest(network: nn.Module) -> str:
    """Compute the SHA-256 of a network's weights and their names."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def open_generator(source: Source) -> Generator:
    """Load a generator, all of it frozen.

    Args:
        source: what its ``generator.json`` says.

    Raises:
        InputError: a part of the pipeline is missing, or does not fit.
    """
    pipeline = Path(source.pipeline)
    if not pipeline.is_dir():
        raise InputError(f"prepare_generator.pipeline: {pipeline}: must be the folder of a diffusers pipeline")

    def part(cls, name: str, **more):
        try:
            return cls.from_pretrained(pipeline, subfolder=name, local_files_only=True, **more)
        except (OSError, ValueError) as error:
            raise InputError(f"{pipeline}/{name}: must be a part of a diffusers pipeline ({error})") from error

    safe = {"use_safetensors": True}
    vae, unet = part(AutoencoderKL, "vae", **safe), part(UNet2DConditionModel, "unet", **safe)
    text_encoder = part(CLIPTextModel, "text_encoder", dtype=torch.float32, **safe)
    scheduler = part(DDPMScheduler, "scheduler")
    tokenizer = part(AutoTokenizer, "tokenizer", trust_remote_code=False)
    blank = {}
    if source.ip_adapter or unet.config.addition_embed_type:
        blank = _empty_prompt(part, text_encoder, bool(unet.config.addition_embed_type))
    if source.ip_adapter:
        _load_ip_adapter(unet, Path(source.ip_adapter))
    generator = Generator(source, vae, unet, text_encoder, scheduler, tokenizer, blank)
    return generator.to(torch.device("cpu"))


def load_generator(folder: Path, ip_adapter: bool = True) -> Generator:
    """Load the generator of a folder with ``generator.json``, which ``prepare_generator`` writes.

    Args:
        folder: folder of the file.
        ip_adapter: whether to load its IP-Adapter, where it has one; a UNet with one always wants image features.

    Raises:
        InputError: the file, or a part of the generator, is missing.
    """
    source = Source.read(folder)
    return open_generator(source if ip_adapter else replace(source, ip_adapter=None))


@torch.inference_mode()
def _empty_prompt(part, text_encoder: CLIPTextModel, two: bool) -> dict[str, Tensor]:
    """Embed the empty prompt, as the pipelines of Stable Diffusion (last layer) and SDXL (second last of two) do."""

    def ids(name: str) -> Tensor:
        tokenizer = part(AutoTokenizer, name, trust_remote_code=False)
        return tokenizer("", padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt").input_ids

    if not two:
        return {"encoder_hidden_states": text_encoder(ids("tokenizer")).last_hidden_state}
    text_encoder_2 = part(CLIPTextModelWithProjection, "text_encoder_2", use_safetensors=True)
    hidden = text_encoder(ids("tokenizer"), output_hidden_states=True).hidden_states[-2]
    output_2 = text_encoder_2(ids("tokenizer_2"), output_hidden_states=True)
    states = torch.cat([hidden, output_2.hidden_states[-2]], dim=-1)
    return {"encoder_hidden_states": states, "text_embeds": output_2.text_embeds}


def _load_ip_adapter(unet: UNet2DConditionModel, path: Path) -> None:
    """Add an IP-Adapter (Ye et al. 2023, arXiv:2308.06721) to a UNet."""
    rule = f"{path}: ip_adapter: must be a safetensors file of IP-Adapter's weights"
    state: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, value in load_weights(path, rule).items():
        group, _, parameter = name.partition(".")
        if group not in state:
            raise InputError(f"{path}: {name}: must begin with image_proj. or ip_adapter.")
        state[group][parameter] = value
    unet._load_ip_adapter_weights([state])
