"""Predicts the structure of the image seen from EEG: an encoder of EEG, then the decoder of a structural VAE."""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.core.training.weights_file import load_weights
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.linear_encoder import LinearEncoder
from eegdiffusion.images.encoders.registry import load_encoder
from eegdiffusion.images.structure.structural_vae import StructuralVAE

PREDICTOR = "predictor"
"""Folder of the predictor in the output of ``train_structural_vae``."""

ENCODER, VAE, READOUT = "encoder", "vae", "readout.safetensors"
"""Parts of a predictor's folder."""


class LatentReadout(nn.Module):
    """An encoder and a linear map to the latents of images; it begins at the mean latent.

    An encoder that gives the latents themselves, as one fitted by ridge regression, has no map.

    Args:
        encoder: EEG encoder.
        latent_shape: shape of a latent.

    Attributes:
        mean: (*latent_shape) mean latent of the training images.
        scale: square root of the mean variance of their latents.
    """

    def __init__(self, encoder: EEGEncoder, latent_shape: tuple[int, ...]):
        super().__init__()
        self.encoder = encoder
        if isinstance(encoder, LinearEncoder):
            self.linear = nn.Identity()
        else:
            self.linear = nn.Linear(encoder.config.n_outputs, int(np.prod(latent_shape)))
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)
        self.register_buffer("mean", torch.zeros(latent_shape))
        self.register_buffer("scale", torch.ones(()))

    def fit_scale(self, latents: Tensor) -> None:
        """Take mean and scale from the latents of the training images, (images, *latent_shape)."""
        self.mean.copy_(latents.mean(0))
        self.scale.copy_(latents.var(0, unbiased=False).mean().sqrt().clamp(min=1e-6))

    def centred(self, latents: Tensor) -> Tensor:
        """Subtract the mean latent and divide by the scale."""
        return (latents - self.mean) / self.scale

    def forward(self, eeg: Tensor, subject: Tensor | None = None) -> Tensor:
        """Predict centred latents, (B, *latent_shape), from epochs that have passed :class:`EpochInput`."""
        return self.linear(self.encoder(eeg, subject)).unflatten(1, self.mean.shape)

    def latents(self, centred: Tensor) -> Tensor:
        """Return latents (B, *latent_shape) of centred ones: the inverse of :meth:`centred`."""
        return centred * self.scale + self.mean

    def rescaled_to_prior_norm(self, centred: Tensor) -> Tensor:
        """Rescale centred latents (B, *latent_shape) to the root mean square norm of the training images' latents."""
        return functional.normalize(centred.flatten(1), dim=1).view_as(centred) * math.sqrt(centred[0].numel())


class StructureFromEEG(nn.Module):
    """Predicts structure maps from epochs: an EEG encoder, then the decoder of a structural VAE.

    Args:
        readout: network from EEG to latents.
        vae: VAE whose latents they are.
        epoch_input: filter and scale of the epochs.
    """

    def __init__(self, readout: LatentReadout, vae: StructuralVAE, epoch_input: EpochInput):
        super().__init__()
        self.readout, self.vae, self.epoch_input = readout, vae, epoch_input
        operator = epoch_input.operator
        self.register_buffer("_operator", None if operator is None else torch.from_numpy(operator), persistent=False)
        for name in ("mean", "scale"):
            values = torch.tensor(getattr(epoch_input, name))[:, None]
            self.register_buffer(f"_{name}", values, persistent=False)

    def _centred(self, eeg: Tensor, subject: Tensor | None) -> Tensor:
        config = self.readout.encoder.config
        if eeg.dim() != 3 or tuple(eeg.shape[1:]) != (config.n_chans, config.n_times):
            raise InputError(f"eeg: must be (batch, {config.n_chans}, {config.n_times}) (found {tuple(eeg.shape)})")
        filtered = eeg if self._operator is None else eeg @ self._operator
        return self.readout((filtered - self._mean) / self._scale, subject)

    def latents(self, eeg: Tensor, subject: Tensor | None = None) -> Tensor:
        """Predict the latents of the images seen, (B, *latent_shape); arguments are those of :meth:`forward`."""
        return self.readout.latents(self._centred(eeg, subject))

    def decode_renormalised(self, eeg: Tensor, subject: Tensor | None = None) -> Tensor:
        """Predict structure maps with the contrast that those of images have; arguments are those of :meth:`forward`.

        What least squares predicts shrinks to the mean latent the less EEG tells: the least error, but no image. So the
        predicted latents are rescaled to the norm of the training images' before they are decoded.
        """
        return self.vae.structure(
            self.readout.latents(self.readout.rescaled_to_prior_norm(self._centred(eeg, subject)))
        )

    def forward(self, eeg: Tensor, subject: Tensor | None = None) -> Tensor:
        """Predict structure maps.

        Args:
            eeg: (B, electrodes, samples) as the epoch store has them.
            subject: (B,) number of each one's subject in training, -1 for one that training has not seen; None: all
                are such.

        Returns:
            (B, channels, side, side) from 0 to 1.

        Raises:
            InputError: shape or subject do not fit.
        """
        return self.vae.structure(self.latents(eeg, subject))

    def save(self, folder: Path) -> None:
        """Write a folder that :func:`load_structure_predictor` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        self.readout.encoder.save_pretrained(folder / ENCODER)
        self.vae.save_pretrained(folder / VAE)
        state = {k: v.contiguous() for k, v in self.readout.state_dict().items() if not k.startswith("encoder.")}
        save_file(state, folder / READOUT)
        self.epoch_input.save(folder)


def load_structure_predictor(folder: Path) -> StructureFromEEG:
    """Load a predictor that train_structural_vae wrote, in evaluation mode and frozen.

    Raises:
        InputError: the folder holds none.
    """
    folder = Path(folder)
    if not (folder / READOUT).is_file():
        raise InputError(f"{folder / READOUT}: no such file; train_structural_vae makes a structure predictor")
    vae = load_folder(StructuralVAE, folder / VAE)
    readout = LatentReadout(load_encoder(folder / ENCODER), vae.latent_shape)
    missing, unexpected = readout.load_state_dict(
        load_weights(folder / READOUT, f"{folder / READOUT}: must be safetensors"), strict=False
    )
    if unexpected or any(not name.startswith("encoder.") for name in missing):
        raise InputError(f"{folder / READOUT}: must hold the map from the encoder in {ENCODER}/ to latents")
    return StructureFromEEG(readout, vae, EpochInput.load(folder)).eval().requires_grad_(False)
