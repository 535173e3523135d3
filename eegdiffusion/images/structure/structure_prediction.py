"""Training of what predicts the structure of the image seen from EEG."""

import torch
from torch import Tensor
from torch.nn import functional

from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import LatentReadout


class StructurePrediction(EMALightningModule):
    """Regresses the centred latent means of the images seen, and their structure through the frozen decoder.

    A batch has ``eeg``, ``subject``, ``latent`` (B, *latent_shape) and ``structure`` (B, channels, side, side).

    Args:
        model: encoder and readout, which are trained.
        vae: VAE whose decoder is used; it stays frozen, and is neither trained, averaged nor saved.
        structure_weight: weight of the structure's loss, which is taken as a share of the mean field's.
        mean_field_loss: loss of the mean field itself on the training images' maps.
        optimisation: settings of the optimiser.
        seed: seed of whatever is random in training.
    """

    def __init__(
        self, model: LatentReadout, vae: StructuralVAE, structure_weight: float, mean_field_loss: float,
        optimisation: Optimisation, seed: int,
    ):  # fmt: skip
        super().__init__(model, optimisation, seed)
        self.hold_frozen(vae)
        self.structure_weight, self.mean_field_loss = structure_weight, mean_field_loss
        self.average_over_validation("loss", "error", "structure", prefix="predictor_validation_")

    def parts(self, network: LatentReadout, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the loss of a batch and its parts: error of centred latents, share of the mean field's loss."""
        (vae,) = self.frozen
        centred = network(batch["eeg"], batch["subject"])
        error = functional.mse_loss(centred, network.centred(batch["latent"]))
        logits = vae.structure_logits(network.latents(centred))
        structure = vae.kind.loss(logits, batch["structure"]).mean() / self.mean_field_loss
        return {"loss": error + self.structure_weight * structure, "error": error, "structure": structure}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch, and log it as ``predictor_train_loss``."""
        loss = self.parts(self.model, batch)["loss"]
        return self.log_training_loss(loss, len(batch["eeg"]), "predictor_train_loss")

    @torch.no_grad()
    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add loss, latents' error and structure's loss of a batch under the averaged weights."""
        self.update_validation(self.parts(self.ema_model, batch), len(batch["eeg"]))
