"""One logit of two classes, and several of several: probabilities and losses."""

import pytest
import torch
from torch.nn import functional

from eegdiffusion.core.training.classification_head import class_probabilities, classification_loss

LOGITS = torch.tensor([[-3.0], [0.0], [1.5], [40.0]])
LABELS = torch.tensor([0, 1, 1, 0])


def test_one_logit_is_that_of_the_second_class():
    pairs = torch.cat([torch.zeros_like(LOGITS), LOGITS], -1)
    assert torch.allclose(class_probabilities(LOGITS), pairs.softmax(-1))
    assert torch.allclose(class_probabilities(pairs), pairs.softmax(-1))
    assert class_probabilities(LOGITS.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_its_loss_is_that_of_two_logits(smoothing):
    pairs = torch.cat([torch.zeros_like(LOGITS), LOGITS], -1)
    expected = functional.cross_entropy(pairs, LABELS, label_smoothing=smoothing)
    assert classification_loss(LOGITS, LABELS, smoothing) == pytest.approx(float(expected), rel=1e-5)
    assert classification_loss(pairs, LABELS, smoothing) == expected


def test_the_weight_is_on_the_second_class_alone():
    each = [classification_loss(LOGITS[k : k + 1], LABELS[k : k + 1]) for k in range(4)]
    expected = (each[0] + 5 * each[1] + 5 * each[2] + each[3]) / 4
    assert classification_loss(LOGITS, LABELS, positive_weight=5.0) == pytest.approx(float(expected), rel=1e-5)
