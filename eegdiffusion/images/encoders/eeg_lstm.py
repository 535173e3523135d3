"""The LSTM that EEGCVPR40's authors classify with (Spampinato et al., CVPR 2017)."""

from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder


class EEGLSTM(EEGEncoder, n_chans=128, n_times=440, n_outputs=40):
    """LSTM over samples; its last output, a linear layer and ReLU, a classifier.

    Args:
        hidden: width of the LSTM.
        layers: number of the LSTM's layers.
        width: width of the linear layer.
    """

    def build(
        self,
        hidden: int = 128,
        layers: int = 1,
        width: int = 128,
    ) -> None:
        """Make the LSTM and the classifier; the class says what the options are."""
        self.lstm = nn.LSTM(self.config.n_chans, hidden, layers, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, width), nn.ReLU(), nn.Linear(width, self.config.n_outputs))

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Classify epochs by the LSTM's last output; (B, C, T) -> (B, classes) logits."""
        states, _ = self.lstm(x.transpose(1, 2))
        return self.head(states[:, -1])
