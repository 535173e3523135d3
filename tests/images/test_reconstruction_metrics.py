"""Metrics of reconstructions on known answers: the same, shuffled, constant, and analytic cases."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.paired_difference import paired_difference
from eegdiffusion.images.metrics.frechet import frechet_distance
from eegdiffusion.images.metrics.identification import correlation_distance, two_way
from eegdiffusion.images.metrics.inception_score import inception_score
from eegdiffusion.images.metrics.semantic_accuracy import n_way_top_k


def _rows(count: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width))


def test_the_same_features_are_identified_always_and_a_shuffle_by_chance():
    seen = _rows(200, 50).astype(np.float32)
    assert two_way(seen, seen).tolist() == [1.0] * 200
    # ENIGMA takes one more off the count: it would give 198 / 199 = 0.99497 here.
    assert correlation_distance(seen, seen) == pytest.approx(0, abs=1e-6)
    shuffled = two_way(seen, np.random.default_rng(1).permutation(seen))
    assert abs(shuffled.mean() - 0.5) < 4 * shuffled.std() / np.sqrt(200)
    assert two_way(seen, -seen).tolist() == [0.0] * 200
    assert correlation_distance(seen, -seen) == pytest.approx(2)


def test_two_way_is_the_papers_formula():
    seen, found = _rows(20, 30), _rows(20, 30) + _rows(20, 30, 1)
    r = np.corrcoef(seen, found)[:20, 20:]
    expected = [sum(r[j, i] < r[i, i] for j in range(20) if j != i) / 19 for i in range(20)]
    assert two_way(seen, found) == pytest.approx(expected)
    assert correlation_distance(seen, found) == pytest.approx(1 - np.diagonal(r))


def test_one_reconstruction_for_all_is_at_chance_exactly():
    seen = _rows(31, 40)
    assert two_way(seen, np.tile(_rows(1, 40, 3), (31, 1))).mean() == pytest.approx(0.5)
    assert two_way(seen, np.full_like(seen, 7.0)).tolist() == [0.5] * 31
    assert correlation_distance(seen, np.full_like(seen, 7.0)).tolist() == [1.0] * 31


def test_scale_and_offset_of_a_reconstruction_do_not_matter():
    seen, found = _rows(12, 30), _rows(12, 30) + _rows(12, 30, 1)
    other = found * np.arange(1, 13)[:, None] + 100
    assert np.array_equal(two_way(seen, found), two_way(seen, other))


def test_n_way_accuracy_is_the_share_of_draws():
    seen = np.eye(10)[[3, 3, 3]] * 9
    found = np.zeros((3, 10))
    found[:, 3] = 5
    found[1, :4] = [6, 7, 8, 5]  # three classes are above the right one
    found[2, :] = 5  # all are as high: the right one is last
    # None of the four others of 5-way is among the three above: C(6,4) / C(9,4).
    assert n_way_top_k(seen, found, 5, 1) == pytest.approx([1, 15 / 126, 0])
    assert n_way_top_k(seen, found, 5, 4) == pytest.approx([1, 1, 0])
    rng = np.random.default_rng(0)
    draws = [(found[1, rng.choice(np.delete(np.arange(10), 3), 4, replace=False)] < 5).all() for _ in range(4000)]
    assert np.mean(draws) == pytest.approx(15 / 126, abs=0.02)


def test_n_way_accuracy_of_noise_is_chance():
    seen, found = _rows(3000, 100), _rows(3000, 100, 1)
    assert n_way_top_k(seen, found, 50, 1).mean() == pytest.approx(1 / 50, abs=0.006)
    assert n_way_top_k(seen, found, 50, 5).mean() == pytest.approx(5 / 50, abs=0.01)


def test_inception_score_runs_from_one_to_the_number_of_classes():
    assert inception_score(np.full((30, 8), 1 / 8)) == pytest.approx(1)
    assert inception_score(np.eye(8)[[2] * 30]) == pytest.approx(1)
    assert inception_score(np.eye(8)[np.arange(32) % 8]) == pytest.approx(8)
    # Two kinds of pictures, each torn between two classes of its own.
    assert inception_score(np.repeat([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]], 5, axis=0)) == pytest.approx(2)


def _sample(rng, count: int, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Rows whose mean and covariance are exactly ``mean`` and ``root @ root.T``."""
    rows = rng.standard_normal((count, len(mean)))
    rows -= rows.mean(0)
    rows @= np.linalg.inv(np.linalg.cholesky(np.cov(rows.T))).T
    return rows @ root.T + mean


def test_frechet_distance_is_that_of_two_gaussians():
    rng = np.random.default_rng(0)
    means, roots = rng.standard_normal((2, 6)), rng.standard_normal((2, 6, 6))
    one, two = (
        _sample(rng, count, *pair) for count, pair in zip((50, 80), zip(means, roots, strict=True), strict=True)
    )
    first, second = (root @ root.T for root in roots)
    middle = scipy.linalg.sqrtm(first @ second).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(first + second - 2 * middle)
    assert frechet_distance(one, two) == pytest.approx(expected)
    assert frechet_distance(two, one) == pytest.approx(expected)
    # Diagonal covariances: sum of (s1 - s2)^2.
    scales = np.array([1.0, 2, 3, 4, 5, 6])
    other = _sample(rng, 40, means[0], np.diag(2 * scales))
    assert frechet_distance(_sample(rng, 30, means[0], np.diag(scales)), other) == pytest.approx((scales**2).sum())


