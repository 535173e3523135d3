"""Training of EEG-ConDiffusion on cached latents and cached features of EEG."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor

from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.storage.array_file import map_array
from eegdiffusion.core.storage.batched_array import write_batches
from eegdiffusion.core.training.inference import ArrayDataset
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.condiffusion.condiffusion import ConDiffusion
from eegdiffusion.images.condiffusion.condiffusion_sampling import BATCH, encode_epochs
from eegdiffusion.images.encoders.eegconvnet import EEGConvNet
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, mismatched
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.images.generation.latent_diffusion import LatentDiffusion, losses_by_condition


class ConDiffusionTraining(LatentDiffusion):
    """Trains text encoder, cross-attention and projection head (batches of ``latent`` and ``features``).

    Args:
        model: trained parts.
        unet: UNet of the trained parts, frozen but for the cross-attention layers, which are the model's.
        scheduler: noise schedule of the generator.
        settings: settings of the loss.
        optimisation: settings of the optimiser.
        seed: seed of steps, noise and dropped conditions.
        rate_factors: factors of the learning rate by part, ``text_encoder``, ``cross_attention`` or ``projection``.
    """

    def __init__(
        self, model: ConDiffusion, unet: UNet2DConditionModel, scheduler: DDPMScheduler, settings: Denoising,
        optimisation: Optimisation, seed: int, rate_factors: Mapping[str, float] | None = None,
    ):  # fmt: skip
        super().__init__(model.train(), [unet], scheduler, settings, optimisation, seed)
        self.rate_factors = dict(rate_factors or {})
        if settings.gradient_checkpointing:
            model.text_encoder.activation_checkpointing_enable()

    def rate_factor(self, name: str) -> float:
        """Return the factor of a parameter's learning rate: that of its part, else 1."""
        return self.rate_factors.get(name.partition(".")[0], 1.0)

    def denoise(self, network: ConDiffusion, noisy: Tensor, steps: Tensor, batch: dict[str, Tensor], dropped: Tensor):
        """Predict (B, c, h, w) from noisy latents under the epochs' features; see :meth:`LatentDiffusion.denoise`."""
        return network.predict(self.frozen[0], noisy, steps, network.condition(batch["features"], dropped))


@dataclass(frozen=True)
class EEGFeatureDataset:
    """A dataset of EEGConvNet's features of epochs and the latents of the images seen.

    Attributes:
        features: (epochs, tokens, width) features of EEGConvNet.
        image: (epochs,) row of the image seen.
        latents: (images, c, h, w) latents of the store's images.
        order: (epochs,) epoch whose features an item has; None: its own.
    """

    features: np.ndarray
    image: np.ndarray
    latents: np.ndarray
    order: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.image)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items: ``features`` and ``latent``, float32."""
        latent = np.asarray(self.latents[self.image[indices]], np.float32)
        rows = indices if self.order is None else self.order[indices]
        return {"features": self.features[rows].astype(np.float32), "latent": latent}

    def with_features(self, order: np.ndarray) -> "EEGFeatureDataset":
        """Return the dataset in which latent k has the features of epoch ``order[k]``."""
        return replace(self, order=order)


def cache_features(
    classifier: EEGConvNet, input_: EpochInput, epochs: PairedEpochs, latents: np.ndarray, path: Path
) -> EEGFeatureDataset:
    """Compute the features of epochs once; a file that exists is read, and an interrupted call is gone on with.

    Args:
        classifier: EEGConvNet, on the device to use.
        input_: filter and scale of its epochs.
        epochs: epochs as they are stored.
        latents: (images, c, h, w) latents of the store's images.
        path: file to keep the features in, half precision, memory-mapped.
    """

    def batches(first: int) -> Iterator[np.ndarray]:
        for start in progress(range(first, len(epochs), BATCH), desc=f"features, {path.stem}", unit="batch"):
            batch = epochs.__getitems__(list(range(start, min(start + BATCH, len(epochs)))))
            arrays = ArrayDataset(eeg=batch["eeg"], subject=batch["subject"])
            yield encode_epochs(classifier, input_, arrays).numpy()

    shape = (len(epochs), classifier.config.tokens, classifier.config.width)
    write_batches(path, shape, np.float16, batches, BATCH)
    return EEGFeatureDataset(map_array(path), epochs.table["image"].to_numpy(np.int64), latents)


def feature_spread(features: np.ndarray) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation (tokens, width) of features over epochs, a few epochs at a time."""
    total, squares = np.zeros(features.shape[1:]), np.zeros(features.shape[1:])
    for start in range(0, len(features), BATCH):
        batch = features[start : start + BATCH].astype(np.float64)
        total, squares = total + batch.sum(0), squares + np.square(batch).sum(0)
    mean = total / len(features)
    scale = np.sqrt(np.maximum(squares / len(features) - np.square(mean), 0))
    return torch.from_numpy(mean).float(), torch.from_numpy(scale).float()


def compare_conditions(
    module: LatentDiffusion, data: EEGFeatureDataset, draws: int, device: torch.device, batch_size: int = 64
) -> dict[str, np.ndarray]:
    """Compute the losses of latents under their own epoch's features, another image's, and none.

    Args:
        module: trained module.
        data: features and latents.
        draws: number of draws of steps and noise for each epoch.
        device: device to compute on.
        batch_size: number of epochs at a time.

    Returns:
        (epochs,) losses ``own``, ``shuffled`` and ``null``; see :func:`losses_by_condition`.
    """
    other = data.with_features(mismatched(data.image, module.seed))
    conditions = {"own": (data, False), "shuffled": (other, False), "null": (data, True)}
    return losses_by_condition(module, conditions, draws, device, batch_size)
