"""What every trained network here shares: AdamW, an averaged copy of the weights, and noise that a seed determines."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from ema_pytorch import EMA
from lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR
from torchmetrics import MeanMetric

from eegdiffusion.core.training.settings import Optimisation

NO_DECAY = {"inv_dt", "A_real", "A_imag", "B", "C", "cls_token"}
"""Names of parameters of more than one dimension that weight decay spares: S4D's, and the LFT's fusion tokens."""


def parameter_groups(
    model: nn.Module, rate: float, weight_decay: float, factor: Callable[[str], float] = lambda name: 1.0
) -> list[dict]:
    """Split trainable parameters into decayed ones and spared ones (biases, one-dimensional ones, ``NO_DECAY``).

    Args:
        model: network whose trainable parameters are grouped.
        rate: learning rate.
        weight_decay: weight decay of the decayed parameters.
        factor: name of a parameter -> factor of its rate.
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {(True, 1.0): [], (False, 1.0): []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decayed = parameter.ndim > 1 and name.rpartition(".")[2] not in NO_DECAY
            groups.setdefault((decayed, factor(name)), []).append(parameter)
    return [
        {"params": params, "weight_decay": weight_decay * decayed, "lr": rate * times}
        for (decayed, times), params in groups.items()
    ]


class EMALightningModule(LightningModule):
    """A network, the exponential moving average of its weights, and how both are optimised.

    Args:
        model: the network that learns.
        optimisation: settings.
        seed: seed of all noise drawn in training.
    """

    def __init__(self, model: nn.Module, optimisation: Optimisation, seed: int):
        super().__init__()
        self.model = model
        self.optimisation = optimisation
        self.seed = seed
        ema = optimisation.ema
        self.ema = EMA(
            model,
            beta=ema.beta,
            update_after_step=ema.update_after_step,
            update_every=ema.update_every,
            include_online_model=False,
        )
        self.frozen: tuple[nn.Module, ...] = ()
        self._validation_prefix = "validation_"
        self._validation_means = nn.ModuleDict()

    @property
    def ema_model(self) -> nn.Module:
        """The network with averaged weights, in evaluation mode."""
        return self.ema.ema_model.eval()

    def hold_frozen(self, *networks: nn.Module) -> None:
        """Keep networks that training works with but does not change, in the tuple ``frozen``.

        They are moved to the device when training starts, and neither trained, averaged nor written to checkpoints.
        """
        self.frozen = networks

    def _frozen_names(self) -> list[str]:
        """Return the names of weights that training does not change, and of their averages."""
        names = [name for name, p in self.model.named_parameters(remove_duplicate=False) if not p.requires_grad]
        return [f"{prefix}{name}" for prefix in ("model.", "ema.ema_model.") for name in names]

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Leave out of a checkpoint what training does not change."""
        for name in self._frozen_names():
            checkpoint["state_dict"].pop(name, None)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False):
        """Take up weights; those that training does not change may be missing, and stay as they are."""
        own = self.state_dict()
        frozen = {name: own[name] for name in self._frozen_names() if name in own}
        return super().load_state_dict(frozen | dict(state_dict), strict, assign)

    def on_fit_start(self) -> None:
        """Move the frozen networks to the device."""
        for network in self.frozen:
            network.to(self.device)

    def average_over_validation(self, *names: str, prefix: str = "validation_") -> None:
        """Log the means of these values over the samples of each validation; see :meth:`update_validation`.

        Args:
            names: names of the values; the progress bar shows ``loss``.
            prefix: what the names of the logged metrics begin with.
        """
        self._validation_prefix = prefix
        self._validation_means = nn.ModuleDict({name: MeanMetric() for name in names})

    def update_validation(self, values: Mapping[str, Tensor], samples: int) -> None:
        """Add the means of values, by name, over a batch of this many samples to those of the validation."""
        for name, value in values.items():
            self._validation_means[name].update(value, samples)

    def on_validation_epoch_end(self) -> None:
        """Log the means that :meth:`average_over_validation` announced."""
        for name, metric in self._validation_means.items():
            self.log(f"{self._validation_prefix}{name}", metric.compute(), prog_bar=name == "loss")
            metric.reset()

    def derive_seed(self, *numbers: int) -> int:
        """Derive a seed from the module's own and from what tells one use of it from another."""
        return int(np.random.SeedSequence((self.seed, *numbers)).generate_state(1, np.uint64)[0] >> 1)

    def generator(self, *numbers: int) -> torch.Generator:
        """Make a CPU generator that (seed, numbers) determines, whatever the device and its share of the batch."""
        return torch.Generator().manual_seed(self.derive_seed(*numbers))

    def on_train_batch_start(self, batch, batch_idx: int) -> None:
        """Seed the global generator by the round, the batch and the device."""
        # Dropout draws from the global state; a resumed run must draw what an uninterrupted one does.
        torch.manual_seed(self.derive_seed(self.current_epoch, batch_idx, self.global_rank))

    def local_slice(self, batch: Tensor) -> Tensor:
        """Return this device's part of a tensor drawn for the global batch (see ``ShuffledBatches``)."""
        return batch[self.global_rank :: self.trainer.world_size].to(self.device)

    def log_training_loss(self, loss: Tensor, samples: int | None, name: str = "train_loss") -> Tensor:
        """Log the mean loss of the global batch, and return what this device's gradients are to come from.

        Devices average their gradients, whatever their shares of a batch: the loss of each counts by its share, so that
        the average is the gradient of the global batch's mean loss.

        Args:
            loss: mean loss over this device's samples.
            samples: number of them; None where the loss is that of the global batch (see :meth:`gather_batch`).
            name: name of the logged metric.
        """
        several: dict[str, Any] = {}
        if (world := self.trainer.world_size) > 1:
            if samples is not None:
                loss = loss * (samples * world / self.optimisation.batch_size)
            # Every device counts as much in the means of a round; Lightning's own are off where shares are uneven.
            several = {"batch_size": 1}
        self.log(name, loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True, **several)
        return loss

    def gather_batch(self, values: Tensor) -> Tensor:
        """Return the values of the global batch, in its order, for losses that compare its samples with each other.

        What this device computed carries its gradient, times the number of devices, by which devices divide the sum of
        their gradients; what others computed carries none.

        Args:
            values: (samples of this device, ...) values.

        Returns:
            (samples of the global batch, ...).
        """
        if (world := self.trainer.world_size) == 1:
            return values
        counts = [len(range(rank, self.optimisation.batch_size, world)) for rank in range(world)]
        padded = functional.pad(values.detach(), (0, 0) * (values.ndim - 1) + (0, counts[0] - len(values)))
        parts = [torch.empty_like(padded) for _ in counts]
        torch.distributed.all_gather(parts, padded.contiguous())
        shares = [part[:count] for part, count in zip(parts, counts, strict=True)]
        if values.requires_grad:
            shares[self.global_rank] = values.detach() + world * (values - values.detach())
        order = torch.cat([torch.arange(rank, self.optimisation.batch_size, world) for rank in range(world)])
        return torch.cat(shares)[order.argsort().to(values.device)]

    def rate_factor(self, name: str) -> float:
        """Return the factor of the learning rate of a parameter of this name."""
        return 1.0

    def configure_optimizers(self):
        """Return AdamW over the parameter groups, and its one-cycle schedule where the settings ask for one."""
        rate, betas = self.optimisation.learning_rate, self.optimisation.betas
        groups = parameter_groups(self.model, rate, self.optimisation.weight_decay, self.rate_factor)
        # One pass over the parameters; with a gradient scaler Lightning could not clip.
        fused = self.trainer.precision == "32-true"
        optimiser = torch.optim.AdamW(groups, lr=rate, betas=betas, fused=fused)
        if not self.optimisation.one_cycle:
            return optimiser
        steps = int(self.trainer.estimated_stepping_batches)
        # A warm-up of a single step would be divided by its length less one.
        rates = [group["lr"] for group in groups]
        schedule = OneCycleLR(optimiser, max_lr=rates, total_steps=steps, pct_start=0.1 if steps != 10 else 0.15)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def optimizer_step(self, *args, **kwargs) -> None:
        """Take a step, and update the averaged weights."""
        super().optimizer_step(*args, **kwargs)
        self.ema.update()
