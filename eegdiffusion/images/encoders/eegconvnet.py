"""EEGConvNet of EEG-ConDiffusion (Yang and Liu, Brain Sciences 2024, 14(5):478)."""

from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a bypass.

    The paper prints filters and kernel; normalisation and activation are this project's choice.
    """

    def __init__(self, filters: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ELU(),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
        )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.elu(x + self.layers(x))


class EEGConvNet(EEGEncoder):
    """Classifies EEG by features that are as many and as wide as CLIP's text tokens.

    Args:
        n_chans, n_times: electrodes and samples, 128 x 440 in the paper.
        n_outputs: classes.
        n_subjects, unseen: see :class:`EEGEncoder`.
        tokens, width: of the condition.
        dropout: after the spatial and the deep convolution.
    """

    @register_to_config
    def __init__(
        self,
        n_chans: int = 128,
        n_times: int = 440,
        n_outputs: int = 40,
        n_subjects: int = 0,
        unseen: str = "mean",
        tokens: int = 77,
        width: int = 768,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.take(n_chans, n_subjects, unseen)
        self.temporal = nn.Sequential(nn.Conv2d(1, 32, (1, 64), (1, 2), (0, 32)), nn.BatchNorm2d(32), ResidualBlock(32))
        self.spatial = nn.Sequential(
            nn.Conv2d(32, 64, (n_chans, 1), groups=32),
            nn.BatchNorm2d(64),
            nn.ELU(),
            nn.AvgPool2d((1, 4)),
            nn.Dropout(dropout),
            ResidualBlock(64),
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
        """Features that take the place of CLIP's text tokens: (B, C, T) -> (B, tokens, width)."""
        return self._condition(self.prepare(x, subject))

    def _condition(self, x: Tensor) -> Tensor:
        return self.to_tokens(self.projection(self.deep(self.spatial(self.temporal(x[:, None]))))).squeeze(2)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        return self.classifier(self._condition(x).flatten(1))
