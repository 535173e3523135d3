"""Training of networks that denoise cached latents: a generator's UNet, parts of it, or a ControlNet."""

from collections.abc import Mapping

import numpy as np
import torch
from diffusers import DDPMScheduler, ModelMixin
from diffusers.training_utils import compute_snr
from torch import Tensor, nn

from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.inference import BatchedDataset
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.generation.denoising_settings import Denoising

TRAINING, VALIDATION, COMPARISON = 0, 1, 2
"""Streams of random numbers of a module, which keep its uses apart."""


def target_of(scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
    """Compute the target of the prediction: noise, velocity or the latent itself, as the scheduler says.

    Args:
        scheduler: noise schedule.
        latents: (B, c, h, w) latents.
        noise: (B, c, h, w) noise that is added to them.
        steps: (B,) diffusion steps.

    Returns:
        (B, c, h, w).
    """
    prediction_type = scheduler.config.prediction_type
    if prediction_type == "v_prediction":
        return scheduler.get_velocity(latents, noise, steps)
    return {"epsilon": noise, "sample": latents}[prediction_type]


def weights_of(scheduler: DDPMScheduler, steps: Tensor, gamma: float | None) -> Tensor:
    """Compute the min-SNR weights of losses (Hang et al. 2023, arXiv:2303.09556).

    Args:
        scheduler: noise schedule.
        steps: (B,) diffusion steps.
        gamma: largest signal-to-noise ratio that counts; None: all weights are 1.

    Returns:
        (B,).
    """
    if gamma is None:
        return torch.ones(len(steps), device=steps.device)
    snr = compute_snr(scheduler, steps)
    divisor = {"epsilon": snr, "v_prediction": snr + 1, "sample": torch.ones_like(snr)}
    return snr.clamp(max=gamma) / divisor[scheduler.config.prediction_type]


class LatentDiffusion(EMALightningModule):
    """Minimises the prediction error on noised latents; a subclass says how a network predicts.

    A batch has ``latent`` (B, c, h, w), scaled, and whatever conditions it.

    Args:
        model: network that is trained, and nothing else.
        frozen: networks that it works with; they are moved to the device and neither trained, averaged nor saved.
        scheduler: noise schedule of the generator.
        settings: settings of the loss.
        optimisation: settings of the optimiser.
        seed: seed of steps, noise and dropped conditions.
    """

    def __init__(
        self, model: nn.Module, frozen: list[nn.Module], scheduler: DDPMScheduler, settings: Denoising,
        optimisation: Optimisation, seed: int,
    ):  # fmt: skip
        super().__init__(model, optimisation, seed)
        self.hold_frozen(*frozen)
        self.scheduler, self.settings = scheduler, settings
        self.average_over_validation("loss")
        if settings.gradient_checkpointing:
            for network in (*model.children(), *frozen):
                if isinstance(network, ModelMixin) and network._supports_gradient_checkpointing:
                    network.enable_gradient_checkpointing()

    def denoise(self, network: nn.Module, noisy: Tensor, steps: Tensor, batch: dict[str, Tensor], dropped: Tensor):
        """Predict noise or velocity from noisy latents; a subclass implements it.

        Args:
            network: trained network or its average.
            noisy: (B, c, h, w) noisy latents.
            steps: (B,) diffusion steps.
            batch: batch that the latents are of, with what conditions them.
            dropped: (B,) bool, items that stay without their condition.

        Returns:
            (B, c, h, w).
        """
        raise NotImplementedError

    def draw(self, shape: torch.Size, *stream: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw steps, noise and dropped conditions of latents (B, c, h, w); ``stream`` tells draws apart."""
        random = self.generator(*stream)
        steps = torch.randint(self.scheduler.config.num_train_timesteps, shape[:1], generator=random)
        dropped = torch.rand(shape[:1], generator=random) < self.settings.condition_dropout
        return steps, torch.randn(shape, generator=random), dropped

    def losses(
        self, network: nn.Module, batch: dict[str, Tensor], steps: Tensor, noise: Tensor, dropped: Tensor
    ) -> Tensor:
        """Compute weighted squared errors, averaged over the units of each latent.

        Args:
            network: trained network or its average.
            batch: batch with ``latent``.
            steps: (B,) diffusion steps, as :meth:`draw` draws them.
            noise: (B, c, h, w) noise that is added.
            dropped: (B,) bool, items that stay without their condition.

        Returns:
            (B,) losses.
        """
        noisy = self.scheduler.add_noise(batch["latent"], noise, steps)
        prediction = self.denoise(network, noisy, steps, batch, dropped).float()
        error = (prediction - target_of(self.scheduler, batch["latent"], noise, steps)).square().mean((1, 2, 3))
        return weights_of(self.scheduler, steps, self.settings.min_snr_gamma) * error

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the mean loss of a batch at steps drawn for it, and log it as ``train_loss``."""
        shape = torch.Size((self.optimisation.batch_size, *batch["latent"].shape[1:]))
        steps, noise, dropped = map(self.local_slice, self.draw(shape, TRAINING, self.current_epoch, batch_idx))
        loss = self.losses(self.model, batch, steps, noise, dropped).mean()
        return self.log_training_loss(loss, len(steps))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add the mean loss of a batch under the averaged weights, at steps and noise that are always the same."""
        steps, noise, _ = (part.to(self.device) for part in self.draw(batch["latent"].shape, VALIDATION, batch_idx))
        kept = torch.zeros(len(steps), dtype=torch.bool, device=self.device)
        loss = self.losses(self.ema_model, batch, steps, noise, kept).mean()
        self.update_validation({"loss": loss}, len(steps))


@torch.inference_mode()
def losses_by_condition(
    module: LatentDiffusion, conditions: Mapping[str, tuple[BatchedDataset, bool]], draws: int, device: torch.device,
    batch_size: int = 64,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Compute losses of the averaged weights under several conditions, with the same steps and noise in all.

    Args:
        module: trained module.
        conditions: by name, a dataset of the same latents, and whether its condition is left out.
        draws: number of draws of steps and noise for each item.
        device: device to compute on.
        batch_size: number of items at a time.

    Returns:
        (items,) losses by name of the condition.
    """
    module.to(device).on_fit_start()
    size = len(next(iter(conditions.values()))[0])
    losses = {name: np.zeros(size) for name in conditions}
    starts = [(draw, start) for draw in range(draws) for start in range(0, size, batch_size)]
    for draw, start in progress(starts, desc="losses by condition", unit="batch"):
        rows = list(range(start, min(start + batch_size, size)))
        for name, (data, left_out) in conditions.items():
            batch = {key: torch.from_numpy(value).to(device) for key, value in data.__getitems__(rows).items()}
            steps, noise, _ = (t.to(device) for t in module.draw(batch["latent"].shape, COMPARISON, draw, start))
            dropped = torch.full((len(rows),), left_out, device=device)
            losses[name][rows] += module.losses(module.ema_model, batch, steps, noise, dropped).cpu().numpy() / draws
    return losses
