"""What a ControlNet learns from: epochs, and of the image seen its latent, its features and its structure."""

from copy import copy

import numpy as np

from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.structure.structure_maps import StructureMaps


class GuidedItems:
    """Items of a ControlNet's training.

    Attributes:
        image: (items,) row of the image seen.

    Args:
        epochs: that conditions were predicted from.
        latents, features, structure: by image.
        predicted_features: (epochs, width).
        predicted_structure: (epochs, channels, side, side) from 0 to 1; None: items have the epochs in its place.
    """

    def __init__(
        self, epochs: PairedEpochs, latents: np.ndarray, features: np.ndarray, structure: StructureMaps,
        predicted_features: np.ndarray, predicted_structure: np.ndarray | None,
    ):  # fmt: skip
        self._epochs, self._latents, self._features, self._structure = epochs, latents, features, structure
        self._eeg_features, self._eeg_structure = predicted_features, predicted_structure
        self._order = np.arange(len(epochs))
        self.image: np.ndarray = epochs.table["image"].to_numpy(np.int64)

    def with_eeg(self, order: np.ndarray) -> "GuidedItems":
        """Give every image the EEG of another epoch."""
        found = copy(self)
        found._order = order
        return found

    def __len__(self) -> int:
        return len(self._epochs)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items, stacked: see ``eegdiffusion.images.sgdm.controlnet_training``."""
        images, rows = self.image[indices], self._order[indices]
        found = {
            "latent": np.asarray(self._latents[images]),
            "features": self._features[images],
            "structure": self._structure[images],
            "eeg_features": self._eeg_features[rows],
        }
        if self._eeg_structure is not None:
            return found | {"eeg_structure": self._eeg_structure[rows].astype(np.float32)}
        epochs = self._epochs.__getitems__(rows.tolist())
        return found | {"eeg": epochs["eeg"], "subject": epochs["subject"]}
