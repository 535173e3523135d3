"""Images from EEG by EEG-ConDiffusion: epochs, EEGConvNet, text encoder, UNet, decoder."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.training.inference import ArrayDataset, BatchedDataset, batched
from eegdiffusion.images.condiffusion.condiffusion import ConDiffusion, check_generator, load_condiffusion
from eegdiffusion.images.encoders.eegconvnet import EEGConvNet
from eegdiffusion.images.encoders.registry import load_encoder
from eegdiffusion.images.generation.generator import Generator, load_generator
from eegdiffusion.images.generation.image_batches import image_batches
from eegdiffusion.images.generation.image_sampling import BATCH as IMAGES
from eegdiffusion.images.generation.image_sampling import SamplingRequest
from eegdiffusion.images.generation.sampling_settings import Sampling

BATCH = 64
"""Number of epochs that are encoded at a time."""

SAMPLING_FILE = "sampling.json"
"""File of a trained model's folder that says how it samples unless told otherwise."""


@dataclass(frozen=True)
class ConDiffusionPipeline:
    """All networks of EEG-ConDiffusion, which generate images from epochs.

    Attributes:
        generator: generator of latents and images.
        classifier: EEGConvNet, which gives the features.
        input: filter and scale that epochs pass first.
        model: trained parts of EEG-ConDiffusion.
    """

    generator: Generator
    classifier: EEGConvNet
    input: EpochInput
    model: ConDiffusion

    def to(self, device: torch.device) -> "ConDiffusionPipeline":
        """Move the networks; all of them are frozen and in evaluation mode."""
        for network in (self.model, self.classifier):
            network.to(device).eval().requires_grad_(False)
        self.generator.to(device)
        return self


def load_pipeline(folder: Path, generator: Path, encoder: Path, input_: Path) -> ConDiffusionPipeline:
    """Load a trained model.

    Args:
        folder: folder that train_condiffusion wrote.
        generator: folder that prepare_generator wrote.
        encoder: folder of EEGConvNet's weights.
        input_: folder of its ``input.json``.

    Raises:
        InputError: a part is missing, or the parts do not fit each other.
    """
    loaded, classifier = load_generator(generator, ip_adapter=False), load_encoder(encoder)
    check_generator(loaded, classifier)
    return ConDiffusionPipeline(loaded, classifier, EpochInput.load(input_), load_condiffusion(folder, loaded))


def write_sampling(folder: Path, sampling: Sampling) -> None:
    """Write how the model of a folder samples unless told otherwise."""
    (folder / SAMPLING_FILE).write_text(json.dumps(asdict(sampling), indent=2))


def read_sampling(folder: Path) -> Sampling:
    """Read what :func:`write_sampling` wrote."""
    path = folder / SAMPLING_FILE
    return validate(json.loads(path.read_text()), Sampling, str(path))


def encode_epochs(
    classifier: EEGConvNet, input_: EpochInput, epochs: BatchedDataset, desc: str | None = None
) -> Tensor:
    """Compute EEGConvNet's features of epochs.

    Args:
        classifier: EEGConvNet, on the device to use.
        input_: filter and scale of its epochs.
        epochs: dataset of ``eeg`` (electrodes, samples) as the epoch store has it and, where subjects are told apart,
            ``subject``.
        desc: label of the progress bar; None shows no bar.

    Returns:
        (n, tokens, width) on the CPU.
    """
    device = next(classifier.parameters()).device

    def features(batch: dict[str, Tensor]) -> Tensor:
        eeg = input_(batch["eeg"].numpy().astype(np.float32, copy=False)).astype(np.float32)
        subject = batch["subject"].to(device) if "subject" in batch else None
        return classifier.condition(torch.from_numpy(eeg).to(device), subject).float()

    # Epochs are filtered on the CPU, in NumPy, as in training.
    return batched(features, epochs, BATCH, torch.device("cpu"), desc)


def generate_images(
    pipeline: ConDiffusionPipeline, epochs: np.ndarray, seeds: list[int], sampling: Sampling,
    subject: np.ndarray | None = None, batch_size: int = IMAGES,
) -> np.ndarray:  # fmt: skip
    """Make images of epochs at once; zeroed epochs, or those of other images, are the controls.

    Args:
        pipeline: loaded networks.
        epochs: (n, electrodes, samples) as the epoch store has them.
        seeds: seed of each image; an epoch has ``len(seeds) / n`` of them, which follow each other.
        sampling: sampler, steps, guidance.
        subject: (n,) numbers of the subjects in training, -1 for others; None: all are others.
        batch_size: number of images at a time.

    Returns:
        (len(seeds), side, side, 3) uint8.

    Raises:
        InputError: the number of seeds is no multiple of the number of epochs.
    """
    arrays = {"eeg": epochs} if subject is None else {"eeg": epochs, "subject": subject}
    batches = generate_batches(pipeline, ArrayDataset(**arrays), seeds, sampling, batch_size)
    return np.concatenate(list(batches))


@torch.inference_mode()
def generate_batches(
    pipeline: ConDiffusionPipeline, epochs: BatchedDataset, seeds: list[int], sampling: Sampling,
    batch_size: int = IMAGES, first: int = 0, desc: str | None = None,
) -> Iterator[np.ndarray]:  # fmt: skip
    """Make images of a dataset of epochs, batch by batch.

    Args:
        pipeline: loaded networks.
        epochs: dataset of ``eeg`` and, where subjects are told apart, ``subject``; see :func:`encode_epochs`.
        seeds: seed of each image; an epoch has as many as any other, which follow each other.
        sampling: sampler, steps, guidance.
        batch_size: number of images at a time.
        first: image that is begun with, a multiple of the batch's size.
        desc: label of the progress bar; None shows no bar.

    Yields:
        (batch, side, side, 3) uint8.

    Raises:
        InputError: the number of seeds is no multiple of the number of epochs.
    """
    if not len(epochs) or len(seeds) % len(epochs):
        raise InputError(f"seeds: must be as many for each of the {len(epochs)} epochs (found {len(seeds)})")
    unet, model = pipeline.generator.unet, pipeline.model
    device = unet.device
    features = encode_epochs(pipeline.classifier, pipeline.input, epochs)
    # What stands for no EEG is the same for all.
    nothing = model.condition(features[:1].to(device), torch.ones(1, dtype=torch.bool, device=device))
    samples = len(seeds) // len(epochs)

    @lru_cache(maxsize=2)  # the steps of a batch ask for the same
    def condition(part: int) -> Tensor:
        return model.condition(features[part * BATCH : (part + 1) * BATCH].to(device))

    def denoise(noisy: Tensor, steps: Tensor, images: slice, unconditional: bool) -> Tensor:
        if unconditional:
            return model.predict(unet, noisy, steps, nothing.expand(len(noisy), -1, -1))
        rows = torch.arange(images.start, images.stop, device=device) // samples
        parts = range(int(rows[0]) // BATCH, int(rows[-1]) // BATCH + 1)
        tokens = torch.cat([condition(part) for part in parts])[rows - parts.start * BATCH]
        return model.predict(unet, noisy, steps, tokens)

    request = SamplingRequest.of(sampling, pipeline.generator.latent_shape, seeds, batch_size=batch_size, desc=desc)
    yield from image_batches(pipeline.generator, denoise, request, first)
