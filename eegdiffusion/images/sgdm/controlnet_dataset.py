"""The data that a ControlNet learns from: epochs, and of the image seen its latent, its features and its structure."""

from copy import copy

import numpy as np

from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.structure.structure_maps import StructureMaps


class ControlNetDataset:
    """A dataset of epochs' conditions and of the images seen.

    An item has ``latent``, ``features`` and ``structure`` of the image, ``eeg_features`` predicted from the epoch, and
    ``eeg_structure`` or, where structure was not predicted before, ``eeg`` and ``subject``.

    Attributes:
        image: (items,) row of the image seen.

    Args:
        epochs: epochs that conditions were predicted from.
        latents: (images, c, h, w) latents of the store's images.
        features: (images, width) features of the images.
        structure: structure maps of the images.
        predicted_features: (epochs, width) features predicted from EEG.
        predicted_structure: (epochs, channels, side, side) maps from 0 to 1 predicted from EEG; None: items have the
            epochs in their place.
    """

    def __init__(
        self, epochs: PairedEpochs, latents: np.ndarray, features: np.ndarray, structure: StructureMaps,
        predicted_features: np.ndarray, predicted_structure: np.ndarray | None,
    ):  # fmt: skip
        self._epochs, self._latents, self._features, self._structure = epochs, latents, features, structure
        self._eeg_features, self._eeg_structure = predicted_features, predicted_structure
        self._order = np.arange(len(epochs))
        self.image: np.ndarray = epochs.table["image"].to_numpy(np.int64)

    def with_eeg(self, order: np.ndarray) -> "ControlNetDataset":
        """Return the dataset in which the image of item k has the EEG of epoch ``order[k]``."""
        reordered = copy(self)
        reordered._order = order
        return reordered

    def __len__(self) -> int:
        return len(self._epochs)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items, stacked."""
        images, rows = self.image[indices], self._order[indices]
        items = {
            "latent": np.asarray(self._latents[images]),
            "features": self._features[images],
            "structure": self._structure[images],
            "eeg_features": self._eeg_features[rows],
        }
        if self._eeg_structure is not None:
            return items | {"eeg_structure": self._eeg_structure[rows].astype(np.float32)}
        epochs = self._epochs.__getitems__(rows.tolist())
        return items | {"eeg": epochs["eeg"], "subject": epochs["subject"]}
