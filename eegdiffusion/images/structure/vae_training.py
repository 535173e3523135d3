"""Training of the structural VAE."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.structure.structural_vae import StructuralVAE

TRAINING = 0


@settings
class VAELoss:
    """Loss of the structural VAE: squared error of the picture + structure + KL divergence, as weighted."""

    beta: Annotated[float, Ge(0)]
    """Of the KL divergence per latent unit."""
    structure_weight: Annotated[float, Ge(0)]
    """Of the loss of the structure maps, as a share of the mean field's."""


class StructuralAutoencoding(EMALightningModule):
    """Trains pictures and structure maps; half of the pictures are turned left for right, maps with them.

    Args:
        model: centred on the training images' mean field.
        loss: weights.
        mean_field_loss: what the mean field itself loses on the training images.
        optimisation: settings.
        seed: of the latents' noise and the turns.
    """

    def __init__(
        self, model: StructuralVAE, loss: VAELoss, mean_field_loss: float, optimisation: Optimisation, seed: int
    ):
        super().__init__(model, optimisation, seed)
        self.weights, self.mean_field_loss = loss, mean_field_loss
        self.validation = torch.nn.ModuleDict({name: MeanMetric() for name in ("loss", "error", "structure", "kl")})

    def parts(self, network: StructuralVAE, batch: dict[str, Tensor], noise: Tensor | None) -> dict[str, Tensor]:
        """Loss of a batch and its parts: squared error of the picture, share of the mean field's loss, KL."""
        pictures, logits, posterior = network(batch["pixels"], noise)
        error = functional.mse_loss(pictures, batch["pixels"])
        structure = network.kind.loss(logits, batch["structure"]).mean() / self.mean_field_loss
        kl = posterior.kl().mean()
        loss = error + self.weights.structure_weight * structure + self.weights.beta * kl
        return {"loss": loss, "error": error, "structure": structure, "kl": kl}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        random, items = self.generator(TRAINING, self.current_epoch, batch_idx), self.optimisation.batch_size
        noise = self.local_slice(torch.randn((items, *self.model.latent_shape), generator=random))
        turned = self.local_slice(torch.rand(items, generator=random) < 0.5)[:, None, None, None]
        batch = {name: torch.where(turned, values.flip(-1), values) for name, values in batch.items()}
        parts = self.parts(self.model, batch, noise)
        self.log("train_loss", parts["loss"], on_step=True, on_epoch=True, prog_bar=True, sync_dist=True)
        return parts["loss"]

    @torch.no_grad()
    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        for name, value in self.parts(self.ema_model, batch, None).items():
            self.validation[name].update(value, len(batch["pixels"]))

    def on_validation_epoch_end(self) -> None:
        for name, metric in self.validation.items():
            self.log(f"validation_{name}", metric.compute(), prog_bar=name == "loss")
            metric.reset()
