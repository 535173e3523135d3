"""What a training predicts from EEG beforehand lies on disk, once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.format import open_memmap
from torch.nn import functional

from eegdiffusion.images.condiffusion.condiffusion_training import EEGFeatureDataset
from eegdiffusion.images.sgdm.image_conditions import BATCH, ROWS, keep_predictions, mean_cosine
from tests.memory_growth import peaks

WIDTH = 2000
CPU = torch.device("cpu")


class Numbered:
    """Epochs whose samples are their number."""

    def __init__(self, count: int):
        self._count, self.read = count, 0

    def __len__(self) -> int:
        return self._count

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        self.read += len(indices)
        values = np.asarray(indices, np.float32)[:, None, None]
        return {"eeg": np.broadcast_to(values, (len(indices), 1, WIDTH)).copy(), "subject": np.zeros(len(indices), int)}


def flat(eeg: torch.Tensor, subject: torch.Tensor) -> torch.Tensor:
    return eeg.flatten(1) + 1


def keep(batches: int, folder: Path) -> None:
    """Keep predictions."""
    keep_predictions(flat, Numbered(batches * BATCH), CPU, np.float32, folder / "features.npy")


def compare(rows: int, folder: Path) -> None:
    """Compare predictions that lie on the disk with features."""
    predictions = open_memmap(folder / "features.npy", "w+", np.float32, (rows, WIDTH))
    mean_cosine(predictions, np.ones((10, WIDTH), np.float32), np.arange(rows) % 10, np.zeros(WIDTH, np.float32))


@pytest.mark.parametrize(("function", "rows_each"), [(keep, BATCH), (compare, 1)])
def test_predictions_are_not_held(function, rows_each):
    small, large = peaks(function, [ROWS // rows_each, 4 * ROWS // rows_each])
    assert large - small < 0.1 * 3 * ROWS * WIDTH * 4


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_predictions_are_made_once_and_gone_on_with(tmp_path, dtype):
    data, path = Numbered(2 * BATCH + 5), tmp_path / "features.npy"

    def failing(eeg, subject):
        if eeg[0, 0, 0] == 2 * BATCH:
            raise KeyboardInterrupt
        return flat(eeg, subject)

    with pytest.raises(KeyboardInterrupt):
        keep_predictions(failing, data, CPU, dtype, path)
    data.read = 0
    kept = keep_predictions(flat, data, CPU, dtype, path)
    assert data.read == 1 + 5, "an epoch for the shape, and the last batch"
    assert (kept.dtype, kept.shape) == (dtype, (len(data), WIDTH))
    assert np.array_equal(kept[:, 0], np.arange(len(data), dtype=dtype) + 1)
    data.read = 0
    keep_predictions(flat, data, CPU, dtype, path)
    assert data.read == 0


def test_the_mean_cosine_is_that_of_all_at_once():
    rng = np.random.default_rng(0)
    predicted, table = (rng.standard_normal((n, 6)).astype(np.float32) for n in (ROWS + 7, 5))
    image, mean = rng.integers(0, 5, len(predicted)), rng.standard_normal(6).astype(np.float32)
    pair = (torch.from_numpy(values - mean) for values in (predicted, table[image]))
    expected = functional.cosine_similarity(*pair, dim=1).mean()
    assert mean_cosine(predicted, table, image, mean) == pytest.approx(float(expected), abs=1e-6)


def test_features_of_other_epochs_are_read_where_they_lie():
    features = np.arange(6, dtype=np.float16).reshape(3, 1, 2)
    data = EEGFeatureDataset(features, np.array([2, 0, 1]), np.arange(3, dtype=np.float32)[:, None, None, None])
    other = data.with_features(np.array([1, 2, 0]))
    assert other.features is features
    items = other.__getitems__([0, 2])
    assert np.array_equal(items["features"], features[[1, 0]])
    assert items["latent"].ravel().tolist() == [2, 1]
