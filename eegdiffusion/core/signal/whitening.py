"""Multivariate noise normalisation (MVNN; Guggenmos et al. 2018) of epochs, as THINGS-EEG2 applies it.

The noise covariance is Ledoit and Wolf's (2004), of samples scaled to unit variance and scaled back, estimated for each
image and averaged. Estimates of thousands of epochs come from few matrix products: shrinkage is a number, so that the
sum of shrunk covariances is a weighted sum of outer products.
"""

import numpy as np

BATCH_BYTES = 64 << 20
"""Memory that a batch of estimates may take."""


def shrunk_covariance_sum(samples: np.ndarray) -> np.ndarray:
    """Sum the shrunk covariances of a batch.

    Args:
        samples: (batch, samples, channels) float64; what varies over the second axis is noise.

    Returns:
        (channels, channels)
    """
    centred = samples - samples.mean(1, keepdims=True)
    n, p = centred.shape[1:]
    scale = centred.std(1, keepdims=True)
    scale[scale == 0] = 1.0
    standard = centred / scale
    power = (standard**2).sum(2)  # (batch, n)
    # The squared norm of X'X is that of XX', which is smaller where there are fewer samples than channels.
    gram = standard @ standard.transpose(0, 2, 1) if n < p else standard.transpose(0, 2, 1) @ standard
    squared = (gram**2).sum((1, 2)) / n**2
    trace = power.sum(1) / n
    mean = trace / p
    beta = ((power**2).sum(1) / n - squared) / (p * n)
    delta = (squared - 2 * mean * trace + p * mean**2) / p
    beta = np.minimum(beta, delta)
    shrinkage = np.divide(beta, delta, out=np.zeros_like(beta), where=beta != 0)
    weighted = (centred * np.sqrt((1 - shrinkage) / n)[:, None, None]).reshape(-1, p)
    return weighted.T @ weighted + np.diag((shrinkage * mean) @ scale[:, 0] ** 2)


def noise_covariance(epochs: np.ndarray, rows: np.ndarray, image: np.ndarray, over: str) -> np.ndarray:
    """Estimate the noise covariance for each image and average over images.

    Args:
        epochs: (epochs, channels, samples), an array or a map of one; it is read in parts.
        rows: (n,) the epochs that count.
        image: (n,) the image of each of them.
        over: ``epochs`` (the samples of an epoch vary, averaged over the repetitions of an image) or ``time`` (the
            repetitions of an image vary, averaged over time; images with one repetition are left out).

    Returns:
        (channels, channels)

    Raises:
        ValueError: no image has two repetitions where those are to vary.
    """
    channels, samples = epochs.shape[1:]
    order = np.argsort(image, kind="stable")
    counts = np.unique(image, return_counts=True)[1]
    starts = np.cumsum(counts) - counts
    total, images = np.zeros((channels, channels)), 0
    for count in np.unique(counts):
        if over == "time" and count < 2:
            continue
        groups = starts[counts == count]
        estimates = samples if over == "time" else count
        size = 8 * channels * (4 * count * samples + estimates * min(channels, count if over == "time" else samples))
        step = max(1, BATCH_BYTES // size)
        for k in range(0, len(groups), step):
            chosen = rows[order[groups[k : k + step, None] + np.arange(count)]]
            part = np.asarray(epochs[chosen.ravel()], np.float64).reshape(*chosen.shape, channels, samples)
            part = part.transpose(0, 3, 1, 2) if over == "time" else part.swapaxes(2, 3)
            total += shrunk_covariance_sum(part.reshape(-1, *part.shape[2:])) / estimates
        images += len(groups)
    if not images:
        raise ValueError("covariance: time needs images with two or more repetitions in a session; use epochs")
    return total / images


def inverse_root(covariance: np.ndarray) -> np.ndarray:
    """Return the symmetric inverse square root of a positive definite matrix.

    Raises:
        ValueError: a direction has no variance, as with a channel that is flat or the sum of others.
    """
    values, vectors = np.linalg.eigh(covariance)
    if values[0] <= 1e-12 * values[-1]:
        raise ValueError("the channels must be independent of each other, each with noise of its own")
    return (vectors / np.sqrt(values)) @ vectors.T
