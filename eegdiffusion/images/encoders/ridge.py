"""Ridge regression from EEG epochs to image features, the linear baseline of every learned map from EEG.

The solution is B = (X'X + a I)^-1 X'Y with centred X and Y, or by duality X' (XX' + a I)^-1 Y (Saunders et al., ICML
1998), whichever matrix is smaller. Sums are accumulated in double precision over batches of epochs: memory holds one
matrix of the samples of an epoch squared at most, however many epochs there are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import blas, lapack

from eegdiffusion.core.storage.batched_dataset import BatchedDataset
from eegdiffusion.images.encoders.linear_encoder import LinearEncoder

READ = 512
"""Number of epochs that are read at a time."""

Target = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""Takes the fields of some epochs by name; returns what is predicted of them, (epochs, width)."""


def by_image(table: np.ndarray) -> Target:
    """Return the target of epochs that is a row of a table (images, width): that of the ``image`` seen."""
    return lambda items: table[items["image"]]


@dataclass(frozen=True)
class RidgeTargets:
    """Targets as far as the training epochs tell of them: all penalties are fitted from it.

    Attributes:
        right_side: (epochs or samples, width), by what the Gram matrix is over: centred targets, or X'Y.
        centre: (width,) mean of the targets.
    """

    right_side: np.ndarray
    centre: np.ndarray


@dataclass(frozen=True)
class RidgeFit:
    """A fitted ridge regression.

    Attributes:
        weight: (electrodes * samples, width) float32.
        centre: (width,) float32 mean of the targets.
    """

    weight: np.ndarray
    centre: np.ndarray


class _Gram:
    """A positive semidefinite matrix, of which the upper triangle is kept and the lower one takes Cholesky factors.

    Args:
        matrix: square, double precision, in Fortran's order; the upper triangle counts.
    """

    def __init__(self, matrix: np.ndarray):
        self._matrix, self.diagonal = matrix, matrix.diagonal().copy()

    def solve(self, penalty: float, right_side: np.ndarray) -> np.ndarray:
        """Solve for (size, width) with a penalty added to the diagonal.

        Raises:
            LinAlgError: the matrix is not positive definite with it.
        """
        matrix, size = self._matrix, len(self._matrix)
        for k in range(0, size, READ):
            end = min(k + READ, size)
            upper = np.triu(matrix[k:end, k:end])
            matrix[k:end, k:end] = upper + np.triu(upper, 1).T
            matrix[end:, k:end] = matrix[k:end, end:].T
        np.fill_diagonal(matrix, self.diagonal + penalty)
        factor, failed = lapack.dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError(f"ridge regression: the matrix is not positive definite (penalty {penalty:g})")
        return lapack.dpotrs(factor, right_side, lower=1)[0]


