"""Retrieval of the image seen among others: ranks, and what follows from them for any number of candidates.

A query's rank is the number of other pictures that are at least as similar to it as the right one. Among n candidates,
the right one and n - 1 others drawn at random, it is within the first k when fewer than k of the better ones are drawn:
a hypergeometric probability. So no candidates need to be drawn.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom


def similarities(found: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Cosine similarity of embeddings (queries, width) and features (images, width): (queries, images)."""

    def unit(rows: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(norm == 0, 1, norm)

    return unit(found) @ unit(features).T


def ranks(found: np.ndarray, features: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """Rank of the right picture for queries whose features are given row by row, each picture counted once.

    Args:
        found: (queries, width) embeddings.
        features: (queries, width) of the picture that each query shows.
        identity: (queries,) which picture that is.

    Returns:
        (queries,) int, 0 for the best.
    """
    _, first, which = np.unique(identity, return_index=True, return_inverse=True)
    return ranks_among(similarities(found, features[first]), which)


def ranks_among(similarity: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Rank of the right column; what is as similar counts as better, so that an encoder that is constant is last.

    Args:
        similarity: (queries, images).
        right: (queries,) column of the image seen.
    """
    rows = np.arange(len(right))
    return (similarity >= similarity[rows, right][:, None]).sum(1) - 1


def top_k(rank: np.ndarray, images: int, ways: int, k: int) -> np.ndarray:
    """Probability that the right image is among the first k of ``ways`` candidates.

    Args:
        rank: of the right one among all images.
        images: how many those are.
        ways: candidates, the right one included.
        k: places that count.
    """
    return hypergeom.cdf(k - 1, images - 1, rank, ways - 1)


@dataclass(frozen=True)
class Score:
    """A score and its bootstrap interval."""

    mean: float
    low: float
    high: float


def bootstrap(values: np.ndarray, images: np.ndarray, level: float = 0.95, replicates: int = 10_000) -> Score:
    """Mean over queries, and a percentile bootstrap interval that draws images with replacement.

    All queries of an image are drawn together: repetitions, subjects and seeds are no further images.

    Args:
        values: (queries,) scores.
        images: (queries,) image seen.
        level: nominal coverage.
        replicates: number of replicates; the draws are the same at every call.
    """
    _, which = np.unique(images, return_inverse=True)
    count = np.bincount(which)
    total = np.bincount(which, values)
    weights = np.random.default_rng(0).multinomial(len(count), np.full(len(count), 1 / len(count)), replicates)
    found = (weights @ total) / (weights @ count)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Score(float(values.mean()), float(low), float(high))
