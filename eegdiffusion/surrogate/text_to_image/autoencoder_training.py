"""Training of the miniature's autoencoder."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.generation.pixels import to_pixels


class Autoencoding(EMALightningModule):
    """Minimises the squared error of decoded images plus a slightly weighted KL divergence to a standard normal.

    A batch has ``pixels`` (B, 3, side, side) from -1 to 1.

    Args:
        model: autoencoder to train.
        optimisation: settings of the optimiser.
        seed: seed of the latents' noise.
        kl_weight: weight of the divergence per latent unit.
    """

    def __init__(self, model: AutoencoderKL, optimisation: Optimisation, seed: int, kl_weight: float):
        super().__init__(model.to(memory_format=torch.channels_last), optimisation, seed)
        self.kl_weight = kl_weight
        self.average_over_validation("loss")

    def _errors(self, network: AutoencoderKL, pixels: Tensor, sample: bool) -> tuple[Tensor, Tensor]:
        """Return mean squared error and KL divergence per latent unit; ``sample`` draws latents, else their means."""
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        posterior = network.encode(pixels).latent_dist
        decoded = network.decode(posterior.sample() if sample else posterior.mean).sample
        return functional.mse_loss(decoded, pixels), posterior.kl().mean() / posterior.mean[0].numel()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch with sampled latents, and log it as ``train_loss``."""
        error, kl = self._errors(self.model, batch["pixels"], True)
        loss = error + self.kl_weight * kl
        return self.log_training_loss(loss, len(batch["pixels"]))

    @torch.no_grad()
    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add the squared error of a batch under the averaged weights, with the means of its latents."""
        error, _ = self._errors(self.ema_model, batch["pixels"], False)
        self.update_validation({"loss": error}, len(batch["pixels"]))


class Pixels:
    """A dataset of images as pixels.

    Args:
        images: (n, side, side, 3) uint8.
    """

    def __init__(self, images: np.ndarray):
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items: ``pixels`` (batch, 3, side, side) float32 from -1 to 1."""
        return {"pixels": to_pixels(self._images[indices]).numpy()}
