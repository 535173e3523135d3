"""Self-supervised diffusion pretraining of the SSMDP backbone."""

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from eegdiffusion.core.signal.mulaw import mulaw
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.events.models.diffusion import velocity_loss
from eegdiffusion.events.models.ssmdp import SSMDP

TRAINING, VALIDATION = 0, 1


class Pretraining(EMALightningModule):
    """Velocity prediction on single-channel signals (EEGDM, arXiv:2508.14086, section 3).

    Args:
        model: the backbone.
        scheduler: diffusers' noise scheduler.
        mu_law: whether signals pass the staged mu-law first.
        optimisation: settings.
        seed: seed of steps and noise.
    """

    def __init__(self, model: SSMDP, scheduler, mu_law: bool, optimisation: Optimisation, seed: int):
        super().__init__(model, optimisation, seed)
        self.scheduler = scheduler
        self.mu_law = mu_law
        self.validation_loss = MeanMetric()

    def _loss(self, network: torch.nn.Module, batch: dict[str, Tensor], steps: Tensor, noise: Tensor) -> Tensor:
        signals = mulaw(batch["signal"]) if self.mu_law else batch["signal"]
        return velocity_loss(network, self.scheduler, signals, steps, batch["channel"][:, None], noise)

    def _steps_and_noise(self, samples: int, length: int, *key: int) -> tuple[Tensor, Tensor]:
        """Draw diffusion steps (samples, 1), uniform, and standard normal noise (samples, 1, length)."""
        generator = self.generator(*key)
        steps = torch.randint(self.scheduler.config.num_train_timesteps, (samples, 1), generator=generator)
        return steps, torch.randn((samples, 1, length), generator=generator)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the velocity loss of a batch at random steps, and log it as ``train_loss``."""
        length = batch["signal"].shape[-1]
        key = TRAINING, self.current_epoch, batch_idx
        steps, noise = self._steps_and_noise(self.optimisation.batch_size, length, *key)
        loss = self._loss(self.model, batch, self.local_slice(steps), self.local_slice(noise))
        return self.log_training_loss(loss, len(batch["signal"]))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add the velocity loss of a batch under the averaged weights, at steps and noise that are always the same."""
        samples, _, length = batch["signal"].shape
        steps, noise = self._steps_and_noise(samples, length, VALIDATION, batch_idx)
        loss = self._loss(self.ema_model, batch, steps.to(self.device), noise.to(self.device))
        self.validation_loss.update(loss, samples)

    def on_validation_epoch_end(self) -> None:
        """Log the mean loss of the split as ``validation_loss``."""
        self.log("validation_loss", self.validation_loss.compute(), prog_bar=True)
        self.validation_loss.reset()
