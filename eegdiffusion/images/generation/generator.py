"""The image generator that EEG conditions: a latent diffusion model of diffusers, small or Stable Diffusion.

A folder ``models/generator/<name>`` holds ``generator.json`` and, of a generator trained here, the parts of a diffusers
pipeline; one that the user gave stays where it is, and the folder holds only what was made for it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import AutoTokenizer, CLIPTextModel, CLIPTextModelWithProjection, PreTrainedTokenizerBase

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.model_hub import model_folder
from eegdiffusion.core.training.inference import ArrayDataset, batched
from eegdiffusion.core.training.weights_file import load_weights
from eegdiffusion.images.generation.pixels import as_uint8, to_pixels
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens

FILE = "generator.json"
PARTS = ("vae", "unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
VAE_BATCH = 16
"""Number of images that are encoded or decoded at a time."""


@dataclass(frozen=True)
class Source:
    """Where a generator comes from, as ``generator.json`` says.

    Attributes:
        pipeline: folder of a diffusers pipeline, or ``owner/name@commit`` of the hub; None: the folder of this file.
        download: whether the hub may be asked for what is not on the disk.
        ip_adapter: file of IP-Adapter's weights (safetensors); None: features condition by :class:`SemanticTokens`.
        image_size: side of the images in pixels.
        trained: whether the semantic tokens were trained with the UNet; if not, they are to be trained with what is
            built upon it.
    """

    pipeline: str | None
    download: bool
    ip_adapter: str | None
    image_size: int
    trained: bool


@dataclass
class Generator:
    """A latent diffusion model, and how image features condition it.

    Attributes:
        source: where the generator comes from.
        vae, unet, scheduler: autoencoder, denoiser and noise schedule, of diffusers' classes.
        text_encoder: CLIP's text encoder, which takes token embeddings of the UNet's width.
        semantics: network from features to tokens; None where an IP-Adapter does it.
        blank: what the UNet is told where text would be: ``encoder_hidden_states`` and, of SDXL, ``text_embeds``, of
            the empty prompt, each with a batch of one; empty where semantic tokens take the text's place.
        tokenizer: tokenizer of the text encoder; None where the generator has never read text.
    """

    source: Source
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    scheduler: DDPMScheduler
    semantics: SemanticTokens | None
    blank: dict[str, Tensor]
    tokenizer: PreTrainedTokenizerBase | None = None

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
        """Return all networks that there are."""
        return [m for m in (self.vae, self.unet, self.text_encoder, self.semantics) if m is not None]

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

    def condition(
        self, features: Tensor, dropped: Tensor | None = None, semantics: SemanticTokens | None = None
    ) -> dict:
        """Make the arguments that tell the UNet, and a ControlNet, about images.

        Args:
            features: (B, width) features of the images, not normalised.
            dropped: (B,) bool, which of them stay without a condition.
            semantics: semantic tokens in place of the generator's own.

        Returns:
            keyword arguments of the UNet.
        """
        tokens = semantics or self.semantics
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

    def save(self, folder: Path) -> None:
        """Write ``generator.json`` and, where the generator was made here, its networks."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(asdict(self.source), indent=2))
        if self.semantics is not None:
            self.semantics.save_pretrained(folder / "semantics")
        if self.source.pipeline is None:
            for name in ("vae", "unet", "text_encoder", "scheduler"):
                getattr(self, name).save_pretrained(folder / name)


def weights_digest(network: nn.Module) -> str:
    """Compute the SHA-256 of a network's weights and their names."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def open_generator(source: Source, folder: Path | None = None, n_features: int = 1280) -> Generator:
    """Load a generator, all of it frozen.

    Args:
        source: what its ``generator.json`` says.
        folder: folder of that file.
        n_features: length of the image features, where semantic tokens are made with random weights.

    Raises:
        InputError: a part of the pipeline is missing, or does not fit.
    """
    pipeline = folder
    if source.pipeline is not None:
        pipeline = model_folder(
            source.pipeline, source.download, "prepare_generator.pipeline", "a diffusers pipeline", PARTS
        )

    def part(cls, name: str, **more):
        try:
            return cls.from_pretrained(pipeline, subfolder=name, local_files_only=True, **more)
        except (OSError, ValueError) as error:
            where = f"{source.pipeline or pipeline}/{name}"
            raise InputError(f"{where}: must be a part of a diffusers pipeline ({error})") from error

    vae, unet = part(AutoencoderKL, "vae"), part(UNet2DConditionModel, "unet")
    text_encoder, scheduler = part(CLIPTextModel, "text_encoder", dtype=torch.float32), part(DDPMScheduler, "scheduler")
    blank, semantics, tokenizer = {}, None, None
    if source.pipeline is not None:
        tokenizer = part(AutoTokenizer, "tokenizer", trust_remote_code=False)
    if source.pipeline is not None and (source.ip_adapter or unet.config.addition_embed_type):
        blank = _empty_prompt(part, text_encoder, bool(unet.config.addition_embed_type))
    if source.ip_adapter:
        _load_ip_adapter(unet, Path(source.ip_adapter))
    elif folder is not None and (folder / "semantics").is_dir():
        semantics = SemanticTokens.from_pretrained(folder / "semantics")
    else:
        semantics = SemanticTokens(n_features=n_features, width=unet.config.cross_attention_dim)
    generator = Generator(source, vae, unet, text_encoder, scheduler, semantics, blank, tokenizer)
    return generator.to(torch.device("cpu"))


def load_generator(folder: Path, ip_adapter: bool = True) -> Generator:
    """Load the generator of a folder that :meth:`Generator.save` wrote.

    Args:
        folder: folder with ``generator.json``.
        ip_adapter: whether to load its IP-Adapter, where it has one; a UNet with one always wants image features.

    Raises:
        InputError: the file, or a part of the generator, is missing.
    """
    if not (folder / FILE).is_file():
        raise InputError(f"{folder / FILE}: no such file; prepare_generator writes it")
    source = Source(**json.loads((folder / FILE).read_text()))
    return open_generator(source if ip_adapter else replace(source, ip_adapter=None), folder)


@torch.inference_mode()
def _empty_prompt(part, text_encoder: CLIPTextModel, two: bool) -> dict[str, Tensor]:
    """Embed the empty prompt, as the pipelines of Stable Diffusion (last layer) and SDXL (second last of two) do."""

    def ids(name: str) -> Tensor:
        tokenizer = part(AutoTokenizer, name, trust_remote_code=False)
        return tokenizer("", padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt").input_ids

    if not two:
        return {"encoder_hidden_states": text_encoder(ids("tokenizer")).last_hidden_state}
    text_encoder_2 = part(CLIPTextModelWithProjection, "text_encoder_2")
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
