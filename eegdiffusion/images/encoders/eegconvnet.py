"""EEGConvNet of EEG-ConDiffusion (Yang and Liu, Brain Sciences 2024, 14(5):478)."""

from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import SIZES, EEGEncoder, ResidualBlock


class EEGConvNet(EEGEncoder, n_chans=128, n_times=440, n_outputs=40):
    """Classifies EEG (128 electrodes and 440 samples in the paper) by features like CLIP's text tokens.

    The paper prints filters and kernels of the residual blocks; normalisation and activation are this project's choice.

    Args:
        tokens: number of tokens of the condition.
        width: width of a token.
        dropout: dropout after the spatial and the deep convolution.
    """

    def build(
        self,
        tokens: int = 77,
        width: int = 768,
        dropout: float = 0.5,
    ) -> None:
        """Make the convolutions, the projection to tokens and the classifier; the class says what the options are."""
        n_chans, n_times, n_outputs = (self.config[name] for name in SIZES[:3])
        self.temporal = nn.Sequential(
            nn.Conv2d(1, 32, (1, 64), (1, 2), (0, 32)), nn.BatchNorm2d(32), ResidualBlock(32, nn.ELU, bias=False)
        )
        self.spatial = nn.Sequential(
            nn.Conv2d(32, 64, (n_chans, 1), groups=32),
            nn.BatchNorm2d(64),
            nn.ELU(),
            nn.AvgPool2d((1, 4)),
            nn.Dropout(dropout),
            ResidualBlock(64, nn.ELU, bias=False),
        )
        self.deep = nn.Sequential(
            nn.Conv2d(64, 128, (1, 16), (1, 2), (0, 8)),
            nn.BatchNorm2d(128),
            nn.ELU(),
            nn.AvgPool2d((1, 4)),
            nn.Dropout(dropout),
        )
        spatial = (n_times // 2 + 1) // 4
        self.projection = nn.Linear((spatial // 2 + 1) // 4, width)
        self.to_tokens = nn.Conv2d(128, tokens, 1)
        self.classifier = nn.Linear(tokens * width, n_outputs)

    def condition(self, x: Tensor, subject: Tensor | None = None) -> Tensor:
        """Compute the features that take the place of CLIP's text tokens: (B, C, T) -> (B, tokens, width)."""
        return self._condition(self._check_and_mix(x, subject))

    def _condition(self, x: Tensor) -> Tensor:
        return self.to_tokens(self.projection(self.deep(self.spatial(self.temporal(x[:, None]))))).squeeze(2)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Classify epochs by all of their tokens; (B, C, T) -> (B, classes) logits."""
        return self.classifier(self._condition(x).flatten(1))
