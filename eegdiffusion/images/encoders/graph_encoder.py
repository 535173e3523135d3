"""Graph encoder of EEG epochs: electrodes are nodes, and each attends to those that lie next to it on the head."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention, softplus

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder, Projection


def neighbour_distances(positions: Tensor, neighbours: int) -> Tensor:
    """Return the distance of each electrode to those next to it, (electrodes, electrodes), infinite to the others.

    Distances are in units of the mean distance to the nearest electrode. An electrode is next to another where either
    is among the other's nearest, so that the graph is symmetric, and next to itself, at distance 0.

    Args:
        positions: (electrodes, 3) places on the head, in any unit.
        neighbours: number of nearest electrodes.
    """
    distances = torch.cdist(positions, positions)
    nearest = distances.argsort(1)[:, : neighbours + 1]
    near = torch.zeros_like(distances, dtype=torch.bool).scatter_(1, nearest, True)
    near = near | near.T | torch.eye(len(positions), dtype=torch.bool)
    apart = distances + torch.diag(torch.full((len(positions),), torch.inf))
    unit = apart.min(1).values.mean() if len(positions) > 1 else torch.ones(())
    return (distances / unit).masked_fill(~near, torch.inf).fill_diagonal_(0)


class GraphAttention(nn.Module):
    """A pre-norm attention layer over the edges of a graph, closer nodes favoured as each head learns.

    Args:
        width: width of a node.
        heads: number of attention heads.
        dropout: dropout rate.
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feedforward = nn.ModuleList([nn.Linear(width, 2 * width), nn.Linear(2 * width, width)])
        self.decay = nn.Parameter(torch.zeros(heads))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, distances: Tensor) -> Tensor:
        """Apply the layer to nodes (B, N, width), whose shape it keeps.

        Args:
            x: nodes.
            distances: (N, N), infinite where there is no edge; see :func:`neighbour_distances`.
        """
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(self.norms[0](x)).chunk(3, -1)
        )
        near = distances.isfinite()
        bias = -softplus(self.decay)[:, None, None] * distances.masked_fill(~near, 0)
        bias = bias.masked_fill(~near, -torch.inf).to(q)
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=bias[None]).transpose(1, 2).flatten(2)
        x = x + self.dropout(self.out(mixed))
        first, second = self.feedforward
        return x + self.dropout(second(self.dropout(gelu(first(self.norms[1](x))))))


class GraphEncoder(EEGEncoder):
    """Convolutions over time that electrodes share, attention over neighbours on the head, and a projection.

    SGDM describes a graph variant of its encoder without sizes; these are this project's.

    Args:
        positions: (electrodes, 3) places of the electrodes on the head; a training takes them from the electrodes'
            names. None: all electrodes are neighbours, none closer than another.
        neighbours: number of nearest electrodes that an electrode attends to; the graph is symmetric.
        width: width of a node.
        heads: number of attention heads.
        layers: number of attention layers: what lies so many edges away reaches a node.
        filters: number of temporal filters.
        kernel: length of a temporal filter in samples.
        parts: number of parts of the epoch over which filtered signals are averaged.
        node_width: width to which each node is brought before all are joined.
        dropout: dropout rate.

    Raises:
        InputError: there is not a place for each electrode, or heads do not divide the width.
    """

    def build(
        self,
        positions: Sequence[Sequence[float]] | None = None,
        neighbours: int = 6,
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        filters: int = 16,
        kernel: int = 25,
        parts: int = 10,
        node_width: int = 16,
        dropout: float = 0.25,
    ) -> None:
        """Make the graph, convolutions, attention and projection; the class says what the options are."""
        n_chans, n_outputs = self.config["n_chans"], self.config["n_outputs"]
        if width % heads:
            raise InputError(f"encoder graph: heads must divide width {width} (found {heads})")
        self.register_buffer("distances", self._graph(positions, neighbours, n_chans), persistent=False)
        self.temporal = nn.Conv1d(1, filters, kernel, padding="same", bias=False)
        self.norm = nn.BatchNorm1d(filters)
        self.pool = nn.AdaptiveAvgPool1d(parts)
        self.embed = nn.Linear(filters * parts, width)
        self.electrodes = nn.Parameter(0.02 * torch.randn(n_chans, width))
        self.attention = nn.ModuleList(GraphAttention(width, heads, dropout) for _ in range(layers))
        self.readout = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, node_width), nn.GELU(), nn.Dropout(dropout))
        self.projection = Projection(n_chans * node_width, n_outputs, dropout)

    @staticmethod
    def _graph(positions: Sequence[Sequence[float]] | None, neighbours: int, n_chans: int) -> Tensor:
        if positions is None:
            return torch.zeros(n_chans, n_chans)
        places = torch.tensor(positions, dtype=torch.float32)
        if places.shape != (n_chans, 3) or not places.isfinite().all():
            raise InputError(
                f"encoder graph: positions: must be ({n_chans}, 3) and finite (found {tuple(places.shape)})"
            )
        if neighbours < 1:
            raise InputError(f"encoder graph: neighbours: must be 1 or more (found {neighbours})")
        return neighbour_distances(places, neighbours)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Embed epochs by attention over neighbouring electrodes; (B, C, T) -> (B, outputs)."""
        batch, channels, _ = x.shape
        filtered = nn.functional.elu(self.norm(self.temporal(x.flatten(0, 1)[:, None])))
        nodes = self.embed(self.pool(filtered).flatten(1)).unflatten(0, (batch, channels)) + self.electrodes
        for layer in self.attention:
            nodes = layer(nodes, self.distances)
        return self.projection(self.readout(nodes).flatten(1))
