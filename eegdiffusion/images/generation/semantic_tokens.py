"""Image features as the tokens that a generator's cross-attention reads."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError


class SemanticTokens(ModelMixin, ConfigMixin):
    """Projects a feature vector to a few tokens, with learned tokens for no condition (after IP-Adapter's projection).

    Ye et al. 2023, arXiv:2308.06721.

    Args:
        n_features: length of a feature vector.
        tokens: number of tokens.
        width: width of the generator's cross-attention.
    """

    @register_to_config
    def __init__(self, n_features: int = 1280, tokens: int = 4, width: int = 768):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.projection = nn.Linear(n_features, tokens * width)
        self.norm = nn.LayerNorm(width)
        self.nothing = nn.Parameter(0.02 * torch.randn(tokens, width))

    def fit_scale(self, features: Tensor) -> None:
        """Take mean and spread of each feature from those of the training images, (images, features)."""
        self.mean.copy_(features.mean(0))
        self.scale.copy_(features.std(0).clamp(min=1e-3))

    def forward(self, features: Tensor, dropped: Tensor | None = None) -> Tensor:
        """Project features to tokens.

        Args:
            features: (B, features), not normalised.
            dropped: (B,) bool, which samples get the tokens for no condition.

        Returns:
            (B, tokens, width).

        Raises:
            InputError: the features do not have ``n_features`` values.
        """
        if features.shape[1:] != self.mean.shape:
            raise InputError(f"features: must be (batch, {len(self.mean)}) (found {tuple(features.shape)})")
        projected = self.projection((features - self.mean) / self.scale).unflatten(1, self.nothing.shape)
        tokens = self.norm(projected)
        return tokens if dropped is None else torch.where(dropped[:, None, None], self.nothing, tokens)