class RidgeEpochs:
    """Training epochs, to fit any number of targets and penalties to: their Gram matrix is computed once.

    The Gram matrix is over epochs or over samples, whichever are fewer; the intercept is not penalised.

    Args:
        data: dataset of ``eeg`` (electrodes, samples) and of what targets are made from.
        channels: indices of the electrodes that are used; None: all.
    """

    def __init__(self, data: BatchedDataset, channels: np.ndarray | None = None):
        self._data, self._channels = data, channels
        first = self._eeg(data.__getitems__([0]))
        self._shape, self._size = first.shape[1:], first[0].size
        self._over_epochs = len(data) <= self._size
        if self._over_epochs:
            self._hold()
        else:
            self._accumulate()

    def _eeg(self, items: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return epochs (epochs, electrodes, samples) float32."""
        eeg = items["eeg"] if self._channels is None else items["eeg"][:, self._channels]
        return np.asarray(eeg, np.float32)

    def _batches(self, data: BatchedDataset) -> Iterator[tuple[slice, Mapping[str, np.ndarray], np.ndarray]]:
        """Yield rows, items and flat epochs (epochs, electrodes * samples) of a dataset."""
        for k in range(0, len(data), READ):
            rows = slice(k, min(k + READ, len(data)))
            items = data.__getitems__(list(range(rows.start, rows.stop)))
            yield rows, items, self._eeg(items).reshape(rows.stop - rows.start, -1)

    def _hold(self) -> None:
        """Keep the epochs, which are fewer than samples, and compute their products."""
        count = len(self._data)
        self._flat = np.empty((count, self._size), np.float32)
        for rows, _, flat in self._batches(self._data):
            self._flat[rows] = flat
        self._mean = self._flat.mean(0, dtype=np.float64)
        self._unit = count * float(self._flat.var(dtype=np.float64))
        gram, parts = np.zeros((count, count), order="F"), range(0, count, READ)
        for first in parts:
            centred = self._flat[first : first + READ] - self._mean
            for second in range(first, count, READ):
                other = centred if second == first else self._flat[second : second + READ] - self._mean
                gram[first : first + READ, second : second + READ] = centred @ other.T
        self._gram = _Gram(gram)

    def _accumulate(self) -> None:
        """Sum the products of samples over epochs, about the mean of the first of them, then about their own."""
        count, size = len(self._data), self._size
        gram, total = np.zeros((size, size), order="F"), np.zeros(size)
        about = next(self._batches(self._data))[2].mean(0, dtype=np.float64)
        for _, _, flat in self._batches(self._data):
            moved = flat - about
            total += moved.sum(0)
            gram = blas.dsyrk(1.0, moved.T, beta=1.0, c=gram, overwrite_c=1)
        self._mean = about + total / count
        gram = blas.dsyr(-1.0 / count, total, a=gram, overwrite_a=1)
        variance = gram.trace() / count / size + self._mean.var()
        self._unit = count * float(variance)
        self._gram = _Gram(gram)

    def project(self, target: Target) -> RidgeTargets:
        """Sum the products of epochs and targets; ``target`` makes these from the dataset's items."""
        width = target(self._data.__getitems__([0])).shape[1]
        total, count = np.zeros(width), len(self._data)
        right_side = np.zeros((count if self._over_epochs else self._size, width), order="F")
        for rows, items, flat in self._batches(self._data):
            targets = np.asarray(target(items), np.float64)
            total += targets.sum(0)
            if self._over_epochs:
                right_side[rows] = targets
            else:
                right_side += (flat - self._mean).T @ targets
        centre = total / count
        if self._over_epochs:
            right_side -= centre
        # Centred epochs sum to zero, and so do their products with the targets' mean.
        return RidgeTargets(right_side, centre)

    def fit(self, projection: RidgeTargets, alpha: float) -> RidgeFit:
        """Fit a map to targets; ``alpha`` is in units of epochs times the variance of a sample.

        Raises:
            LinAlgError: the epochs do not determine a map.
        """
        weight = self._gram.solve(alpha * self._unit, projection.right_side)
        if self._over_epochs:
            coefficients, weight = weight, np.zeros((self._size, weight.shape[1]))
            for k in range(0, len(self._flat), READ):
                weight += (self._flat[k : k + READ] - self._mean).T @ coefficients[k : k + READ]
        return RidgeFit(weight.astype(np.float32), projection.centre.astype(np.float32))

    def predict(self, fit: RidgeFit, data: BatchedDataset) -> np.ndarray:
        """Predict the targets (epochs, width) float32 of the epochs of another dataset."""
        predicted = np.empty((len(data), len(fit.centre)), np.float32)
        mean = self._mean.astype(np.float32)
        for rows, _, flat in self._batches(data):
            predicted[rows] = (flat - mean) @ fit.weight + fit.centre
        return predicted

    def encoder(self, fit: RidgeFit) -> LinearEncoder:
        """Return the fitted map as an encoder in evaluation mode."""
        channels, samples = self._shape
        model = LinearEncoder(channels, samples, len(fit.centre))
        with torch.no_grad():
            model.map.weight.copy_(torch.from_numpy(np.ascontiguousarray(fit.weight.T)))
            model.map.bias.copy_(torch.from_numpy(np.asarray(fit.centre - self._mean @ fit.weight, np.float32)))
        return model.eval()


@dataclass(frozen=True)
class SelectedRidge:
    """The ridge regression whose penalty is best on validation epochs.

    Attributes:
        encoder: the map, in evaluation mode.
        alpha: penalty of the regression, see :meth:`RidgeEpochs.fit`.
        loss: loss of its predictions of the validation epochs.
    """

    encoder: LinearEncoder
    alpha: float
    loss: float


def select_ridge(
    train: BatchedDataset,
    target: Target,
    validation: BatchedDataset,
    alphas: list[float],
    loss: Callable[[np.ndarray], float],
) -> SelectedRidge:
    """Fit a ridge regression with each penalty and take the one with the least loss; the first of equal ones.

    Args:
        train: dataset of ``eeg`` (electrodes, samples) of the training, read a few epochs at a time.
        target: makes what is predicted from some of its items.
        validation: dataset of ``eeg`` of the validation.
        alphas: penalties, see :meth:`RidgeEpochs.fit`.
        loss: takes the predictions (epochs, width) of the validation epochs; less is better.

    Returns:
        the map, its penalty and its loss.
    """
    ridge = RidgeEpochs(train)
    projection = ridge.project(target)
    best: tuple[float, float, RidgeFit] | None = None
    for alpha in alphas:
        fit = ridge.fit(projection, alpha)
        reached = float(loss(ridge.predict(fit, validation)))
        if best is None or reached < best[0]:
            best = reached, alpha, fit
    if best is None:
        raise ValueError("alphas: must be one or more")
    least, alpha, fit = best
    return SelectedRidge(ridge.encoder(fit), alpha, least)
