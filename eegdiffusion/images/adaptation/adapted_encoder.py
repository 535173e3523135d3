"""An aligned encoder of EEG, as a training left it or adapted to one subject, and its folder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import FILE as INPUT
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.storage.result_facts import METRICS, ResultFacts, read_result_facts
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.linear_encoder import LinearEncoder
from eegdiffusion.images.encoders.registry import load_encoder
from eegdiffusion.images.encoders.training_folders import ENCODER
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.features.image_targets import FILE as TARGET
from eegdiffusion.images.features.image_targets import load_layers, load_mean

HEAD = "head"
"""Folder of the map behind the encoder, where a subject has one."""


class AdaptedEncoder(nn.Module):
    """An encoder, and behind it a linear map of its embeddings of length 1 where a subject has one.

    Args:
        encoder: encoder of EEG epochs; whoever is given counts as a subject that training has not seen.
        head: linear map of embeddings, (B, 1, width) -> (B, width); None: embeddings stay as they are.
    """

    def __init__(self, encoder: EEGEncoder, head: LinearEncoder | None = None):
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, x: Tensor) -> Tensor:
        """Embed epochs (B, electrodes, samples) -> (B, width)."""
        embedding = self.encoder(x, None)
        return embedding if self.head is None else self.head(functional.normalize(embedding, dim=1)[:, None])

    def save(self, folder: Path) -> None:
        """Write encoder and map to a folder that exists, which :func:`load_adapted` reads."""
        self.encoder.save_pretrained(folder / ENCODER)
        if self.head is not None:
            self.head.save_pretrained(folder / HEAD)


def load_adapted(folder: Path) -> AdaptedEncoder:
    """Load an encoder in evaluation mode, with the map behind it where the folder has one."""
    head = load_encoder(folder / HEAD) if (folder / HEAD).is_dir() else None
    assert head is None or isinstance(head, LinearEncoder), "only linear maps are written"
    return AdaptedEncoder(load_encoder(folder / ENCODER), head).eval()


@dataclass(frozen=True)
class AlignedModel:
    """A model that can be adapted.

    Attributes:
        folder: its files.
        encoder: the encoder, in evaluation mode.
        input: filter and scale of its epochs.
        layer: layer of the image network that it is aligned with.
        mean: (width,) mean feature that was subtracted.
        facts: what its training says of itself; None of a version from before models carried it.
    """

    folder: Path
    encoder: EEGEncoder
    input: EpochInput
    layer: str
    mean: np.ndarray
    facts: ResultFacts | None

    @property
    def trained_on(self) -> list[str]:
        """Subjects that it has seen; none where it does not say."""
        return [] if self.facts is None else list(self.facts.more["fold"]["train"])  # type: ignore[index]

    def features_of(self, features: ImageFeatures) -> np.ndarray:
        """Return what it is aligned with for images of another store: (images, width).

        Raises:
            InputError: the features are of another network or layer.
        """
        network = features.description.model
        wanted = network if self.facts is None else self.facts.more["features"]
        if network != wanted:
            raise InputError(f"--corpus: features: must be of {wanted}, as the model's are (found {network})")
        values = features.layer(self.layer, "--corpus: features: layer")
        if values.shape[1] != len(self.mean):
            raise InputError(
                f"--corpus: features: must have width {len(self.mean)}, as the model's have (found {values.shape[1]})"
            )
        return values - self.mean

    def check_store(self, store: EpochStore, subject: str, others: Path) -> list[str]:
        """Check that a store's epochs are such as the model takes.

        Args:
            store: store with the new subject.
            subject: the subject's name.
            others: folder of all epoch stores, among which the one of the training may be.

        Returns:
            sentences on what could not be checked.

        Raises:
            InputError: electrodes, samples, rate or unit differ, or the model has seen the subject.
        """
        description, doubts = store.description, []
        wanted = (self.encoder.config.n_chans, self.encoder.config.n_times)
        if store.shape != wanted:
            raise InputError(
                f"--corpus: epochs: must be of {wanted[0]} electrodes and {wanted[1]} samples, as the model's "
                f"(found {store.shape[0]} and {store.shape[1]})"
            )
        if abs(description.sfreq - self.input.sfreq) > 1e-6:
            raise InputError(
                f"--corpus: epochs: must be at {self.input.sfreq:g} Hz, as the model's (found {description.sfreq:g} Hz)"
            )
        if self.facts is None:
            return ["the model does not say whom it has seen, nor which electrodes in which order; register it anew"]
        own = description.fingerprint == self.facts.data.preprocessing
        if own and subject in self.trained_on:
            raise InputError(
                f"SUBJECT: must be one that the model has not seen; it was trained on {', '.join(self.trained_on)} "
                f"(found {subject})"
            )
        if not own:
            known = next((s for s in _stores(others) if s.fingerprint == self.facts.data.preprocessing), None)
            if known is None:
                doubts.append("the store of the model's training is not here: electrodes are compared by their number")
            elif known.channels != description.channels:
                raise InputError(
                    f"--corpus: electrodes: must be {', '.join(known.channels)}, as the model's "
                    f"(found {', '.join(description.channels)})"
                )
            elif known.unit != description.unit:
                raise InputError(f"--corpus: unit: must be {known.unit}, as the model's (found {description.unit})")
        return doubts


def _stores(folder: Path):
    for path in sorted(folder.glob("*/store.json")):
        yield EpochStore(path.parent).description


def read_aligned_model(folder: Path, name: str) -> AlignedModel:
    """Read an aligned encoder from its files: the folder of a training, or the artifacts of a version.

    Args:
        folder: the files.
        name: how the user calls the model, for errors.

    Raises:
        InputError: it is no aligned encoder, is aligned with a mixture of layers, or is adapted already.
    """
    if missing := [file for file in (ENCODER, INPUT, TARGET) if not (folder / file).exists()]:
        raise InputError(f"--model: {name}: must be an encoder aligned with images (found no {', '.join(missing)})")
    if (folder / HEAD).exists():
        raise InputError(f"--model: {name}: must be a model of several subjects (found one adapted to a subject)")
    layers = load_layers(folder / TARGET)
    if len(layers) > 1:
        raise InputError(f"--model: {name}: layer: must be one layer, not a mixture (found {', '.join(layers)})")
    facts = read_result_facts(folder) if (folder / METRICS).is_file() else None
    encoder, input_ = load_encoder(folder / ENCODER), EpochInput.load(folder)
    encoder.requires_grad_(False)
    return AlignedModel(folder, encoder, input_, layers[0], load_mean(folder / TARGET), facts)


@torch.inference_mode()
def count_adapted(encoder: AdaptedEncoder, base: EEGEncoder) -> int:
    """Count the values of an encoder that are not those of the one that it was adapted from."""
    known = base.state_dict()
    return sum(
        values.numel()
        for name, values in encoder.state_dict().items()
        if (key := name.removeprefix("encoder.")) not in known
        or known[key].shape != values.shape
        or not torch.equal(known[key], values)
    )
