"""Retrieval of the image seen among others: ranks, and what follows from them for any number of candidates.

A query's rank is the number of other images that are at least as similar to it as the correct one. Among n candidates,
the correct one and n - 1 others drawn at random, it is within the first k when fewer than k of the better ones are
drawn: with rank r among N images, P(hypergeometric(N - 1, r, n - 1) < k). So no candidates need to be drawn.
"""

from dataclasses import dataclass

import numpy as np


def similarities(embeddings: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Compute the cosine similarity x y / (|x| |y|) of each embedding to each feature vector; 0 for a vector of zeros.

    Args:
        embeddings: (queries, width).
        features: (images, width).

    Returns:
        (queries, images), from -1 to 1.
    """

    def unit(rows: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(norm == 0, 1, norm)

    return unit(embeddings) @ unit(features).T


def ranks(embeddings: np.ndarray, features: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """Rank the correct image of queries whose features are given row by row, each image counted once.

    Args:
        embeddings: (queries, width).
        features: (queries, width) features of the image that each query shows.
        identity: (queries,) number of that image.

    Returns:
        (queries,) int, 0 for the best.
    """
    _, first, column = np.unique(identity, return_index=True, return_inverse=True)
    return ranks_among(similarities(embeddings, features[first]), column)


def ranks_among(similarity: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Rank the correct column; what is as similar counts as better, so that an encoder that is constant is last.

    Args:
        similarity: (queries, images).
        correct: (queries,) column of the image seen.

    Returns:
        (queries,) int, 0 for the best.
    """
    rows = np.arange(len(correct))
    return (similarity >= similarity[rows, correct][:, None]).sum(1) - 1


def csls(similarity: np.ndarray, neighbours: int = 10) -> np.ndarray:
    """Correct similarities for hubs by cross-domain similarity local scaling (CSLS, Conneau et al., arXiv:1710.04087).

    Twice the similarity, minus the mean of the query's to its nearest images, minus the mean of the image's to its
    nearest queries. The last of them sees all queries of the test at once: a score with it is transductive.

    Args:
        similarity: (queries, images).
        neighbours: number of nearest ones.

    Returns:
        (queries, images).
    """
    queries, images = similarity.shape
    of_query = np.sort(similarity, axis=1)[:, -min(neighbours, images) :].mean(1, keepdims=True)
    of_image = np.sort(similarity, axis=0)[-min(neighbours, queries) :].mean(0, keepdims=True)
    return 2 * similarity - of_query - of_image


def top_k(rank: np.ndarray, images: int, ways: int, k: int) -> np.ndarray:
    """Compute the probability that the correct image is among the first k of ``ways`` candidates.

    Args:
        rank: (queries,) rank of the correct image among all images, 0 for the best.
        images: number of all images.
        ways: number of candidates, the correct one included.
        k: number of first places that count.

    Returns:
        (queries,) from 0 to 1; chance is k / ways.
    """
    from scipy.stats import hypergeom

    return hypergeom.cdf(k - 1, images - 1, rank, ways - 1)


@dataclass(frozen=True)
class Score:
    """A mean score and its confidence interval.

    Attributes:
        mean: over all items.
        low, high: ends of the interval.
    """

    mean: float
    low: float
    high: float


def bootstrap(values: np.ndarray, images: np.ndarray, level: float = 0.95, replicates: int = 10_000) -> Score:
    """Compute the mean over queries, and a percentile bootstrap interval that draws images with replacement.

    All queries of an image are drawn together (a cluster bootstrap; Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapters 8 and 13): repetitions, subjects and seeds are no further images.

    Args:
        values: (queries,) scores.
        images: (queries,) number of the image seen.
        level: nominal coverage.
        replicates: number of replicates; the draws are the same at every call.

    Returns:
        mean and interval.
    """
    _, cluster = np.unique(images, return_inverse=True)
    count = np.bincount(cluster)
    total = np.bincount(cluster, values)
    weights = np.random.default_rng(0).multinomial(len(count), np.full(len(count), 1 / len(count)), replicates)
    means = (weights @ total) / (weights @ count)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Score(float(values.mean()), float(low), float(high))
