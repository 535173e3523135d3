"""EEG epochs as image features, in the space of the frozen image network: what conditions a generator."""

from pathlib import Path

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import FILE as INPUT
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.images.encoders.registry import load_encoder
from eegdiffusion.images.features.image_features import OUTPUT
from eegdiffusion.images.features.image_targets import FILE as TARGET
from eegdiffusion.images.features.image_targets import load_layers, load_mean

ENCODER, CALIBRATION = "encoder", "calibration"


class Calibration(ModelMixin, ConfigMixin):
    """Moves and scales embeddings to the mean and the length that image features have.

    Contrastive alignment leaves an embedding's length open, and least squares shrinks what EEG predicts to the mean
    feature, which says nothing to a generator: the direction is kept, and the length is that of the training images'.

    Args:
        n_features: width of embeddings and features.
    """

    @register_to_config
    def __init__(self, n_features: int = 1280):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("radius", torch.ones(()))

    def fit(self, features: Tensor, mean: Tensor) -> "Calibration":
        """Take the mean that was subtracted, and the root mean square distance from it of features (images, width)."""
        self.mean.copy_(mean)
        self.radius.copy_((features - self.mean).square().sum(1).mean().sqrt())
        return self

    def forward(self, embedding: Tensor) -> Tensor:
        """Turn embeddings (B, n_features) of centred features, of any length, into features (B, n_features)."""
        return self.mean + self.radius * functional.normalize(embedding, dim=1)


class EEGSemantics(nn.Module):
    """An encoder whose embeddings point where centred image features do, with the scale of its epochs.

    Args:
        encoder: encoder of EEG epochs.
        calibration: map from embeddings to features.
        scale: filter and scale of the epochs.
    """

    def __init__(self, encoder: nn.Module, calibration: Calibration, scale: EpochInput):
        super().__init__()
        self.encoder, self.calibration, self.scale = encoder, calibration, scale

    def forward(self, eeg: Tensor, subject: Tensor | None = None) -> Tensor:
        """Predict image features (B, features) from epochs (B, electrodes, samples) as the store has them."""
        scaled = torch.from_numpy(self.scale(eeg.cpu().numpy())).to(eeg)
        return self.calibration(self.encoder(scaled, subject))

    def save(self, folder: Path) -> None:
        """Write encoder, calibration and scale to a new folder, which :func:`load_semantics` reads."""
        folder.mkdir(parents=True)
        self.encoder.save_pretrained(folder / ENCODER)
        self.calibration.save_pretrained(folder / CALIBRATION)
        self.scale.save(folder)


def load_aligned(folder: Path, features: Tensor) -> EEGSemantics:
    """Load an encoder that ``train_eeg_encoder`` aligned, calibrated to the training images' features (images, width).

    Raises:
        InputError: there is no encoder, or it is of other features.
    """
    if not (folder / ENCODER).is_dir() or not (folder / INPUT).is_file():
        raise InputError(f"{folder}: must hold {ENCODER}/ and {INPUT} of train_eeg_encoder, protocol joint")
    if (layers := load_layers(folder / TARGET)) != [OUTPUT]:
        raise InputError(
            f"{folder}: layer: must be {OUTPUT}, which generators take as condition (found {', '.join(layers)})"
        )
    encoder, width = load_encoder(folder / ENCODER), features.shape[1]
    if encoder.config.n_outputs != width:
        raise InputError(
            f"{folder}/{ENCODER}: n_outputs: must be {width}, as features are (found {encoder.config.n_outputs})"
        )
    mean = torch.from_numpy(load_mean(folder / TARGET))
    return EEGSemantics(encoder, Calibration(width).fit(features, mean), EpochInput.load(folder)).eval()


def load_semantics(folder: Path) -> EEGSemantics:
    """Load what :meth:`EEGSemantics.save` wrote, in evaluation mode."""
    calibration = load_folder(Calibration, folder / CALIBRATION)
    return EEGSemantics(load_encoder(folder / ENCODER), calibration, EpochInput.load(folder)).eval()
