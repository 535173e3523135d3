"""SGDM: a generator told by EEG what was seen (features) and where (structure, through a ControlNet).

Lian et al., "Structure-Guided Diffusion Model for EEG-Based Visual Cognition Reconstruction", arXiv:2604.22649; sizes
and losses are this project's, as the paper's were not to be had.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel
from diffusers.models.attention_processor import AttnProcessor2_0
from diffusers.models.embeddings import ImageProjection
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.images.encoders.eeg_semantics import EEGSemantics, load_semantics
from eegdiffusion.images.generation.dirac_init import dirac_init_
from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.image_batches import image_batches
from eegdiffusion.images.generation.image_sampling import SamplingRequest
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.sgdm.control_settings import ControlSettings
from eegdiffusion.images.structure.structure_from_eeg import StructureFromEEG, load_structure_predictor

WIDTHS = (16, 32, 96, 256)
"""Channels of the convolutions that bring a structure map to the size of a latent."""

FILE = "sgdm.json"
"""File that says where the generator is, and how images are sampled unless told otherwise."""


def make_controlnet(generator: Generator, channels: int) -> ControlNetModel:
    """Make a ControlNet from the UNet's weights, its taps zero, so that at first it changes nothing (arXiv:2302.05543).

    What embeds structure begins as identities, not at zero: see ``eegdiffusion.images.generation.dirac_init``.

    Args:
        generator: generator whose UNet it copies.
        channels: channels of a structure map.
    """
    levels = generator.downscale.bit_length()
    widths = WIDTHS if levels == len(WIDTHS) else tuple(16 * 2**k for k in range(levels))
    unet = generator.unet
    # An IP-Adapter's part of the UNet is none of the ControlNet's.
    hid_dim_type, processors = unet.config.encoder_hid_dim_type, unet.attn_processors
    unet.register_to_config(encoder_hid_dim_type=None)
    unet.set_attn_processor(AttnProcessor2_0())
    controlnet = ControlNetModel.from_unet(
        unet, conditioning_channels=channels, conditioning_embedding_out_channels=widths
    )
    unet.register_to_config(encoder_hid_dim_type=hid_dim_type)
    unet.set_attn_processor(processors)
    for layer in controlnet.controlnet_cond_embedding.modules():
        if isinstance(layer, nn.Conv2d):
            dirac_init_(layer)
    return controlnet


def adapter_width(generator: Generator) -> int:
    """Return the width of the image features that a generator's IP-Adapter reads.

    Raises:
        InputError: it reads other than one vector an image.
    """
    layer = generator.unet.encoder_hid_proj.image_projection_layers[0]
    if not isinstance(layer, ImageProjection):
        raise InputError(
            f"prepare_generator.ip_adapter: {generator.source.ip_adapter}: must be an IP-Adapter that reads one vector "
            f"an image, such as ip-adapter_sd15 (found {type(layer).__name__}, as ip-adapter-plus has)"
        )
    return layer.image_embeds.in_features


def require_features(generator: Generator, width: int) -> None:
    """Check that a generator's IP-Adapter, where it has one, reads features of a width.

    Raises:
        InputError: it reads others.
    """
    if generator.source.ip_adapter is not None and (read := adapter_width(generator)) != width:
        raise InputError(
            f"prepare_generator.ip_adapter: {generator.source.ip_adapter}: reads features of width {read}, and "
            f"those of embed_images have {width}; both must be of the same CLIP model"
        )


def guided_prediction(
    generator: Generator, controlnet: ControlNetModel | None, noisy: Tensor, steps: Tensor, condition: dict,
    structure: Tensor | None, scale: float | Tensor = 1.0,
) -> Tensor:  # fmt: skip
    """Predict with the UNet, guided by a ControlNet where there is one.

    Args:
        generator: generator with the UNet.
        controlnet: ControlNet, or None for the UNet alone.
        noisy: (B, c, h, w) noisy latents.
        steps: (B,) diffusion steps.
        condition: arguments of :meth:`Generator.condition`.
        structure: (B, channels, side, side) structure maps from 0 to 1, of any side.
        scale: factor of what the ControlNet adds.

    Returns:
        (B, c, h, w) prediction.
    """
    if controlnet is None:
        return generator.unet(noisy, steps, **condition).sample
    side = generator.source.image_size
    control = functional.interpolate(structure, (side, side), mode="bilinear", antialias=True)
    added = condition.get("added_cond_kwargs", {})
    down, mid = controlnet(
        noisy,
        steps,
        encoder_hidden_states=condition["encoder_hidden_states"],
        controlnet_cond=control,
        conditioning_scale=scale,
        added_cond_kwargs={name: value for name, value in added.items() if name != "image_embeds"} or None,
        return_dict=False,
    )
    return generator.unet(
        noisy, steps, **condition, down_block_additional_residuals=down, mid_block_additional_residual=mid
    ).sample


@dataclass
class SGDM:
    """A generator and what guides it.

    Attributes:
        generator: frozen generator.
        controlnet: trained ControlNet.
        tokens: semantic tokens trained with the ControlNet; None: the generator's IP-Adapter conditions.
        semantics: network from EEG to features.
        predictor: network from EEG to structure.
        baseline: linear map from EEG to features.
    """

    generator: Generator
    controlnet: ControlNetModel
    tokens: SemanticTokens | None
    semantics: EEGSemantics
    predictor: StructureFromEEG
    baseline: EEGSemantics

    def to(self, device: torch.device) -> "SGDM":
        """Move the networks, frozen and in evaluation mode."""
        self.generator.to(device)
        for network in (self.controlnet, self.tokens, self.semantics, self.predictor, self.baseline):
            if network is not None:
                network.to(device).eval().requires_grad_(False)
        return self

    def generate(
        self, features: Tensor | None, structure: Tensor | None, seeds: list[int], sampling: Sampling,
        control: ControlSettings,
    ) -> np.ndarray:  # fmt: skip
        """Generate images at once, (n, side, side, 3) uint8; the arguments are those of :meth:`generate_batches`."""
        return np.concatenate(list(self.generate_batches(features, structure, seeds, sampling, control)))

    @torch.inference_mode()
    def generate_batches(
        self, features: Tensor | None, structure: Tensor | None, seeds: list[int], sampling: Sampling,
        control: ControlSettings, samples: int = 1, first: int = 0, desc: str | None = None,
    ) -> Iterator[np.ndarray]:  # fmt: skip
        """Generate images, batch by batch.

        Args:
            features: (items, width), a row for each item; None: no semantic condition.
            structure: (items, channels, side, side) from 0 to 1; None: no ControlNet.
            seeds: (items * samples,) seeds of the noise, item by item.
            sampling: how images are sampled.
            control: how far the ControlNet takes part.
            samples: number of images of an item.
            first: image that is begun with, a multiple of the batch's size.
            desc: label of the progress bar; None shows no bar.

        Yields:
            (batch, side, side, 3) uint8.
        """
        device, blind = self.generator.unet.device, features is None
        total = self.generator.scheduler.config.num_train_timesteps
        conditions = torch.zeros(len(seeds) // samples, self._width()) if features is None else features

        def items_of(images: slice) -> Tensor:
            return torch.arange(images.start, images.stop) // samples

        def denoise(noisy: Tensor, steps: Tensor, images: slice, unconditional: bool) -> Tensor:
            items = items_of(images)
            batch = conditions[items].to(device)
            dropped = torch.full((len(batch),), blind or unconditional, device=device)
            condition = self.generator.condition(batch, dropped, self.tokens)
            if structure is None or float(steps[0]) < (1 - control.end) * total:
                return guided_prediction(self.generator, None, noisy, steps, condition, None, control.scale)
            maps = structure[items].to(device)
            return guided_prediction(self.generator, self.controlnet, noisy, steps, condition, maps, control.scale)

        start = None
        if structure is not None and self.predictor.vae.config.structure == "colours":
            colours = structure

            def start(images: slice) -> Tensor:
                return self._encode_colours(colours[items_of(images)])

        request = SamplingRequest.of(
            sampling, self.generator.latent_shape, seeds, guidance=1.0 if blind else sampling.guidance, desc=desc,
            start=start, strength=control.strength,
        )  # fmt: skip
        yield from image_batches(self.generator, denoise, request, first)

    def _encode_colours(self, colours: Tensor) -> Tensor:
        """Encode colours (n, 3, side, side) from 0 to 1, of any side, to latents."""
        side = self.generator.source.image_size
        colours = functional.interpolate(colours.float(), (side, side), mode="bilinear", antialias=True)
        return self.generator.encode((255 * colours).round().byte().permute(0, 2, 3, 1).cpu().numpy())

    def _width(self) -> int:
        return adapter_width(self.generator) if self.tokens is None else self.tokens.config.n_features

    def save(self, folder: Path, generator: Path, sampling: Sampling, control: ControlSettings) -> None:
        """Write all parts but the generator.

        Args:
            folder: folder to make.
            generator: folder of the generator, which is written down.
            sampling: how the model samples unless told otherwise.
            control: how far the ControlNet takes part unless told otherwise.
        """
        folder.mkdir(parents=True)
        self.controlnet.save_pretrained(folder / "controlnet")
        if self.tokens is not None:
            self.tokens.save_pretrained(folder / "tokens")
        self.semantics.save(folder / "semantics")
        self.baseline.save(folder / "ridge")
        self.predictor.save(folder / "structure")
        facts = {"generator": generator.as_posix(), "sampling": asdict(sampling), "control": asdict(control)}
        (folder / FILE).write_text(json.dumps(facts, indent=2))


def load_sgdm(folder: Path, generator: Generator) -> SGDM:
    """Load what :meth:`SGDM.save` wrote, frozen and in evaluation mode.

    Raises:
        InputError: there is no ControlNet in the folder.
    """
    if not (folder / "controlnet").is_dir():
        raise InputError(f"{folder}/controlnet: no such folder; train_controlnet makes it")
    tokens = folder / "tokens"
    return SGDM(
        generator,
        load_folder(ControlNetModel, folder / "controlnet"),
        load_folder(SemanticTokens, tokens) if tokens.is_dir() else None,
        load_semantics(folder / "semantics"),
        load_structure_predictor(folder / "structure"),
        load_semantics(folder / "ridge"),
    ).to(generator.unet.device)


def read_defaults(folder: Path) -> tuple[Path, Sampling, ControlSettings]:
    """Read the folder of the generator, and how images are sampled unless told otherwise."""
    path = folder / FILE
    facts = json.loads(path.read_text())
    return (
        Path(facts["generator"]),
        validate(facts["sampling"], Sampling, str(path)),
        validate(facts["control"], ControlSettings, str(path)),
    )
