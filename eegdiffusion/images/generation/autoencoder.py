"""Training of a small generator's autoencoder."""

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric

from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.settings import Optimisation


class Autoencoding(EMALightningModule):
    """Squared error of the pictures, and a slight KL divergence to a standard normal.

    Args:
        model: the autoencoder.
        optimisation: settings.
        seed: of the latents' noise.
        kl_weight: of the divergence per latent unit.
    """

    def __init__(self, model: AutoencoderKL, optimisation: Optimisation, seed: int, kl_weight: float):
        super().__init__(model.to(memory_format=torch.channels_last), optimisation, seed)
        self.kl_weight = kl_weight
        self.validation_loss = MeanMetric()

    def _error(self, network: AutoencoderKL, pixels: Tensor, sample: bool) -> tuple[Tensor, Tensor]:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        latent = network.encode(pixels).latent_dist
        found = network.decode(latent.sample() if sample else latent.mean).sample
        return functional.mse_loss(found, pixels), latent.kl().mean() / latent.mean[0].numel()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        error, kl = self._error(self.model, batch["pixels"], True)
        loss = error + self.kl_weight * kl
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    @torch.no_grad()
    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.validation_loss.update(self._error(self.ema_model, batch["pixels"], False)[0], len(batch["pixels"]))

    def on_validation_epoch_end(self) -> None:
        self.log("validation_loss", self.validation_loss.compute(), prog_bar=True)
        self.validation_loss.reset()
