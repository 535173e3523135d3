import numpy as np
import pytest

from eegdiffusion.core.statistics.classification_metrics import classification_metrics
from eegdiffusion.core.statistics.scores import scores


@pytest.mark.parametrize("classes", [[0, 1, 2, 3, 4, 5], [0, 2, 5]])
def test_training_and_report_measure_the_same(classes):
    draw = np.random.default_rng(0)
    labels = draw.choice(classes, 300)
    probabilities = draw.random((300, 6)) + 0.6 * np.eye(6)[labels]
    assert scores(labels, probabilities) == pytest.approx(classification_metrics(labels, probabilities))
