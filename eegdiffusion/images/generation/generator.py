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
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoTokenizer, CLIPTextModel, CLIPTextModelWithProjection

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.generation.pixels import to_pictures, to_pixels
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens

FILE = "generator.json"
DECODED = 16
"""Pictures that are encoded or decoded at a time."""


@dataclass(frozen=True)
class Source:
    """Where a generator comes from, its ``generator.json``.

    Attributes:
        pipeline: folder or hub name of a diffusers pipeline; None: the folder of this file.
        download: whether the hub may be asked for what is not on the disk.
        ip_adapter: file of IP-Adapter's weights (safetensors); None: features condition by :class:`SemanticTokens`.
        image_size: side of the pictures in pixels.
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
        source: where it comes from.
        vae, unet, scheduler: diffusers' classes.
        text_encoder: takes token embeddings of the UNet's width (CLIP's).
        semantics: features -> tokens; None where an IP-Adapter does it.
        blank: what the UNet is told where text would be: ``encoder_hidden_states`` and, of SDXL, ``text_embeds``, of
            the empty prompt, each with a batch of one; empty where semantic tokens take the text's place.
    """

    source: Source
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    scheduler: DDPMScheduler
    semantics: SemanticTokens | None
    blank: dict[str, Tensor]

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of a picture's latent."""
        side = self.source.image_size // self.downscale
        return self.vae.config.latent_channels, side, side

    @property
    def downscale(self) -> int:
        """Pixels to a latent's side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def modules(self) -> list[nn.Module]:
        """All networks."""
        return [m for m in (self.vae, self.unet, self.text_encoder, self.semantics) if m is not None]

    def to(self, device: torch.device) -> "Generator":
        """Move the networks, frozen and in evaluation mode."""
        for module in self.modules():
            module.to(device).eval().requires_grad_(False)
        self.blank = {name: value.to(device) for name, value in self.blank.items()}
        return self

    @torch.inference_mode()
    def encode(self, pictures: np.ndarray) -> Tensor:
        """Encode pictures (n, side, side, 3) uint8 to the means of their scaled latents, (n, c, h, w) on the CPU."""
        parts = []
        for k in range(0, len(pictures), DECODED):
            pixels = to_pixels(pictures[k : k + DECODED]).to(self.vae.device)
            parts.append(self.scaled(self.vae.encode(pixels).latent_dist.mean).float().cpu())
        return torch.cat(parts)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Decode scaled latents to pictures (n, side, side, 3) uint8."""
        parts = []
        for k in range(0, len(latents), DECODED):
            part = latents[k : k + DECODED].to(self.vae.device, self.vae.dtype)
            shift = self.vae.config.shift_factor or 0.0
            parts.append(to_pictures(self.vae.decode(part / self.vae.config.scaling_factor + shift).sample))
        return np.concatenate(parts)

    def scaled(self, latents: Tensor) -> Tensor:
        """Bring the VAE's latents to about unit variance."""
        return (latents - (self.vae.config.shift_factor or 0.0)) * self.vae.config.scaling_factor

    def condition(
        self, features: Tensor, dropped: Tensor | None = None, semantics: SemanticTokens | None = None
    ) -> dict:
        """Arguments that tell the UNet, and a ControlNet, about images.

        Args:
            features: (B, width) of the images, not normalised.
            dropped: (B,) bool, which of them stay without a condition.
            semantics: tokens in place of the generator's own.
        """
        own = semantics or self.semantics
        if own is not None:
            found = {"encoder_hidden_states": own(features, dropped)}
        else:
            kept = features if dropped is None else torch.where(dropped[:, None], 0.0, features)
            found = {"encoder_hidden_states": self._blank("encoder_hidden_states", len(features))}
            found["added_cond_kwargs"] = {"image_embeds": [kept[:, None].to(self.unet.dtype)]}
        if "text_embeds" in self.blank:
            sizes = torch.tensor([self.source.image_size, self.source.image_size, 0, 0] + [self.source.image_size] * 2)
            added = found.setdefault("added_cond_kwargs", {})
            added["text_embeds"] = self._blank("text_embeds", len(features))
            added["time_ids"] = sizes.to(added["text_embeds"]).expand(len(features), -1)
        return found

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
    """SHA-256 of a network's weights, by name."""
    total = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        total.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return total.hexdigest()


