"""Supervised classification of EEG: the LFT on latent tokens, baselines on windows, encoders on epochs."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.statistics.classification_metrics import prediction_metrics
from eegdiffusion.core.training.batches import BatchesInOrder, loader
from eegdiffusion.core.training.ema_module import AveragedModule
from eegdiffusion.core.training.settings import Optimisation


def _taken(batch: dict[str, Tensor], inputs: str | tuple[str, ...]) -> list[Tensor]:
    """What a model takes of a batch, in order."""
    return [batch[name] for name in ((inputs,) if isinstance(inputs, str) else inputs)]


class Classification(AveragedModule):
    """A classifier, its cross-entropy, and its validation metrics with averaged weights over the whole split.

    Args:
        model: (batch, ...) -> logits (batch, classes).
        optimisation: settings.
        seed: of whatever is random in training.
        inputs: key of the batch that the model takes, or several.
        label_smoothing: of the cross-entropy.
    """

    def __init__(
        self,
        model: nn.Module,
        optimisation: Optimisation,
        seed: int,
        inputs: str | tuple[str, ...],
        label_smoothing: float = 0.0,
    ):
        super().__init__(model, optimisation, seed)
        self.inputs = inputs
        self.label_smoothing = label_smoothing
        self._validated: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self.model(*_taken(batch, self.inputs))
        loss = functional.cross_entropy(logits, batch["label"], label_smoothing=self.label_smoothing)
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self._validated.append((self.averaged(*_taken(batch, self.inputs)).float().cpu(), batch["label"].cpu()))

    def on_validation_epoch_end(self) -> None:
        logits, labels = (torch.cat(parts) for parts in zip(*self._validated, strict=True))
        self._validated.clear()
        metrics = prediction_metrics(labels.numpy(), logits.softmax(-1).numpy().argmax(-1))
        metrics["loss"] = float(functional.cross_entropy(logits, labels))
        self.log_dict({f"validation_{name}": value for name, value in metrics.items()}, prog_bar=False)


@torch.inference_mode()
def probabilities(
    model: nn.Module, data, inputs: str | tuple[str, ...], batch_size: int, device: torch.device, **options
) -> Tensor:
    """Classify a whole dataset in order; ``options`` are passed to the model.

    Returns:
        (samples, classes), rows summing to 1.
    """
    model = model.to(device).eval()
    batches = loader(data, BatchesInOrder(len(data), batch_size))
    found = (model(*(part.to(device) for part in _taken(batch, inputs)), **options) for batch in batches)
    return torch.cat([logits.float().softmax(-1).cpu() for logits in found])
