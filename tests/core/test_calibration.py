"""Temperatures and calibration errors, against probabilities that are known to come true and against torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.calibration import (
    HIGHEST,
    apply_temperature,
    calibration_error,
    calibration_interval,
    fit_temperature,
    reliability,
)
from eegdiffusion.core.training.classification_head import class_probabilities
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.training.calibration import calibrate

WINDOWS = 20_000


@pytest.fixture(scope="module")
def honest() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of four classes, and labels that are drawn from them."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.4] * 4, WINDOWS)
    labels = (rng.random(WINDOWS)[:, None] > probabilities.cumsum(1)[:, :-1]).sum(1)
    return labels, probabilities


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_was_done_to_honest_probabilities(honest, temperature):
    labels, probabilities = honest
    offered = apply_temperature(probabilities, 1 / temperature)
    fitted = fit_temperature(labels, offered)
    assert fitted == pytest.approx(temperature, rel=0.05)
    np.testing.assert_allclose(apply_temperature(offered, temperature), probabilities, atol=1e-9)
    assert calibration_error(labels, apply_temperature(offered, fitted)) < 0.01
    assert (calibration_error(labels, offered) > 0.05) == (temperature != 1)


def test_probabilities_of_zero_and_labels_that_contradict_stay_finite():
    labels, sure = np.array([0, 1, 1]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
    assert np.isfinite(apply_temperature(sure, 0.05)).all()
    assert fit_temperature(1 - labels, np.eye(2)[labels]) == pytest.approx(HIGHEST, rel=1e-3)


def test_windows_that_are_all_right_leave_probabilities_as_they_are():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    right = probabilities.argmax(1)
    assert fit_temperature(right, probabilities) == 1
    assert fit_temperature(right[:1], probabilities[:1]) == 1
    assert fit_temperature(np.array([0, 1]), np.full((2, 2), 0.5)) == 1, "nothing says which"
    right[0] = probabilities[0].argmin()
    assert 0.05 < fit_temperature(right, probabilities) < 1, "one that is wrong bounds it"
    for labels, broken in ((right[:0], probabilities[:0]), (right, probabilities * np.nan)):
        with pytest.raises(InputError, match="probabilities: must be finite, of one window or more"):
            fit_temperature(labels, broken)


@pytest.mark.parametrize("classes", [2, 6])
def test_the_error_is_that_of_torchmetrics(classes):
    rng = np.random.default_rng(classes)
    probabilities, labels = rng.dirichlet([1] * classes, 500), rng.integers(0, classes, 500)
    expected = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(labels), classes, n_bins=15)
    assert calibration_error(labels, probabilities) == pytest.approx(float(expected), abs=1e-6)


def test_the_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [1.0, 0.0]])
    bins = reliability(np.array([0, 1, 1, 0]), probabilities)
    assert bins.count.nonzero()[0].tolist() == [10, 13, 14]
    assert bins.accuracy[[10, 13, 14]].tolist() == [1, 0.5, 1]
    assert np.isnan(bins.accuracy[0])
    assert calibration_error(np.array([0, 1, 1, 0]), probabilities) == pytest.approx((0.8 + 0.3 + 0) / 4)


def test_the_interval_is_wider_where_subjects_differ(honest):
    labels, probabilities = honest
    subjects = np.arange(WINDOWS) % 10
    interval = calibration_interval(labels, probabilities[None], subjects, replicates=500)
    assert interval.contains(calibration_error(labels, probabilities)) or interval.low < 0.01
    assert interval == calibration_interval(labels, probabilities[None], subjects, replicates=500)
    wrong = np.where(subjects < 3, (labels + 1) % 4, labels)  # three subjects whose labels are all wrong
    wide = calibration_interval(wrong, probabilities[None], subjects, replicates=500)
    assert wide.high - wide.low > 5 * (interval.high - interval.low)
    with pytest.raises(InputError, match="two or more"):
        calibration_interval(labels, probabilities[None], np.zeros(WINDOWS))


class _Tokens(torch.utils.data.Dataset):
    """Tokens with labels that the LFT cannot know, so that it is far too sure of itself."""

    def __init__(self, lft: LFT, windows: int = 64):
        rng = torch.Generator().manual_seed(1)
        shape = (windows, lft.config.n_layer, lft.config.n_pool, lft.config.n_channel, lft.config.d_model)
        self.tokens = torch.randn(shape, generator=rng)
        self.labels = np.arange(windows) % 2

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, rows):
        return {"tokens": self.tokens[rows].numpy(), "label": self.labels[rows]}


@pytest.mark.parametrize("logits", [1, 2])
def test_a_calibrated_lft_gives_the_same_classes_with_probabilities_that_come_true(logits):
    torch.manual_seed(0)
    sizes = {"d_model": 8, "n_layer": 2, "n_pool": 1, "n_channel": 3, "n_fusion": 2, "num_heads": 2}
    lft = LFT(**sizes, encoder_blocks=1, n_class=logits).eval()
    with torch.no_grad():
        lft.classifier.linear.weight *= 50
        lft.classifier.linear.bias[:] = 3.0
    tokens = _Tokens(lft)
    with torch.no_grad():
        before = class_probabilities(lft(tokens.tokens)).numpy()
        temperature = calibrate(lft, tokens, 16, torch.device("cpu"), seed=0)
        after = class_probabilities(lft(tokens.tokens)).numpy()
    assert temperature > 2
    np.testing.assert_allclose(after, apply_temperature(before, temperature), atol=1e-5)
    assert (after.argmax(1) == before.argmax(1)).all()
    assert calibration_error(tokens.labels, after) < calibration_error(tokens.labels, before)
