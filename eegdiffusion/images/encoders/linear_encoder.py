"""The linear baseline: a linear map from EEG epochs to image features."""

from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder


class LinearEncoder(EEGEncoder):
    """A linear map of all samples of an epoch.

    Args:
        n_chans, n_times, n_outputs: electrodes, samples, width of the embedding.
        n_subjects, unseen: see :class:`EEGEncoder`; ``eegdiffusion.images.encoders.ridge`` fits one map for all.
    """

    @register_to_config
    def __init__(
        self,
        n_chans: int = 63,
        n_times: int = 250,
        n_outputs: int = 1024,
        n_subjects: int = 0,
        unseen: str = "mean",
    ):
        super().__init__()
        self.take(n_chans, n_subjects, unseen)
        self.map = nn.Linear(n_chans * n_times, n_outputs)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        return self.map(x.flatten(1))
