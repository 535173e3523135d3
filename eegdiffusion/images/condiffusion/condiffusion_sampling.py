"""Pictures from EEG by EEG-ConDiffusion: epochs, EEGConvNet, text encoder, UNet, decoder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.images.condiffusion.condiffusion import ConDiffusion, check, load_condiffusion
from eegdiffusion.images.encoders.eegconvnet import EEGConvNet
from eegdiffusion.images.encoders.registry import load_encoder
from eegdiffusion.images.generation.generator import Generator, load_generator
from eegdiffusion.images.generation.image_sampling import Sampling, sample

BATCH = 64
"""Epochs that are encoded at a time."""


@dataclass(frozen=True)
class Pictures:
    """All that makes pictures from epochs.

    Attributes:
        generator: of latents and pictures.
        classifier: gives the features.
        input: filter and scale that epochs pass before.
        model: the trained parts.
    """

    generator: Generator
    classifier: EEGConvNet
    input: EpochInput
    model: ConDiffusion

    def to(self, device: torch.device) -> "Pictures":
        """Move the networks; all of them are frozen and in evaluation mode."""
        for network in (self.model, self.classifier):
            network.to(device).eval().requires_grad_(False)
        self.generator.to(device)
        return self


def load_pictures(folder: Path, generator: Path, encoder: Path, input_: Path) -> Pictures:
    """Load a trained model.

    Args:
        folder: that train_condiffusion wrote.
        generator: folder that prepare_generator wrote.
        encoder: folder of EEGConvNet's weights.
        input_: folder of its ``input.json``.
    """
    found, classifier = load_generator(generator, ip_adapter=False), load_encoder(encoder)
    check(found, classifier)
    return Pictures(found, classifier, EpochInput.load(input_), load_condiffusion(folder, found))


@torch.inference_mode()
def encode(classifier: EEGConvNet, input_: EpochInput, epochs: np.ndarray, subject: np.ndarray | None = None) -> Tensor:
    """EEGConvNet's features (n, tokens, width) of epochs (n, electrodes, samples) as the store has them, on the CPU."""
    device, parts = next(classifier.parameters()).device, []
    for k in range(0, len(epochs), BATCH):
        eeg = torch.from_numpy(input_(np.ascontiguousarray(epochs[k : k + BATCH], dtype=np.float32)).astype(np.float32))
        who = None if subject is None else torch.from_numpy(subject[k : k + BATCH]).to(device)
        parts.append(classifier.condition(eeg.to(device), who).float().cpu())
    return torch.cat(parts)


@torch.inference_mode()
def generate(
    model: Pictures, epochs: np.ndarray, seeds: list[int], sampling: Sampling, subject: np.ndarray | None = None,
    batch_size: int = 32, desc: str | None = None,
) -> np.ndarray:  # fmt: skip
    """Make pictures of epochs; zeroed epochs, or those of other images, are the controls.

    Args:
        model: loaded.
        epochs: (n, electrodes, samples) as the epoch store has them.
        seeds: one a picture; an epoch has ``len(seeds) / n`` of them, which follow each other.
        sampling: sampler, steps, guidance.
        subject: (n,) numbers in training, -1 for others; None: all are others.
        batch_size: pictures at a time.
        desc: of the progress bar; None: no bar.

    Returns:
        (len(seeds), side, side, 3) uint8.

    Raises:
        InputError: epochs or seeds do not fit.
    """
    if not len(epochs) or len(seeds) % len(epochs):
        raise InputError(f"seeds: must be as many for each of the {len(epochs)} epochs (found {len(seeds)})")
    unet = model.generator.unet
    features = encode(model.classifier, model.input, epochs, subject)
    device = unet.device
    condition = torch.cat([model.model.condition(part.to(device)) for part in features.split(BATCH)])
    # What stands for no EEG is the same for all.
    nothing = model.model.condition(features[:1].to(device), torch.ones(1, dtype=torch.bool, device=device))
    each = len(seeds) // len(epochs)

    def denoise(noisy: Tensor, steps: Tensor, items: slice, without: bool) -> Tensor:
        rows = torch.arange(items.start, items.stop, device=device) // each
        given = nothing.expand(len(rows), -1, -1) if without else condition[rows]
        return model.model.predict(unet, noisy, steps, given)

    latents = sample(
        denoise, model.generator.scheduler, model.generator.latent_shape, seeds, device,
        sampling.sampler, sampling.steps, sampling.guidance, batch_size, desc,
    )  # fmt: skip
    return model.generator.decode(latents)
