"""Training of what denoises cached latents: a generator's UNet, parts of it, or what guides it."""

from collections.abc import Mapping, Sized
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from diffusers import DDPMScheduler, ModelMixin
from diffusers.training_utils import compute_snr
from torch import Tensor, nn
from torchmetrics import MeanMetric
from tqdm import tqdm

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.settings import Optimisation

TRAINING, VALIDATION, COMPARISON = 0, 1, 2


@settings
class Denoising:
    """How the loss of a latent diffusion model is taken."""

    null_condition: Annotated[float, Ge(0), Le(1)]
    """Share of the training items that stay without their condition, for classifier-free guidance."""
    min_snr_gamma: Annotated[float, Gt(0)] | None = None
    """Weights of min-SNR (Hang et al. 2023, arXiv:2303.09556); null: all steps weigh the same."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, more time."""


def target_of(scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
    """What the network is to predict: noise, velocity or the latent itself, as the scheduler says."""
    kind = scheduler.config.prediction_type
    if kind == "v_prediction":
        return scheduler.get_velocity(latents, noise, steps)
    return {"epsilon": noise, "sample": latents}[kind]


def weights_of(scheduler: DDPMScheduler, steps: Tensor, gamma: float | None) -> Tensor:
    """Weights (B,) of the steps' losses."""
    if gamma is None:
        return torch.ones(len(steps), device=steps.device)
    snr = compute_snr(scheduler, steps)
    divisor = {"epsilon": snr, "v_prediction": snr + 1, "sample": torch.ones_like(snr)}
    return snr.clamp(max=gamma) / divisor[scheduler.config.prediction_type]


class LatentDiffusion(EMALightningModule):
    """Minimises the prediction error on noised latents; a subclass says how a network predicts.

    A batch has ``latent`` (B, c, h, w), scaled, and whatever conditions it.

    Args:
        model: what is trained, and nothing else.
        frozen: networks that it works with; they are moved to the device and neither trained, averaged nor saved.
        scheduler: of the generator.
        settings: of the loss.
        optimisation: settings.
        seed: of steps, noise and conditions left out.
    """

    def __init__(
        self, model: nn.Module, frozen: list[nn.Module], scheduler: DDPMScheduler, settings: Denoising,
        optimisation: Optimisation, seed: int,
    ):  # fmt: skip
        super().__init__(model, optimisation, seed)
        self._frozen = tuple(frozen)
        self.scheduler, self.settings = scheduler, settings
        self.validation_loss = MeanMetric()
        if settings.gradient_checkpointing:
            for network in (*model.children(), *frozen):
                if isinstance(network, ModelMixin) and network._supports_gradient_checkpointing:
                    network.enable_gradient_checkpointing()

    def denoise(self, network: nn.Module, noisy: Tensor, steps: Tensor, batch: dict[str, Tensor], dropped: Tensor):
        """Predict (B, c, h, w) from noisy latents; ``dropped`` (B,) bool items stay without their condition."""
        raise NotImplementedError

    def on_fit_start(self) -> None:
        for network in self._frozen:
            network.to(self.device)

    def draw(self, shape: torch.Size, *stream: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw steps, noise and dropped conditions of latents (B, c, h, w); ``stream`` tells draws apart."""
        random = self.generator(*stream)
        steps = torch.randint(self.scheduler.config.num_train_timesteps, shape[:1], generator=random)
        dropped = torch.rand(shape[:1], generator=random) < self.settings.null_condition
        return steps, torch.randn(shape, generator=random), dropped

    def losses(
        self, network: nn.Module, batch: dict[str, Tensor], steps: Tensor, noise: Tensor, dropped: Tensor
    ) -> Tensor:
        """Weighted squared errors (B,), means over a latent's units, for what :meth:`draw` has drawn."""
        noisy = self.scheduler.add_noise(batch["latent"], noise, steps)
        found = self.denoise(network, noisy, steps, batch, dropped).float()
        error = (found - target_of(self.scheduler, batch["latent"], noise, steps)).square().mean((1, 2, 3))
        return weights_of(self.scheduler, steps, self.settings.min_snr_gamma) * error

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        shape = torch.Size((self.optimisation.batch_size, *batch["latent"].shape[1:]))
        drawn = map(self.share, self.draw(shape, TRAINING, self.current_epoch, batch_idx))
        loss = self.losses(self.model, batch, *drawn).mean()
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        steps, noise, _ = (part.to(self.device) for part in self.draw(batch["latent"].shape, VALIDATION, batch_idx))
        kept = torch.zeros(len(steps), dtype=torch.bool, device=self.device)
        self.validation_loss.update(self.losses(self.ema_model, batch, steps, noise, kept).mean(), len(steps))

    def on_validation_epoch_end(self) -> None:
        self.log("validation_loss", self.validation_loss.compute(), prog_bar=True)
        self.validation_loss.reset()


@torch.inference_mode()
def losses_by_condition(
    module: LatentDiffusion, conditions: Mapping[str, tuple[Sized, bool]], draws: int, device: torch.device,
    batch_size: int = 64,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Losses (items,) of the averaged weights under several conditions, with the same steps and noise in all.

    Args:
        module: trained.
        conditions: name -> a dataset of the same latents, and whether its condition is left out.
        draws: of steps and noise for each item.
        device: where to run.
        batch_size: items at a time.
    """
    module.to(device).on_fit_start()
    size = len(next(iter(conditions.values()))[0])
    found = {name: np.zeros(size) for name in conditions}
    places = [(draw, k) for draw in range(draws) for k in range(0, size, batch_size)]
    for draw, k in tqdm(places, desc="losses by condition", unit="batch"):
        rows = list(range(k, min(k + batch_size, size)))
        for name, (data, left_out) in conditions.items():
            batch = {key: torch.from_numpy(value).to(device) for key, value in data.__getitems__(rows).items()}
            steps, noise, _ = (t.to(device) for t in module.draw(batch["latent"].shape, COMPARISON, draw, k))
            dropped = torch.full((len(rows),), left_out, device=device)
            found[name][rows] += module.losses(module.ema_model, batch, steps, noise, dropped).cpu().numpy() / draws
    return found


class Denoiser(nn.Module):
    """A UNet and the projection of its semantic condition, trained together."""

    def __init__(self, unet: nn.Module, semantics: nn.Module):
        super().__init__()
        self.unet, self.semantics = unet, semantics


class GeneratorTraining(LatentDiffusion):
    """Trains a small generator from pictures' latents and features (``latent``, ``features``)."""

    def denoise(self, network: Denoiser, noisy: Tensor, steps: Tensor, batch: dict[str, Tensor], dropped: Tensor):
        tokens = network.semantics(batch["features"], dropped)
        return network.unet(noisy, steps, encoder_hidden_states=tokens).sample