def open_generator(source: Source, folder: Path | None = None, n_features: int = 1280) -> Generator:
    """Load a generator, all of it frozen.

    Args:
        source: what its ``generator.json`` says.
        folder: of that file.
        n_features: length of the image features, where semantic tokens are made anew.

    Raises:
        InputError: a part of the pipeline is not there, or does not fit.
    """
    place = source.pipeline or str(folder)
    options = {"local_files_only": not source.download}

    def part(cls, name: str, **more):
        try:
            return cls.from_pretrained(place, subfolder=name, **options, **more)
        except (OSError, ValueError) as error:
            raise InputError(f"{place}/{name}: must be a part of a diffusers pipeline ({error})") from error

    vae, unet = part(AutoencoderKL, "vae"), part(UNet2DConditionModel, "unet")
    text_encoder, scheduler = part(CLIPTextModel, "text_encoder", dtype=torch.float32), part(DDPMScheduler, "scheduler")
    blank, semantics = {}, None
    if source.pipeline is not None and (source.ip_adapter or unet.config.addition_embed_type):
        blank = _empty_prompt(part, text_encoder, bool(unet.config.addition_embed_type))
    if source.ip_adapter:
        _load_ip_adapter(unet, Path(source.ip_adapter))
    elif folder is not None and (folder / "semantics").is_dir():
        semantics = SemanticTokens.from_pretrained(folder / "semantics")
    else:
        semantics = SemanticTokens(n_features=n_features, width=unet.config.cross_attention_dim)
    return Generator(source, vae, unet, text_encoder, scheduler, semantics, blank).to(torch.device("cpu"))


def load_generator(folder: Path, ip_adapter: bool = True) -> Generator:
    """Load the generator of a folder that :meth:`Generator.save` wrote.

    Args:
        folder: the folder.
        ip_adapter: whether with its IP-Adapter, where it has one; a UNet with one always wants image features.

    Raises:
        InputError: it is not there, or a part of it.
    """
    if not (folder / FILE).is_file():
        raise InputError(f"{folder / FILE}: no such file; prepare_generator writes it")
    source = Source(**json.loads((folder / FILE).read_text()))
    return open_generator(source if ip_adapter else replace(source, ip_adapter=None), folder)


@torch.inference_mode()
def _empty_prompt(part, text_encoder: CLIPTextModel, two: bool) -> dict[str, Tensor]:
    """Embed the empty prompt, as the pipelines of Stable Diffusion (last layer) and SDXL (second last of two) do."""

    def ids(name: str) -> Tensor:
        tokenizer = part(AutoTokenizer, name)
        return tokenizer("", padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt").input_ids

    if not two:
        return {"encoder_hidden_states": text_encoder(ids("tokenizer")).last_hidden_state}
    second = part(CLIPTextModelWithProjection, "text_encoder_2")
    first = text_encoder(ids("tokenizer"), output_hidden_states=True).hidden_states[-2]
    other = second(ids("tokenizer_2"), output_hidden_states=True)
    states = torch.cat([first, other.hidden_states[-2]], dim=-1)
    return {"encoder_hidden_states": states, "text_embeds": other.text_embeds}


def _load_ip_adapter(unet: UNet2DConditionModel, path: Path) -> None:
    """Add an IP-Adapter (Ye et al. 2023, arXiv:2308.06721) to a UNet."""
    if not path.is_file():
        raise InputError(f"{path}: ip_adapter: must be a safetensors file of IP-Adapter's weights")
    state: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, value in load_file(path).items():
        group, _, rest = name.partition(".")
        if group not in state:
            raise InputError(f"{path}: {name}: must begin with image_proj. or ip_adapter.")
        state[group][rest] = value
    unet._load_ip_adapter_weights([state])
