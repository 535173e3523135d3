"""Ridge regressions read epochs a few at a time: their memory does not grow with the number of epochs."""

from operator import itemgetter
from pathlib import Path

import numpy as np

from eegdiffusion.images.encoders.ridge import READ, select_ridge
from tests.memory_growth import peaks

WIDTH = 8


class Drawn:
    """Epochs of one electrode that are drawn when they are asked for, and targets that they tell of."""

    def __init__(self, count: int, samples: int):
        self._count, self._samples = count, samples

    def __len__(self) -> int:
        return self._count

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        eeg = np.random.default_rng(indices[0]).standard_normal((len(indices), 1, self._samples), np.float32)
        return {"eeg": eeg, "target": eeg[:, 0, :WIDTH] + 1}


def fit(epochs: int, samples: int) -> None:
    """Choose the penalty of a map that the epochs determine."""
    validation = Drawn(100, samples)
    wanted = validation.__getitems__(list(range(100)))["target"]
    train, alphas = Drawn(epochs, samples), [1e-6, 1.0]
    selected = select_ridge(train, itemgetter("target"), validation, alphas, lambda p: np.square(p - wanted).mean())
    assert selected.alpha == 1e-6
    assert selected.loss < 1e-3


def fit_many(epochs: int, folder: Path) -> None:
    """Fit many epochs of few samples."""
    fit(epochs, 200)


def fit_long(samples: int, folder: Path) -> None:
    """Fit barely more epochs than samples, so that the matrix of the samples' products is what counts."""
    fit(samples + 1, samples)


def test_epochs_are_not_held():
    small, large = peaks(fit_many, [2 * READ, 80 * READ])
    held = 78 * READ * 200 * 4
    assert large - small < 0.1 * held


def test_one_matrix_of_the_samples_is_held():
    small, large = peaks(fit_long, [500, 2500])
    matrix, batch = (2500**2 - 500**2) * 8, READ * 2000 * 8
    assert large - small < 1.2 * matrix + 3 * batch
