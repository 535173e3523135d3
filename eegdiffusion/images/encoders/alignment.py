"""Contrastive alignment of EEG with frozen image features."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.statistics.retrieval import ranks
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.inference import BatchedDataset, batched
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder

MAX_SCALE = 100.0
"""Largest inverse temperature, as in CLIP."""


def nt_xent(eeg: Tensor, image: Tensor, identity: Tensor, scale: Tensor | float) -> Tensor:
    """Compute the symmetric NT-Xent (arXiv:2002.05709) between two modalities.

    It is the cross-entropy of cosine similarities, mean of EEG to image and image to EEG.

    An item whose image is another item's too is no negative of it: it is left out of the other's denominator.

    Args:
        eeg: (batch, width) embeddings of any norm.
        image: (batch, width) features of any norm.
        identity: (batch,) number of the content of each item's image.
        scale: inverse temperature.

    Returns:
        the loss, a scalar.
    """
    similarity = scale * functional.normalize(eeg, dim=1) @ functional.normalize(image, dim=1).T
    same = identity[:, None] == identity[None, :]
    same.fill_diagonal_(False)
    similarity = similarity.masked_fill(same, -math.inf)
    right = torch.arange(len(eeg), device=eeg.device)
    return (functional.cross_entropy(similarity, right) + functional.cross_entropy(similarity.T, right)) / 2


class EncoderWithTemperature(nn.Module):
    """An encoder and the temperature that is learned with it.

    Args:
        encoder: encoder of EEG epochs.
        temperature: temperature to begin with.
    """

    def __init__(self, encoder: EEGEncoder, temperature: float):
        super().__init__()
        self.encoder = encoder
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    @property
    def scale(self) -> Tensor:
        """Inverse temperature."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)


class Alignment(EMALightningModule):
    """Trains an encoder so that EEG lies near the features of the image seen.

    The loss is (1 - w) NT-Xent + w MSE, the latter to features that are not normalised.

    Args:
        encoder: encoder of EEG epochs.
        optimisation: settings of the optimiser.
        seed: seed of whatever is random in training.
        temperature: temperature to begin with; it is learned.
        mse_weight: weight w of the squared error.
    """

    def __init__(
        self, encoder: EEGEncoder, optimisation: Optimisation, seed: int, temperature: float, mse_weight: float = 0.0
    ):
        super().__init__(EncoderWithTemperature(encoder, temperature), optimisation, seed)
        self.mse_weight = mse_weight
        self._validated: list[tuple[Tensor, Tensor, Tensor]] = []

    def loss(self, embedding: Tensor, features: Tensor, identity: Tensor, scale: Tensor) -> Tensor:
        """Compute the loss of a batch, a scalar.

        Args:
            embedding: (batch, width) embeddings of EEG.
            features: (batch, width) features of the images seen.
            identity: (batch,) number of each image's content.
            scale: inverse temperature.
        """
        contrastive = nt_xent(embedding, features, identity, scale)
        if not self.mse_weight:
            return contrastive
        return (1 - self.mse_weight) * contrastive + self.mse_weight * functional.mse_loss(embedding, features)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of the global batch, whose samples are each other's negatives; log it as ``train_loss``."""
        embedding = self.gather_batch(self.model.encoder(batch["eeg"], batch["subject"]))
        features, identity = self.gather_batch(batch["features"]), self.gather_batch(batch["identity"])
        loss = self.loss(embedding, features, identity, self.model.scale)
        return self.log_training_loss(loss, None)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Keep the embeddings of a batch under the averaged weights, its features and its images."""
        embedding = self.ema_model.encoder(batch["eeg"], batch["subject"])
        self._validated.append((embedding.float().cpu(), batch["features"].cpu(), batch["identity"].cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log loss, mean rank of the right image and temperature, over all that was kept."""
        embedding, features, identity = (torch.cat(parts) for parts in zip(*self._validated, strict=True))
        self._validated.clear()
        scale = self.ema_model.scale.detach().cpu()
        rank = ranks(embedding.numpy(), features.numpy(), identity.numpy())
        metrics = {
            "validation_loss": self.loss(embedding, features, identity, scale),
            "validation_rank": float((rank / max(1, len(torch.unique(identity)) - 1)).mean()),
            "temperature": 1 / scale,
        }
        self.log_dict(metrics, prog_bar=False)


def embed_epochs(model: EEGEncoder, data: BatchedDataset, batch_size: int, device: torch.device) -> Tensor:
    """Encode a whole dataset of epochs, in order.

    Args:
        model: encoder; it is moved to the device and set to evaluation mode.
        data: dataset of ``eeg`` and ``subject``.
        batch_size: number of epochs that are encoded at a time.
        device: device to compute on.

    Returns:
        (epochs, outputs) float32 on the CPU.
    """
    model = model.to(device).eval()
    return batched(lambda batch: model(batch["eeg"], batch["subject"]).float(), data, batch_size, device)
