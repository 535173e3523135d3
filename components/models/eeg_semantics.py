"""EEG epochs as image features, in the space of the frozen image network: what conditions a generator."""

from pathlib import Path

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from components.errors import InputError
from components.models.eeg_encoders import load_encoder
from components.signal.epoch_input import FILE as INPUT
from components.signal.epoch_input import EpochInput

ENCODER, PRIOR = "encoder", "prior"


class LinearPrior(ModelMixin, ConfigMixin):
    """Maps the direction of an aligned embedding to image features.

    Contrastive alignment leaves length and offset of an embedding open, and noise in it should not reach the generator:
    the map is a ridge regression from unit embeddings to features, which falls back on their mean (a linear stand-in
    for ATM's diffusion prior).

    Args:
        n_inputs, n_outputs: width of embeddings and of features.
    """

    @register_to_config
    def __init__(self, n_inputs: int = 1280, n_outputs: int = 1280):
        super().__init__()
        self.map = nn.Linear(n_inputs, n_outputs)

    def forward(self, embedding: Tensor) -> Tensor:
        """(B, n_inputs) of any length -> (B, n_outputs)."""
        return self.map(functional.normalize(embedding, dim=1))


class EEGSemantics(nn.Module):
    """An aligned encoder with the scale of its epochs and the prior after it.

    Args:
        encoder: of EEG.
        prior: embedding -> features; None: the encoder predicts features itself.
        scale: filter and scale of epochs.
    """

    def __init__(self, encoder: nn.Module, prior: LinearPrior | None, scale: EpochInput):
        super().__init__()
        self.encoder, self.prior, self.scale = encoder, prior, scale

    def embed(self, eeg: Tensor, subject: Tensor | None = None) -> Tensor:
        """Encode epochs (B, electrodes, samples) as the store has them: (B, width)."""
        scaled = torch.from_numpy(self.scale(eeg.cpu().numpy())).to(eeg)
        return self.encoder(scaled, subject)

    def forward(self, eeg: Tensor, subject: Tensor | None = None) -> Tensor:
        """Predict image features (B, features) from epochs (B, electrodes, samples) as the store has them."""
        found = self.embed(eeg, subject)
        return found if self.prior is None else self.prior(found)

    def save(self, folder: Path) -> None:
        """Write encoder, prior and scale."""
        folder.mkdir(parents=True)
        self.encoder.save_pretrained(folder / ENCODER)
        if self.prior is not None:
            self.prior.save_pretrained(folder / PRIOR)
        self.scale.save(folder)


def load_semantics(folder: Path) -> EEGSemantics:
    """Load what :meth:`EEGSemantics.save` or ``train_eeg_encoder`` wrote, in evaluation mode.

    Raises:
        InputError: there is no encoder.
    """
    if not (folder / ENCODER).is_dir() or not (folder / INPUT).is_file():
        raise InputError(f"{folder}: must hold {ENCODER}/ and {INPUT} of train_eeg_encoder")
    prior = LinearPrior.from_pretrained(folder / PRIOR) if (folder / PRIOR).is_dir() else None
    return EEGSemantics(load_encoder(folder / ENCODER), prior, EpochInput.load(folder)).eval()
