"""The projection head of EEG-ConDiffusion: from EEGConvNet's features to what stands where token embeddings would."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError


class EEGProjection(ModelMixin, ConfigMixin):
    """Projects EEGConvNet's features to token embeddings of a text encoder, with learned embeddings for no EEG.

    The paper does not print its layers. This project's choice has two parts. Each token is standardised, projected by a
    linear layer that all tokens share, and normalised. And, with ``classes``, EEGConvNet's own classifier, frozen, says
    how probable each class is, and the embeddings of the classes' prompts are averaged with these weights: EEGConvNet
    tells classes by all of its tokens together, and little of that is left in any one of them.

    Args:
        features: width of EEGConvNet's tokens.
        tokens: number of EEGConvNet's tokens.
        width: width of the text encoder.
        length: number of token embeddings, those of a whole prompt; None: as many as there are tokens. Embeddings
            beyond EEGConvNet's tokens are those of the classes' prompts, or of the empty prompt.
        classes: number of EEGConvNet's classes; 0 leaves the second part out.
    """

    @register_to_config
    def __init__(
        self, features: int = 768, tokens: int = 77, width: int = 768, length: int | None = None, classes: int = 0
    ):
        super().__init__()
        length = length or tokens
        self.register_buffer("mean", torch.zeros(tokens, features))
        self.register_buffer("scale", torch.ones(tokens, features))
        self.linear = nn.Linear(features, width)
        self.norm = nn.LayerNorm(width)
        self.nothing = nn.Parameter(torch.zeros(length, width))
        if classes:
            self.classifier = nn.Linear(tokens * features, classes).requires_grad_(False)
            self.prompts = nn.Parameter(torch.zeros(classes, length, width))

    @torch.no_grad()
    def begin(self, embeddings: Tensor) -> None:
        """Take spread and empty prompt from token embeddings (vocabulary, width).

        The norm begins at the spread of the embeddings, so that the position embedding, which is added next, weighs as
        much as it does with text. CLIP's vocabulary ends with the tokens for start and end; an empty prompt is a start
        and ends throughout.
        """
        self.norm.weight.fill_(embeddings.std())
        self.nothing.copy_(embeddings[-1].expand_as(self.nothing))
        self.nothing[0] = embeddings[-2]

    @torch.no_grad()
    def begin_with_prompts(self, prompts: Tensor, classifier: nn.Linear) -> None:
        """Begin as text: an epoch whose class EEGConvNet is sure of gives the prompt of this class.

        Args:
            prompts: (classes, length, width) token embeddings of the prompt of each class.
            classifier: EEGConvNet's last layer.
        """
        self.prompts.copy_(prompts)
        self.classifier.load_state_dict(classifier.state_dict())
        self.norm.weight.zero_()

    @torch.no_grad()
    def fit_scale(self, mean: Tensor, scale: Tensor) -> None:
        """Take mean and spread (tokens, features) of the training epochs' features."""
        self.mean.copy_(mean)
        self.scale.copy_(scale.clamp(min=1e-4))

    def forward(self, features: Tensor, dropped: Tensor | None = None) -> Tensor:
        """Project features to token embeddings.

        Args:
            features: (B, tokens, features) features of EEGConvNet.
            dropped: (B,) bool, which samples get the embeddings for no EEG.

        Returns:
            (B, length, width).

        Raises:
            InputError: the features do not have this shape.
        """
        if features.shape[1:] != self.mean.shape:
            raise InputError(f"features: must be (batch, *{tuple(self.mean.shape)}) (found {tuple(features.shape)})")
        tokens = self.norm(self.linear((features - self.mean) / self.scale))
        nothing, count = self.nothing.to(tokens), tokens.shape[1]
        if self.config.classes:
            weights = self.classifier(features.flatten(1)).softmax(1)
            prompt = torch.einsum("bk,klw->blw", weights, self.prompts.to(tokens))
            tokens = tokens + prompt[:, :count]
        else:
            prompt = nothing.expand(len(tokens), -1, -1)
        projected = torch.cat([tokens, prompt[:, count:]], dim=1)
        if dropped is None:
            return projected
        return torch.where(dropped[:, None, None], nothing, projected)
