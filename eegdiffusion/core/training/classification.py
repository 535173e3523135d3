"""Supervised classification of EEG: the LFT on latent tokens, baselines on windows, encoders on epochs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from eegdiffusion.core.statistics.classification_metrics import binary_metrics, prediction_metrics
from eegdiffusion.core.statistics.multilabel_metrics import best_multilabel_metrics
from eegdiffusion.core.storage.batched_dataset import BatchedDataset
from eegdiffusion.core.training.classification_head import class_probabilities, classification_loss
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.inference import batched
from eegdiffusion.core.training.settings import Optimisation


def _model_inputs(batch: dict[str, Tensor], inputs: str | tuple[str, ...]) -> list[Tensor]:
    """Return the tensors of a batch that a model takes, in order."""
    return [batch[name] for name in ((inputs,) if isinstance(inputs, str) else inputs)]


class Classification(EMALightningModule):
    """A classifier, its cross-entropy, and its validation metrics with averaged weights over the whole split.

    Args:
        model: (batch, ...) -> logits (batch, classes), or (batch, 1) of the second of two classes. A batch's ``label``
            is (batch,); or (batch, classes) of 0 and 1, where a window may be of several classes.
        optimisation: settings.
        seed: seed of whatever is random in training.
        inputs: key of the batch that the model takes, or several.
        label_smoothing: label smoothing of the cross-entropy.
        positive_weight: see :func:`.classification_head.classification_loss`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimisation: Optimisation,
        seed: int,
        inputs: str | tuple[str, ...],
        label_smoothing: float = 0.0,
        positive_weight: float | Sequence[float] = 1.0,
    ):
        super().__init__(model, optimisation, seed)
        self.inputs = inputs
        self.label_smoothing, self.positive_weight = label_smoothing, positive_weight
        self._validated: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the cross-entropy of a batch, and log it as ``train_loss``."""
        logits = self.model(*_model_inputs(batch, self.inputs))
        loss = classification_loss(logits, batch["label"], self.label_smoothing, self.positive_weight)
        return self.log_training_loss(loss, len(logits))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Keep the logits of a batch under the averaged weights, and its labels."""
        self._validated.append((self.ema_model(*_model_inputs(batch, self.inputs)).float().cpu(), batch["label"].cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log the metrics and the loss of the whole split, each as ``validation_<name>``."""
        logits, labels = (torch.cat(parts) for parts in zip(*self._validated, strict=True))
        self._validated.clear()
        multi_label = labels.dim() == 2
        predicted = class_probabilities(logits, multi_label).numpy()
        if multi_label:
            metrics = best_multilabel_metrics(labels.numpy(), predicted)
        else:
            metrics = prediction_metrics(labels.numpy(), predicted.argmax(-1))
        if predicted.shape[-1] == 2 and not multi_label:
            metrics |= binary_metrics(labels.numpy(), predicted[:, 1])
        metrics["loss"] = float(classification_loss(logits, labels))
        self.log_dict({f"validation_{name}": value for name, value in metrics.items()}, prog_bar=False)


def probabilities(
    model: nn.Module,
    data: BatchedDataset,
    inputs: str | tuple[str, ...],
    batch_size: int,
    device: torch.device,
    multi_label: bool = False,
    **options: object,
) -> Tensor:
    """Classify a whole dataset in order.

    Args:
        model: (batch, ...) -> logits, see :func:`.class_probabilities`; it is put on the device, in evaluation mode.
        data: dataset whose batches hold what the model takes.
        inputs: key of the batch that the model takes, or several.
        batch_size: samples that go through the model at once.
        device: where the model runs.
        multi_label: whether a window may be of several classes, or of none.
        **options: further arguments of the model.

    Returns:
        (samples, classes) float32 on the CPU, rows summing to 1 unless ``multi_label``.
    """
    model = model.to(device).eval()

    def classify(batch: dict[str, Tensor]) -> Tensor:
        return class_probabilities(model(*_model_inputs(batch, inputs), **options), multi_label)

    return batched(classify, data, batch_size, device)
