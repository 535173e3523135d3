"""The linear baseline: a linear map from EEG epochs to image features."""

from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder


class LinearEncoder(EEGEncoder):
    """A linear map of all samples of an epoch; ``eegdiffusion.images.encoders.ridge`` fits one for all subjects."""

    def build(self) -> None:
        """Make the map from all samples of an epoch."""
        self.map = nn.Linear(self.config.n_chans * self.config.n_times, self.config.n_outputs)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Map epochs; (B, C, T) -> (B, outputs)."""
        return self.map(x.flatten(1))
