"""What all encoders of EEG epochs have in common: (batch, electrodes, samples) -> (batch, outputs)."""

import torch
from diffusers import ConfigMixin, ModelMixin
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError

UNSEEN = ("mean", "identity")


class SubjectLayer(nn.Module):
    """Mixes the electrodes of each subject by a matrix of its own; all begin as the identity.

    Args:
        n_subjects: how many.
        n_chans: electrodes.
        unseen: what a subject without a matrix gets: the ``mean`` of the others', or the ``identity``.

    Raises:
        InputError: ``unseen`` is neither.
    """

    def __init__(self, n_subjects: int, n_chans: int, unseen: str = "mean"):
        super().__init__()
        if unseen not in UNSEEN:
            raise InputError(f"unseen: must be one of {', '.join(UNSEEN)} (found {unseen!r})")
        self.unseen = unseen
        self.mixing = nn.Parameter(torch.eye(n_chans).repeat(n_subjects, 1, 1))

    def forward(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """(B, C, T), (B,) int64 with -1 for subjects that training has not seen; None: all are such."""
        other = self.mixing.mean(0) if self.unseen == "mean" else torch.eye(len(self.mixing[0])).to(x)
        if subject is None:
            return other @ x
        return torch.cat([self.mixing, other[None]])[check_subjects(subject, len(self.mixing))] @ x


def check_subjects(subject: Tensor, known: int) -> Tensor:
    """Return the numbers of subjects, all of them from -1 to ``known`` - 1.

    Raises:
        InputError: one is not.
    """
    if ((subject < -1) | (subject >= known)).any():
        raise InputError(f"subject: must be -1 (not seen in training) to {known - 1} (found {subject.tolist()})")
    return subject


class EEGEncoder(ModelMixin, ConfigMixin):
    """Base of the encoders.

    A subclass registers the arguments ``n_chans``, ``n_times``, ``n_outputs``, ``n_subjects`` (0: no layer of each
    subject's own) and ``unseen`` to its configuration, calls :meth:`take`, and implements :meth:`encode`.
    """

    def take(self, n_chans: int, n_subjects: int, unseen: str) -> None:
        """Make the subjects' layer, where there is one."""
        self.subject_layer = SubjectLayer(n_subjects, n_chans, unseen) if n_subjects else None

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Encode epochs that have passed the subjects' layer; (B, C, T) -> (B, outputs)."""
        raise NotImplementedError

    def prepare(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Check the shape of epochs and take them through the subjects' layer."""
        wanted = (self.config.n_chans, self.config.n_times)
        if x.dim() != 3 or tuple(x.shape[1:]) != wanted:
            raise InputError(f"eeg: must be (batch, {wanted[0]}, {wanted[1]}) (found {tuple(x.shape)})")
        return x if self.subject_layer is None else self.subject_layer(x, subject)

    def forward(self, x: Tensor, subject: Tensor | None = None) -> Tensor:
        """Encode epochs.

        Args:
            x: (B, electrodes, samples).
            subject: (B,) number of each one's subject in training, -1 for one that training has not seen.

        Returns:
            (B, outputs): an embedding, or logits.

        Raises:
            InputError: shape or subject do not fit.
        """
        return self.encode(self.prepare(x, subject), subject)


class Projection(nn.Sequential):
    """Linear layer, residual GELU and linear layer, layer norm: how NICE and ATM end."""

    def __init__(self, features: int, outputs: int, dropout: float):
        super().__init__(nn.Linear(features, outputs), Residual(outputs, dropout), nn.LayerNorm(outputs))


class Residual(nn.Module):
    """x + dropout(linear(GELU(x)))."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.linear, self.dropout = nn.Linear(width, width), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.linear(nn.functional.gelu(x)))
