"""Training of what predicts the structure of the image seen from EEG."""

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MeanMetric

from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import LatentReadout


class StructurePrediction(EMALightningModule):
    """Regresses the centred latent means of the pictures seen, and their structure through the frozen decoder.

    A batch has ``eeg``, ``subject``, ``latent`` (B, *latent_shape) and ``structure`` (B, channels, side, side).

    Args:
        model: what is trained.
        vae: frozen; it is neither trained, averaged nor saved.
        structure_weight: of the structure's loss, as a share of the mean field's.
        mean_field_loss: what the mean field itself loses on the training images.
        optimisation: settings.
        seed: of whatever is random in training.
    """

    def __init__(
        self, model: LatentReadout, vae: StructuralVAE, structure_weight: float, mean_field_loss: float,
        optimisation: Optimisation, seed: int,
    ):  # fmt: skip
        super().__init__(model, optimisation, seed)
        self._frozen = (vae,)
        self.structure_weight, self.mean_field_loss = structure_weight, mean_field_loss
        self.validation = torch.nn.ModuleDict({name: MeanMetric() for name in ("loss", "error", "structure")})

    def on_fit_start(self) -> None:
        self._frozen[0].to(self.device)

    def parts(self, network: LatentReadout, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Loss of a batch and its parts: squared error of centred latents, share of the mean field's loss."""
        (vae,) = self._frozen
        found = network(batch["eeg"], batch["subject"])
        error = functional.mse_loss(found, network.centred(batch["latent"]))
        logits = vae.structure_logits(network.latents(found))
        structure = vae.kind.loss(logits, batch["structure"]).mean() / self.mean_field_loss
        return {"loss": error + self.structure_weight * structure, "error": error, "structure": structure}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.parts(self.model, batch)["loss"]
        self.log("predictor_train_loss", loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    @torch.no_grad()
    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        for name, value in self.parts(self.ema_model, batch).items():
            self.validation[name].update(value, len(batch["eeg"]))

    def on_validation_epoch_end(self) -> None:
        for name, metric in self.validation.items():
            self.log(f"predictor_validation_{name}", metric.compute(), prog_bar=name == "loss")
            metric.reset()
