"""Saliency by occlusion: what retrieval loses without electrodes, stretches of time or bands of frequency."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from eegdiffusion.core.signal.epoch_scaler import band_operator
from eegdiffusion.core.statistics.retrieval import similarities
from eegdiffusion.images.encoders.alignment import embed_epochs
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.image_retrieval import BATCH, Gallery
from eegdiffusion.images.epochs.image_pairs import Pairs, read_all

WINDOW_S = 0.1
"""Length in seconds of a stretch of time."""

BANDS = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 70.0))
"""Bands in Hz; those that reach half the sampling rate are left out."""


@dataclass(frozen=True)
class Occlusion:
    """A part of an epoch that is hidden.

    Attributes:
        electrode: index of an electrode; None: all.
        samples: samples that are set to the training's mean; None: all.
        operator: filter (samples, samples) whose band is taken away in place of that; None: none.
    """

    electrode: int | None = None
    samples: slice | None = None
    operator: np.ndarray | None = None

    def __call__(self, eeg: np.ndarray) -> np.ndarray:
        """Return epochs (n, electrodes, samples), which are scaled, without the part."""
        rows = slice(None) if self.electrode is None else slice(self.electrode, self.electrode + 1)
        hidden = eeg.copy()
        if self.operator is not None:
            hidden[:, rows] -= hidden[:, rows] @ self.operator
        else:
            hidden[:, rows, slice(None) if self.samples is None else self.samples] = 0
        return hidden


class _ArrayEpochs:
    def __init__(self, values: dict[str, np.ndarray]):
        self._values = values

    def __len__(self) -> int:
        return len(self._values["eeg"])

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        return {name: values[indices] for name, values in self._values.items()}


def _margin(
    encoder: EEGEncoder, values: dict[str, np.ndarray], position: np.ndarray, gallery: Gallery, device: torch.device
) -> float:
    embedding = embed_epochs(encoder, _ArrayEpochs(values), BATCH, device).numpy()
    similarity = similarities(embedding, gallery.features)
    right = similarity[np.arange(len(position)), position]
    others = (similarity.sum(1) - right) / (similarity.shape[1] - 1)
    return float((right - others).mean())


def importance_by_occlusion(
    encoder: EEGEncoder, pairs: Pairs, occlusions: Sequence[Occlusion], device: torch.device
) -> np.ndarray:
    """Compute how much an aligned encoder needs each of some parts of an epoch.

    The margin is the similarity to the image seen minus the mean similarity to the others; the importance of a part is
    what the margin loses, as a share, when it is hidden. Test epochs average all repetitions.

    Args:
        encoder: aligned encoder.
        pairs: test epochs, with ``features`` and ``identity`` of each image.
        occlusions: the parts.
        device: device to compute on.

    Returns:
        (parts,), averaged over test subjects.
    """
    gallery, importances = Gallery(pairs), []
    for subject in pairs.fold.test:
        values = read_all(pairs.part("test", pairs.repetitions(subject), [subject], draws=1))
        position = gallery.positions(values["image"])
        margin = _margin(encoder, values, position, gallery, device)
        without = [
            _margin(encoder, values | {"eeg": occlusion(values["eeg"])}, position, gallery, device)
            for occlusion in occlusions
        ]
        importances.append((margin - np.array(without)) / (abs(margin) or 1.0))
    return np.mean(importances, axis=0)


@dataclass(frozen=True)
class Saliency:
    """What retrieval rests on; the last column of the tables hides all electrodes at once.

    Attributes:
        importance: (electrodes,), each hidden whole.
        windows: (windows, 2) beginning and end of each stretch of time, in seconds from the onset.
        by_window: (windows, electrodes + 1).
        bands: (bands, 2) edges of each band in Hz.
        by_band: (bands, electrodes + 1).
    """

    importance: np.ndarray
    windows: np.ndarray
    by_window: np.ndarray
    bands: np.ndarray
    by_band: np.ndarray


def compute_saliency(encoder: EEGEncoder, pairs: Pairs, device: torch.device) -> Saliency:
    """Hide each electrode, whole, in each stretch of time and in each band; see :func:`importance_by_occlusion`."""
    (channels, samples), description = pairs.store.shape, pairs.store.description
    times, sfreq = np.array(description.times), description.sfreq
    length = max(1, round(WINDOW_S * sfreq))
    stretches = [slice(k, min(k + length, samples)) for k in range(0, samples, length)]
    bands = [band for band in BANDS if band[1] < sfreq / 2]
    operators = [band_operator(*band, sfreq, samples) for band in bands]
    electrodes = [*range(channels), None]
    occlusions = [Occlusion(k) for k in range(channels)]
    occlusions += [Occlusion(k, samples=stretch) for stretch in stretches for k in electrodes]
    occlusions += [Occlusion(k, operator=operator) for operator in operators for k in electrodes]
    importance = importance_by_occlusion(encoder, pairs, occlusions, device)
    whole, by_window, by_band = np.split(importance, [channels, channels + len(stretches) * (channels + 1)])
    return Saliency(
        importance=whole,
        windows=np.array([[times[part.start], times[part.stop - 1] + 1 / sfreq] for part in stretches]),
        by_window=by_window.reshape(len(stretches), channels + 1),
        bands=np.array(bands).reshape(-1, 2),
        by_band=by_band.reshape(len(bands), channels + 1),
    )