class Rows(torch.nn.Module):
    """Stands for a network: the features of an image are the row itself."""

    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows


@pytest.mark.parametrize(("first", "second"), [(60, 90), (40, 40)])
def test_frechet_distance_is_torchmetrics(first, second):
    one, two = _rows(first, 12), 1.5 * _rows(second, 12, 1) + 0.3
    metric = FrechetInceptionDistance(feature=Rows(12))
    metric.update(torch.from_numpy(one), real=True)
    metric.update(torch.from_numpy(two), real=False)
    assert frechet_distance(one, two) == pytest.approx(float(metric.compute()), rel=1e-6)


def test_inception_score_is_torchmetrics():
    logits = torch.from_numpy(3 * _rows(80, 9))
    metric = InceptionScore(feature=Rows(9), splits=1)
    metric.update(logits)
    mean, _ = metric.compute()
    assert inception_score(logits.softmax(1).numpy()) == pytest.approx(float(mean), rel=1e-6)


def test_frechet_distance_of_fewer_pictures_than_features_is_sound():
    rows = 1e3 * _rows(20, 500)
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-4)
    assert frechet_distance(rows, rows + 1) == pytest.approx(500, rel=1e-6)
    other = _rows(15, 500, 1)
    covariances = [np.cov(array.T) for array in (_rows(20, 500), other)]
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)
    expected = ((_rows(20, 500).mean(0) - other.mean(0)) ** 2).sum() + sum(np.trace(c) for c in covariances)
    assert frechet_distance(_rows(20, 500), other) == pytest.approx(expected - 2 * np.sqrt(eigenvalues).sum(), rel=1e-6)


def test_a_paired_interval_covers_the_truth_about_as_often_as_it_says():
    """Two arms share what makes an image hard, and subjects of an image are alike: images are drawn, not items."""
    rng, images, inside, at_zero = np.random.default_rng(0), np.repeat(np.arange(40), 3), 0, 0
    for _ in range(300):
        hard = 3 * rng.standard_normal(40)
        effect = 0.3 + rng.standard_normal(40)  # of each image, the same for its subjects
        second = hard[images] + 0.3 * rng.standard_normal(120)
        found = paired_difference(
            second + effect[images] + 0.3 * rng.standard_normal(120), second, images, replicates=400
        )
        inside += found.low <= 0.3 <= found.high
        at_zero += not found.excludes_zero
    assert 0.89 <= inside / 300 <= 0.98
    assert 0.3 < at_zero / 300 < 0.8


def test_a_paired_difference_knows_its_sign():
    images = np.repeat(np.arange(12), 2)
    first = np.where(images < 9, 1.0, 0.0)
    first[images == 11] = 0.5
    found = paired_difference(first, np.full(24, 0.5), images)
    # 9 images above, 2 below, one the same: p = 2 (1 + 11 + 55) / 2^11.
    assert (found.above, found.below) == (9, 2)
    assert found.p_sign == pytest.approx(2 * 67 / 2048)
    assert found.mean == pytest.approx((9 - 2) / 24)
    assert found.low < found.mean < found.high
    assert found == paired_difference(first, np.full(24, 0.5), images)
    same = paired_difference(first, first, images)
    assert (same.mean, same.low, same.high, same.p_sign, same.excludes_zero) == (0, 0, 0, 1, False)


NAN = np.array([[0.0, 1], [np.nan, 1]])
TWO, THREE, ONE = np.eye(2), np.eye(3), np.eye(2)[:1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_way(NAN, TWO), r"seen: must be finite \(found 1 that"),
        (lambda: two_way(TWO, NAN), r"reconstructed: must be finite \(found 1 that"),
        (lambda: two_way(TWO, THREE), r"reconstructed: must have the shape of seen, \(2, 2\) \(found \(3, 3\)"),
        (lambda: two_way(ONE, ONE), r"seen: must be two rows or more \(found 1"),
        (lambda: two_way(np.ones(3), np.ones(3)), r"seen: must be a vector a row"),
        (lambda: correlation_distance(TWO, NAN), "reconstructed: must be finite"),
        (lambda: n_way_top_k(TWO, NAN, 2, 1), "reconstructed: must be finite"),
        (lambda: n_way_top_k(TWO, TWO, 3, 1), r"ways, k: must be 1 <= k < ways <= 2 classes \(found 3, 1"),
        (lambda: n_way_top_k(THREE, THREE, 2, 2), r"ways, k: must be .*\(found 2, 2"),
        (lambda: inception_score(NAN), "probabilities: must be finite"),
        (lambda: inception_score(np.array([[0.7, 0.7], [0.5, 0.5]])), "probabilities: must be 0 or more, and sum to 1"),
        (lambda: inception_score(ONE), "probabilities: must be two rows or more"),
        (lambda: frechet_distance(TWO, NAN), "second: must be finite"),
        (lambda: frechet_distance(ONE, TWO), "first: must be two rows or more"),
        (lambda: frechet_distance(TWO, THREE), r"second: must be 2 wide, as first is \(found 3"),
        (lambda: paired_difference(np.ones(3), np.ones(2), np.arange(3)), r"second: must be one for each of first's"),
        (lambda: paired_difference(np.ones(3), np.ones(3), np.arange(2)), r"images: must be one for each of first's"),
        (lambda: paired_difference(np.array([np.nan, 1]), np.ones(2), np.arange(2)), r"first: must be finite"),
        (lambda: paired_difference(np.ones(3), np.ones(3), np.zeros(3)), "images: a bootstrap .* needs two or more"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
