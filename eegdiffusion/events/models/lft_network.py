"""The network of the Latent Fusion Transformer of EEGDM (arXiv:2508.14086).

It needs PyTorch alone; :class:`eegdiffusion.events.models.lft.LFT` is the same network as a model of diffusers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from eegdiffusion.core.runtime.errors import InputError

FUSIONS = ("cross_attention", "mean", "none")


class Attention(nn.Module):
    """Multi-head attention with the parameters of ``torch.nn.MultiheadAttention`` (batch first, no dropout)."""

    def __init__(self, d_model: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d_model, d_model))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d_model))
        self.out_proj = nn.Linear(d_model, d_model)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """(B, T, H) queries; keys and values from ``memory`` (B, S, H), or from x."""
        if memory is None:
            q, k, v = linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        else:
            d_model = x.shape[-1]
            q = linear(x, self.in_proj_weight[:d_model], self.in_proj_bias[:d_model])
            k, v = linear(memory, self.in_proj_weight[d_model:], self.in_proj_bias[d_model:]).chunk(2, dim=-1)
        q, k, v = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in (q, k, v))
        return self.out_proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def _mlp(d_model: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.GELU(), nn.Linear(4 * d_model, d_model))


Layer = Literal["self", "cross", "ff"]
"""Self-attention, cross-attention or feed-forward."""


class TransformerStack(nn.Module):
    """Pre-norm residual layers.

    Cross-attention normalises its queries, not its keys and values.

    Args:
        layers: kinds of the layers, in order.
        d_model: width.
        num_heads: heads of every attention.
    """

    def __init__(self, layers: Sequence[Layer], d_model: int, num_heads: int):
        super().__init__()
        self.kinds = tuple(layers)
        self.layers = nn.ModuleList(
            _mlp(d_model) if kind == "ff" else Attention(d_model, num_heads) for kind in self.kinds
        )
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in self.kinds)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """(B, T, H) -> (B, T, H); cross-attention reads ``memory`` (B, S, H)."""
        for kind, layer, norm in zip(self.kinds, self.layers, self.norms, strict=True):
            x = x + (layer(norm(x), memory) if kind == "cross" else layer(norm(x)))
        return x


class LatentFusion(nn.Module):
    """One decoder block per layer of the backbone; fusion tokens gather the latents of all channels, pool by pool."""

    def __init__(self, n_layer: int, n_pool: int, n_fusion: int, d_model: int, num_heads: int):
        super().__init__()
        self.cls_token = nn.Parameter(torch.rand(1, 1, n_pool, n_fusion, d_model))
        blocks = [TransformerStack(("self", "cross", "ff"), d_model, num_heads) for _ in range(n_layer)]
        self.tower = nn.ModuleList([nn.ModuleList(blocks)])

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, n, p, C, H) -> (B, P, N, H). Where p < P the fusion tokens of the last pools pass as they are."""
        batch, _, pools = tokens.shape[:3]
        fusion = self.cls_token[0].expand(batch, -1, -1, -1)
        folded = fusion[:, :pools].flatten(0, 1)  # the pools share the blocks: fold them into the batch
        for i, block in enumerate(self.tower[0]):
            folded = block(folded, tokens[:, i].flatten(0, 1))
        return torch.cat([folded.unflatten(0, (batch, pools)), fusion[:, pools:]], dim=1)


class ClassificationHead(nn.Module):
    """Position embedding, encoder blocks, mean over tokens, linear head.

    Args:
        shape: places of the tokens, each of which has an embedding.
        d_model: width.
        num_heads: heads of every attention.
        encoder_blocks: number of encoder blocks.
        n_class: logits.
        n_layer: layers that tokens come from as well, where they are not fused; each has an embedding, which is added
            to that of the place: one for every layer and place would be more parameters than the paper's 7.0 M.
    """

    def __init__(
        self,
        shape: Sequence[int],
        d_model: int,
        num_heads: int,
        encoder_blocks: int,
        n_class: int,
        n_layer: int | None = None,
    ):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.rand(1, 1, *shape, d_model))
        if n_layer is not None:
            self.layer_embed = nn.Parameter(torch.rand(n_layer, *[1] * len(shape), d_model))
        self.with_layers = n_layer is not None
        self.stack = TransformerStack(("self", "ff") * encoder_blocks, d_model, num_heads)
        self.linear = nn.Linear(d_model, n_class)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *shape, H) -> (B, classes); (B, layers, *shape, H) where tokens are not fused."""
        return self.linear(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Return what the linear head sees, (B, H); see :meth:`forward`."""
        x = x + (self.pos_embed + self.layer_embed if self.with_layers else self.pos_embed[:, 0])
        return self.stack(x.flatten(1, -2)).mean(1)


