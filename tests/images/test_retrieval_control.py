"""The statistics of the permuted-pairing control, on encoders that are linear maps drawn at random."""

import numpy as np
import pytest

from eegdiffusion.core.statistics.retrieval import bootstrap, ranks_among, similarities, top_k
from eegdiffusion.images.encoders.retrieval_control import over_trainings, permutation_p

IMAGES, WIDTH, TRAININGS = 60, 6, 10


def _scores(rng: np.random.Generator, maps: np.ndarray) -> np.ndarray:
    """Two-way accuracy of each map, for each test image: (maps, images)."""
    features = rng.standard_normal((IMAGES, WIDTH))
    found = [ranks_among(similarities(features @ m, features), np.arange(IMAGES)) for m in maps]
    return np.stack([top_k(rank, IMAGES, 2, 1) for rank in found])


def test_the_interval_over_trainings_covers_chance_and_one_over_images_does_not():
    rng, covered = np.random.default_rng(5), {"trainings": 0, "images": 0}
    for _ in range(200):
        scores = _scores(rng, rng.standard_normal((TRAININGS, WIDTH, WIDTH)))
        over = {
            "trainings": over_trainings(scores.mean(1)),
            "images": bootstrap(scores[:2].ravel(), np.tile(np.arange(IMAGES), 2), replicates=500),
        }
        for name, score in over.items():
            covered[name] += score.low <= 0.5 <= score.high
    assert 0.9 < covered["trainings"] / 200 < 0.99, covered
    assert covered["images"] / 200 < 0.75, covered


def test_the_permutation_test_is_exact_and_finds_what_is_there():
    rng, p = np.random.default_rng(6), []
    for _ in range(200):
        scores = _scores(rng, rng.standard_normal((20, WIDTH, WIDTH))).mean(1)
        p.append(permutation_p(scores[:1], scores[1:]))
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.05)
    assert min(p) >= 1 / 20
    right = _scores(rng, np.eye(WIDTH)[None] + 0.3 * rng.standard_normal((2, WIDTH, WIDTH))).mean(1)
    controls = _scores(rng, rng.standard_normal((19, WIDTH, WIDTH))).mean(1)
    assert permutation_p(right, controls) == pytest.approx(1 / 20)
    assert permutation_p(np.append(right, controls.min()), controls) == 1, "the worst recorded training stands for all"


def test_one_training_has_no_interval():
    assert over_trainings(np.array([0.4])).mean == 0.4
    assert np.isnan(over_trainings(np.array([0.4])).low)
    score = over_trainings(np.array([0.4, 0.5, 0.6]))
    assert score.mean == pytest.approx(0.5)
    assert score.high - score.mean == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)
