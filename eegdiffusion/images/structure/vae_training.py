"""Training of the structural VAE."""

import torch
from torch import Tensor
from torch.nn import functional

from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_settings import VAELoss

TRAINING = 0
"""Stream of random numbers that training steps draw from."""


class StructuralAutoencoding(EMALightningModule):
    """Trains to decode images and structure maps; half of the images are mirrored left to right, maps with them.

    A batch has ``pixels`` (B, 3, side, side) from -1 to 1 and ``structure`` (B, channels, side, side) from 0 to 1.

    Args:
        model: VAE that is centred on the training images' mean field.
        loss: weights of the loss.
        mean_field_loss: loss of the mean field itself on the training images' maps.
        optimisation: settings of the optimiser.
        seed: seed of the latents' noise and of the mirroring.
    """

    def __init__(
        self, model: StructuralVAE, loss: VAELoss, mean_field_loss: float, optimisation: Optimisation, seed: int
    ):
        super().__init__(model, optimisation, seed)
        self.weights, self.mean_field_loss = loss, mean_field_loss
        self.average_over_validation("loss", "error", "structure", "kl")

    def parts(self, network: StructuralVAE, batch: dict[str, Tensor], noise: Tensor | None) -> dict[str, Tensor]:
        """Compute the loss of a batch and its parts.

        Args:
            network: VAE to compute with.
            batch: ``pixels`` and ``structure``.
            noise: (B, *latent_shape) standard normal; None: the means of the latents are decoded.

        Returns:
            ``loss``, squared ``error`` of the images, ``structure`` as a share of the mean field's loss, and ``kl``.
        """
        decoded, logits, posterior = network(batch["pixels"], noise)
        error = functional.mse_loss(decoded, batch["pixels"])
        structure = network.kind.loss(logits, batch["structure"]).mean() / self.mean_field_loss
        kl = posterior.kl().mean()
        loss = error + self.weights.structure_weight * structure + self.weights.beta * kl
        return {"loss": loss, "error": error, "structure": structure, "kl": kl}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch with sampled latents, half of it mirrored, and log it as ``train_loss``."""
        random, items = self.generator(TRAINING, self.current_epoch, batch_idx), self.optimisation.batch_size
        noise = self.local_slice(torch.randn((items, *self.model.latent_shape), generator=random))
        mirrored = self.local_slice(torch.rand(items, generator=random) < 0.5)[:, None, None, None]
        batch = {name: torch.where(mirrored, values.flip(-1), values) for name, values in batch.items()}
        parts = self.parts(self.model, batch, noise)
        return self.log_training_loss(parts["loss"], len(batch["pixels"]))

    @torch.no_grad()
    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add the loss of a batch and its parts under the averaged weights, with the means of its latents."""
        self.update_validation(self.parts(self.ema_model, batch, None), len(batch["pixels"]))