@dataclass(frozen=True)
class LFTSizes:
    """Sizes and options of the network.

    Attributes:
        d_model: H, width of the latents.
        n_layer: layers of the backbone.
        n_pool: P, pools in a window.
        n_channel: C; only ``mean`` and ``none`` need it, whose position embeddings tell channels apart.
        n_fusion: N, fusion tokens to a pool.
        num_heads: heads of every attention.
        encoder_blocks: encoder blocks of the classification stage.
        n_class: logits.
        fusion: ``cross_attention``; ``mean``, the latents' mean over layers; ``none``, all latents enter the encoder.
        layers: the backbone's layers to use, in order; None: all.
        token_scale: factor on the tokens.
    """

    d_model: int = 128
    n_layer: int = 20
    n_pool: int = 5
    n_channel: int = 22
    n_fusion: int = 16
    num_heads: int = 8
    encoder_blocks: int = 8
    n_class: int = 6
    fusion: str = "cross_attention"
    layers: Sequence[int] | None = None
    token_scale: float = 1.0


class LFTNetwork(nn.Module):
    """Latent Fusion Transformer.

    Args:
        sizes: sizes and options.

    Raises:
        InputError: a size or an option breaks its rule.
    """

    def __init__(self, sizes: LFTSizes):
        super().__init__()
        self.sizes = sizes
        d_model, n_layer, n_pool, n_channel = sizes.d_model, sizes.n_layer, sizes.n_pool, sizes.n_channel
        n_fusion, num_heads, encoder_blocks = sizes.n_fusion, sizes.num_heads, sizes.encoder_blocks
        fusion, layers = sizes.fusion, sizes.layers
        if fusion not in FUSIONS:
            raise InputError(f"fusion: must be one of {', '.join(FUSIONS)} (found {fusion!r})")
        if d_model % num_heads:
            raise InputError(f"num_heads: must divide d_model = {d_model} (found {num_heads})")
        if layers is not None and (not layers or not set(layers) <= set(range(n_layer))):
            raise InputError(f"layers: must be some of 0..{n_layer - 1} (found {layers})")
        used = n_layer if layers is None else len(layers)
        if fusion == "cross_attention":
            self.decoder = LatentFusion(used, n_pool, n_fusion, d_model, num_heads)
        shape = n_pool, n_fusion if fusion == "cross_attention" else n_channel
        n_layer_embed = used if fusion == "none" else None
        self.classifier = ClassificationHead(shape, d_model, num_heads, encoder_blocks, sizes.n_class, n_layer_embed)

    def forward(self, tokens: Tensor, missing_pools: bool = False) -> Tensor:
        """Classify.

        Args:
            tokens: (B, n, p, C, H) from ``SSMDP.tokens``.
            missing_pools: admit fewer pools than n_pool; the fusion tokens of the last pools then pass unprocessed, as
                in EEGDM's public implementation with resampled windows.

        Returns:
            logits (B, n_class).

        Raises:
            InputError: a dimension of the tokens disagrees with the model's.
        """
        return self.classifier.linear(self.features(tokens, missing_pools))

    def features(self, tokens: Tensor, missing_pools: bool = False) -> Tensor:
        """Return what the linear head sees, (B, H); see :meth:`forward`."""
        self._check(tokens, missing_pools)
        tokens = tokens * self.sizes.token_scale
        if self.sizes.layers is not None:
            tokens = tokens[:, list(self.sizes.layers)]
        if self.sizes.fusion == "cross_attention":
            return self.classifier.features(self.decoder(tokens))
        return self.classifier.features(tokens.mean(1) if self.sizes.fusion == "mean" else tokens)

    def _check(self, tokens: Tensor, missing_pools: bool) -> None:
        sizes = self.sizes
        if tokens.dim() != 5:
            rule = "must have shape (batch, layers, pools, channels, width)"
            raise InputError(f"tokens: {rule} (found {tuple(tokens.shape)})")
        _, n_layer, n_pool, n_channel, d_model = tokens.shape
        rules = [("layers", n_layer, sizes.n_layer), ("width", d_model, sizes.d_model)]
        if not (missing_pools and sizes.fusion == "cross_attention" and 0 < n_pool < sizes.n_pool):
            rules.append(("pools", n_pool, sizes.n_pool))
        if sizes.fusion != "cross_attention":
            rules.append(("channels", n_channel, sizes.n_channel))
        for name, size, expected in rules:
            if size != expected:
                raise InputError(f"tokens: must have {expected} {name} (found {size})")
