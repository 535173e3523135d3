"""ATM-S (Li et al., NeurIPS 2024, arXiv:2403.07721): attention over electrodes, then temporal-spatial convolution."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from eegdiffusion.images.encoders.eeg_encoder import SIZES, EEGEncoder, Projection, SubjectLayer, check_subjects


class ElectrodeAttention(nn.Module):
    """A post-norm transformer layer whose tokens are electrodes.

    The width of a head is rounded down, as in ATM: 4 heads of 62 for 250 samples.

    Args:
        width: width of a token.
        heads: number of attention heads.
        feedforward: width of the hidden layer.
        dropout: dropout rate.
    """

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float):
        super().__init__()
        self.heads, inner = heads, width // heads * heads
        self.qkv = nn.Linear(width, 3 * inner)
        self.out = nn.Linear(inner, width)
        self.feedforward = nn.ModuleList([nn.Linear(width, feedforward), nn.Linear(feedforward, width)])
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to (B, tokens, width), whose shape it keeps."""
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        dropped = self.dropout.p if self.training else 0.0
        mixed = scaled_dot_product_attention(q, k, v, dropout_p=dropped).transpose(1, 2).flatten(2)
        x = self.norms[0](x + self.dropout(self.out(mixed)))
        first, second = self.feedforward
        x = self.norms[1](x + self.dropout(second(self.dropout(gelu(first(x))))))
        return self.norms[2](x)  # ATM's encoder ends with a norm of its own


class ATMS(EEGEncoder, unseen="shared"):
    """ATM-S, whose embedding is aligned with image features.

    Subjects are told apart by a token beside the electrodes', not by a :class:`SubjectLayer`; a subject that training
    has not seen gets the token that all share (``unseen="shared"``), or the mean of the others' (``mean``).

    Args:
        heads: number of attention heads.
        feedforward: width of the transformer layer's hidden layer.
        filters: number of filters of each convolution.
        attention_dropout: dropout of the transformer layer and its input.
        dropout: dropout of the convolutions and the projection.
    """

    def build(
        self,
        heads: int = 4,
        feedforward: int = 256,
        filters: int = 40,
        attention_dropout: float = 0.25,
        dropout: float = 0.5,
    ) -> None:
        """Make the value layer, tokens, attention, convolutions and projection; the class says what the options are."""
        n_chans, n_times, n_outputs, n_subjects = (self.config[name] for name in SIZES[:4])
        self.value = nn.Linear(n_times, n_times)
        self.shared_token = (
            nn.Parameter(torch.randn(1, n_times)) if not n_subjects or self.config.unseen == "shared" else None
        )
        self.subject_tokens = nn.Parameter(torch.randn(n_subjects, n_times))
        self.embedding_dropout = nn.Dropout(attention_dropout)
        self.attention = ElectrodeAttention(n_times, heads, feedforward, attention_dropout)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, filters, (1, 25)),
            nn.AvgPool2d((1, 51), (1, 5)),
            nn.BatchNorm2d(filters),
            nn.ELU(),
            nn.Conv2d(filters, filters, (n_chans, 1)),
            nn.BatchNorm2d(filters),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Conv2d(filters, filters, (1, 1)),
        )
        width = filters * ((n_times - 25 + 1 - 51) // 5 + 1)
        self.projection = Projection(width, n_outputs, dropout)

    def _make_subject_layer(self) -> SubjectLayer | None:
        return None  # subjects have tokens

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Embed epochs beside their subject's token; (B, C, T) -> (B, outputs)."""
        token = self._token(x, subject)
        tokens = self.attention(self.embedding_dropout(torch.cat([self.value(x), token[:, None]], 1)))
        return self.projection(self.convolutions(tokens[:, None, : x.shape[1]]).flatten(1))

    def _token(self, x: Tensor, subject: Tensor | None) -> Tensor:
        other = self.subject_tokens.mean(0) if self.shared_token is None else self.shared_token[0]
        if subject is None or not len(self.subject_tokens):
            return other.expand(len(x), -1)
        return torch.cat([self.subject_tokens, other[None]])[check_subjects(subject, len(self.subject_tokens))]
