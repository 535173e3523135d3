"""Training of EEG-ConDiffusion on cached latents and cached features of EEG."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from numpy.lib.format import open_memmap
from torch import Tensor
from tqdm import tqdm

from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.condiffusion.condiffusion import ConDiffusion
from eegdiffusion.images.condiffusion.condiffusion_sampling import BATCH, encode
from eegdiffusion.images.encoders.eegconvnet import EEGConvNet
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, mismatched
from eegdiffusion.images.generation.latent_diffusion import Denoising, LatentDiffusion, losses_by_condition

CONDITIONS = ("own", "shuffled", "null")
"""What a latent is denoised under: its own epoch's features, those of an epoch of another image, none."""


class ConDiffusionTraining(LatentDiffusion):
    """Trains text encoder, cross-attention and projection head (batches of ``latent`` and ``features``).

    Args:
        model: the trained parts.
        unet: their UNet, frozen but for the cross-attention layers, which are the model's.
        scheduler, settings, optimisation, seed: see :class:`LatentDiffusion`.
    """

    def __init__(
        self, model: ConDiffusion, unet: UNet2DConditionModel, scheduler: DDPMScheduler, settings: Denoising,
        optimisation: Optimisation, seed: int,
    ):  # fmt: skip
        super().__init__(model.train(), [unet], scheduler, settings, optimisation, seed)
        if settings.gradient_checkpointing:
            model.text_encoder.activation_checkpointing_enable()

    def denoise(self, network: ConDiffusion, noisy: Tensor, steps: Tensor, batch: dict[str, Tensor], dropped: Tensor):
        return network.predict(self._frozen[0], noisy, steps, network.condition(batch["features"], dropped))


@dataclass(frozen=True)
class Conditions:
    """A dataset of epochs' features and the latents of the images seen.

    Attributes:
        features: (epochs, tokens, width), of EEGConvNet.
        image: (epochs,) row of the image.
        latents: (images, c, h, w).
    """

    features: np.ndarray
    image: np.ndarray
    latents: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items: ``features`` and ``latent``, float32."""
        latent = np.asarray(self.latents[self.image[indices]], np.float32)
        return {"features": self.features[indices].astype(np.float32), "latent": latent}

    def with_features(self, order: np.ndarray) -> "Conditions":
        """Give every latent the features of another epoch."""
        return Conditions(self.features[order], self.image, self.latents)


def cache_features(
    classifier: EEGConvNet, input_: EpochInput, epochs: PairedEpochs, latents: np.ndarray, path: Path
) -> Conditions:
    """Compute the features of epochs once; a file that is there is read.

    Args:
        classifier: EEGConvNet, on the device to use.
        input_: filter and scale of its epochs.
        epochs: as they are stored.
        latents: of the store's images.
        path: file to keep the features in, half precision, memory-mapped.
    """
    if not path.exists():
        partial = path.with_name(f"{os.getpid()}-{path.name}")
        shape = (len(epochs), classifier.config.tokens, classifier.config.width)
        found = open_memmap(partial, "w+", np.float16, shape)
        for k in tqdm(range(0, len(epochs), BATCH), desc=f"features, {path.stem}", unit="batch"):
            items = epochs.__getitems__(list(range(k, min(k + BATCH, len(epochs)))))
            found[k : k + BATCH] = encode(classifier, input_, items["eeg"], items["subject"]).numpy()
        found.flush()
        partial.replace(path)
    return Conditions(np.load(path, mmap_mode="r"), epochs.table["image"].to_numpy(np.int64), latents)


def spread(features: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (tokens, width) over epochs, read a few at a time."""
    total = squares = 0.0
    for k in range(0, len(features), BATCH):
        part = features[k : k + BATCH].astype(np.float64)
        total, squares = total + part.sum(0), squares + np.square(part).sum(0)
    mean = total / len(features)
    scale = np.sqrt(np.maximum(squares / len(features) - np.square(mean), 0))
    return torch.from_numpy(mean).float(), torch.from_numpy(scale).float()


def compare(
    module: LatentDiffusion, data: Conditions, draws: int, device: torch.device, batch_size: int = 64
) -> dict[str, np.ndarray]:
    """Losses (epochs,) under each of ``CONDITIONS``; see :func:`losses_by_condition`."""
    other = data.with_features(mismatched(data.image, module.seed))
    conditions = {"own": (data, False), "shuffled": (other, False), "null": (data, True)}
    return losses_by_condition(module, conditions, draws, device, batch_size)
