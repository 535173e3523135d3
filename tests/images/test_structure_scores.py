"""Scores of structure maps: known answers, and that a constant guess has none."""

import pytest
import torch

from eegdiffusion.images.structure.structure_kinds import KINDS
from eegdiffusion.images.structure.structure_scores import structure_metrics, structure_table, variance_ratio


@pytest.fixture
def maps():
    torch.manual_seed(0)
    base = torch.rand(1, 1, 8, 8)
    return (0.7 * base + 0.3 * torch.rand(20, 1, 8, 8)).clamp(0.02, 0.98)


def _metrics(logits, maps, mean):
    return structure_metrics(structure_table(KINDS["edges"], logits, maps, mean).assign(image=range(len(maps))), "x")


def test_the_mean_field_scores_well_and_gains_nothing(maps):
    mean = maps.mean(0)
    found = _metrics(mean.logit().expand_as(maps), maps, mean)
    assert found["x_score"] == pytest.approx(found["x_mean_field_score"])
    assert found["x_score"] > 0.95
    assert found["x_gain"] == pytest.approx(0, abs=1e-6)
    assert found["x_two_way"] == pytest.approx(0.5)
    assert abs(found["x_correlation"]) < 1e-3
    assert variance_ratio(mean.expand_as(maps), maps) < 1e-10


def test_the_right_maps_score_best_and_others_at_chance(maps):
    mean = maps.mean(0)
    right, other = (_metrics(found.logit(), maps, mean) for found in (maps, maps.roll(1, 0)))
    assert right["x_score"] == pytest.approx(1)
    assert right["x_correlation"] == pytest.approx(1)
    assert right["x_two_way"] == right["x_two_way_low"] == 1
    assert right["x_gain"] > 0
    assert right["x_gain_low"] > 0
    assert 0.3 < other["x_two_way"] < 0.7
    assert other["x_gain"] < 0
    assert abs(other["x_correlation"]) < 0.2
    assert other["x_two_way_low"] < 0.5 < other["x_two_way_high"]
    assert variance_ratio(maps, maps) == pytest.approx(1)


def test_a_weak_prediction_lies_between(maps):
    mean = maps.mean(0)
    found = _metrics((mean + 0.3 * (maps - mean)).logit(), maps, mean)
    assert found["x_two_way"] == 1
    assert found["x_correlation"] == pytest.approx(1, abs=1e-4)
    assert 0 < found["x_gain"] < _metrics(maps.logit(), maps, mean)["x_gain"]
