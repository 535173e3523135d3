"""Inspection of an aligned encoder: retrieved images, the evoked potential, what retrieval rests on."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eegdiffusion.core.storage.array_file import load_arrays

FILE = "inspection.npz"


@dataclass(frozen=True)
class EncoderInspection:
    """Arrays that figures of an aligned encoder are drawn from.

    Attributes:
        concepts: (rows,) concept of each image seen.
        seen: (rows, side, side, 3) uint8, test images.
        retrieved: (rows, places, side, side, 3) uint8, the images that EEG retrieved, the most similar first.
        right: (rows, places) bool, whether the retrieved image is the image seen.
        channels: (electrodes,) names of the electrodes.
        times: (samples,) seconds from the onset of the image.
        unit: unit of the epochs.
        evoked: (electrodes, samples), mean over test images, repetitions and subjects.
        importance: (electrodes,), what retrieval loses without each; as what follows, see
            :class:`eegdiffusion.images.encoders.occlusion.Saliency`.
        windows: (windows, 2) stretches of time.
        by_window: (windows, electrodes + 1), what retrieval loses without each of them.
        bands: (bands, 2) bands in Hz.
        by_band: (bands, electrodes + 1), what retrieval loses without each of them.
    """

    concepts: np.ndarray
    seen: np.ndarray
    retrieved: np.ndarray
    right: np.ndarray
    channels: np.ndarray
    times: np.ndarray
    unit: str
    evoked: np.ndarray
    importance: np.ndarray
    windows: np.ndarray
    by_window: np.ndarray
    bands: np.ndarray
    by_band: np.ndarray

    def save(self, folder: Path) -> None:
        """Write ``inspection.npz`` to a folder that exists."""
        np.savez_compressed(folder / FILE, **asdict(self))

    @classmethod
    def load(cls, folder: Path) -> "EncoderInspection":
        """Read what :meth:`save` wrote."""
        arrays: dict[str, Any] = load_arrays(folder / FILE, None, "must be what train_eeg_encoder wrote")
        return cls(**arrays | {"unit": str(arrays["unit"])})
