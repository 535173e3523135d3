"""The LSTM that EEGCVPR40's authors classify with (Spampinato et al., CVPR 2017)."""

from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder


class EEGLSTM(EEGEncoder):
    """LSTM over samples; its last output, a linear layer and ReLU, a classifier.

    Args:
        n_chans, n_times, n_outputs: electrodes, samples, classes.
        n_subjects, unseen: see :class:`EEGEncoder`.
        hidden, layers: of the LSTM.
        width: of the linear layer.
    """

    @register_to_config
    def __init__(
        self,
        n_chans: int = 128,
        n_times: int = 440,
        n_outputs: int = 40,
        n_subjects: int = 0,
        unseen: str = "mean",
        hidden: int = 128,
        layers: int = 1,
        width: int = 128,
    ):
        super().__init__()
        self.take(n_chans, n_subjects, unseen)
        self.lstm = nn.LSTM(n_chans, hidden, layers, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, width), nn.ReLU(), nn.Linear(width, n_outputs))

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        found, _ = self.lstm(x.transpose(1, 2))
        return self.head(found[:, -1])
