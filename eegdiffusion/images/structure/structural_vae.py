"""Structurally supervised variational autoencoder of images (stage 1 of SGDM, arXiv:2604.22649).

One latent is decoded twice: to the image, and to its structure map. No sizes of SGDM's VAE are published; these are
this project's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.generation.dirac_init import dirac_init_, narrow_posterior_init_, zero_init_
from eegdiffusion.images.structure.structure_kinds import KINDS, StructureKind
from eegdiffusion.images.structure.structure_maps import Kind
from eegdiffusion.images.structure.structure_settings import LatentKind

GROUPS = 8
"""Number of groups of the group norms."""


@dataclass(frozen=True)
class Posterior:
    """Diagonal normal distribution of latents.

    Attributes:
        mean: (B, *latent_shape) means.
        log_variance: (B, *latent_shape) logarithms of the variances.
    """

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Draw a sample by reparameterisation (arXiv:1312.6114); ``noise`` is standard normal, of the mean's shape."""
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def kl(self) -> Tensor:
        """Compute the divergence from the standard normal per latent unit in nats, averaged over units: (B,).

        Its mean over a batch depends on neither the batch's nor the latent's size, and so the weight does not either.
        """
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance).flatten(1).mean(1)


class _Residual(nn.Sequential):
    def __init__(self, width: int):
        super().__init__(
            nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip
        zero_init_(self[-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class _Head(nn.Sequential):
    """Decodes from half the image's size to the image's: four pixels of each position.

    It does not normalise, as the colour of a whole image would be lost.
    """

    def __init__(self, width: int, outputs: int):
        super().__init__(
            nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(), nn.Conv2d(width, 4 * outputs, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip
        dirac_init_(self[1])
        dirac_init_(self[3], copies=4)


class StructuralVAE(ModelMixin, ConfigMixin):
    """Encodes images to latents, and decodes latents to images and to structure maps.

    Args:
        structure: kind of the structure maps.
        image_size: side of the images in pixels. With a spatial latent, any other side that the factor divides passes
            too.
        latent: kind of the latent: ``spatial``, a grid of the image's side over the factor, or ``vector``.
        latent_size: channels of the grid, or length of the vector.
        widths: channels at each halving of the image's side; their number is the exponent of the factor.

    Raises:
        InputError: the sizes do not fit each other.
    """

    @register_to_config
    def __init__(
        self,
        structure: Kind = "edges",
        image_size: int = 64,
        latent: LatentKind = "spatial",
        latent_size: int = 16,
        widths: Sequence[int] = (16, 32, 64, 128),
    ):
        super().__init__()
        if structure not in KINDS:
            raise InputError(f"structure: must be one of {', '.join(KINDS)} (found {structure!r})")
        if latent not in get_args(LatentKind):
            raise InputError(f"latent: must be one of {', '.join(get_args(LatentKind))} (found {latent!r})")
        if not widths or any(width < GROUPS or width % GROUPS for width in widths):
            raise InputError(f"widths: must be multiples of {GROUPS}, one or more (found {list(widths)})")
        self._check(image_size, image_size)
        first, last = widths[0], widths[-1]
        down = [nn.Conv2d(3, first, 4, stride=2, padding=1), _Residual(first)]
        for narrow, wide in pairwise(widths):
            down += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1), _Residual(wide)]
        self.down = nn.Sequential(*down)
        positions = (image_size // self.factor) ** 2
        if latent == "spatial":
            self.to_posterior = nn.Conv2d(last, 2 * latent_size, 3, padding=1)
            self.from_latent = nn.Conv2d(latent_size, last, 3, padding=1)
        else:
            self.to_posterior = nn.Linear(last * positions, 2 * latent_size)
            self.from_latent = nn.Linear(latent_size, last * positions)
        up = [_Residual(last)]
        for wide, narrow in zip(widths[::-1], widths[-2::-1], strict=False):
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(wide, narrow, 3, padding=1), _Residual(narrow)]
        self.up = nn.Sequential(*up)
        self.picture_head = _Head(first, 3)
        self.structure_head = _Head(first, self.kind.channels)
        for layer in (*self.down, *self.up, self.to_posterior, self.from_latent):
            if isinstance(layer, nn.Conv2d):
                dirac_init_(layer)
        narrow_posterior_init_(self.to_posterior)
        zero_init_(self.structure_head[-2])  # it begins as the mean field
        self.register_buffer("mean_field", torch.full((self.kind.channels, image_size, image_size), 0.5))

    @property
    def kind(self) -> StructureKind:
        """Activation, loss and score that fit its structure maps."""
        return KINDS[self.config.structure]

    @property
    def factor(self) -> int:
        """Number of pixels to a position of the latent grid, along a side."""
        return 2 ** len(self.config.widths)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of the latent of an image of ``image_size``."""
        side = self.config.image_size // self.factor
        return (self.config.latent_size, side, side) if self.config.latent == "spatial" else (self.config.latent_size,)

    def _check(self, height: int, width: int) -> None:
        if height < self.factor or width < self.factor or height % self.factor or width % self.factor:
            raise InputError(f"pictures: sides must be multiples of {self.factor} (found {height} x {width})")

    def centre(self, mean_field: Tensor) -> None:
        """Set the mean map of the training images, (channels, image_size, image_size) from 0 to 1.

        Raises:
            InputError: it has another shape.
        """
        if mean_field.shape != self.mean_field.shape:
            expected, actual = (tuple(x.shape) for x in (self.mean_field, mean_field))
            raise InputError(f"structure maps: must be {expected} (found {actual})")
        self.mean_field.copy_(mean_field)

    def encode(self, images: Tensor) -> Posterior:
        """Encode images (B, 3, H, W) from -1 to 1.

        Raises:
            InputError: the images do not have three channels or a side that the network takes.
        """
        if images.dim() != 4 or images.shape[1] != 3:
            raise InputError(f"pictures: must be (batch, 3, height, width) (found {tuple(images.shape)})")
        self._check(*images.shape[2:])
        if self.config.latent == "vector":
            side = self.config.image_size
            if tuple(images.shape[2:]) != (side, side):
                raise InputError(f"pictures: with a vector latent, must be {side} x {side} (found {images.shape[2:]})")
        hidden = self.down(images)
        if self.config.latent == "vector":
            hidden = hidden.flatten(1)
        mean, log_variance = self.to_posterior(hidden).chunk(2, 1)
        return Posterior(mean, log_variance.clamp(-20, 10))

    def _decode(self, latents: Tensor) -> Tensor:
        hidden = self.from_latent(latents)
        if self.config.latent == "vector":
            side = self.config.image_size // self.factor
            hidden = hidden.view(len(latents), -1, side, side)
        return self.up(hidden)

    def _structure_logits(self, hidden: Tensor) -> Tensor:
        deviation, mean = self.structure_head(hidden), self.mean_field[None]
        if mean.shape[2:] != deviation.shape[2:]:
            mean = functional.interpolate(mean, deviation.shape[2:], mode="bilinear", antialias=True)
        return self.kind.prior(mean) + deviation

    def decode(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Decode latents (B, *latent_shape) to images (B, 3, H, W) from -1 to 1 and structure logits (B, C, H, W)."""
        hidden = self._decode(latents)
        return self.picture_head(hidden), self._structure_logits(hidden)

    def structure_logits(self, latents: Tensor) -> Tensor:
        """Decode latents to the logits of their structure alone, (B, C, H, W)."""
        return self._structure_logits(self._decode(latents))

    def structure(self, latents: Tensor) -> Tensor:
        """Decode latents to structure maps, (B, C, H, W) from 0 to 1."""
        return self.kind.activate(self.structure_logits(latents))

    def forward(self, images: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Posterior]:
        """Encode and decode images, by samples of the latents where ``noise`` is given, by their means otherwise.

        Args:
            images: (B, 3, H, W) from -1 to 1.
            noise: (B, *latent_shape) standard normal; None: the means of the latents are decoded.

        Returns:
            (B, 3, H, W) decoded images, (B, C, H, W) structure logits, and the posterior.
        """
        posterior = self.encode(images)
        latents = posterior.mean if noise is None else posterior.sample(noise)
        return *self.decode(latents), posterior
