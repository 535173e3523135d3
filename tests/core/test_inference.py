import numpy as np
import pytest
import torch

from eegdiffusion.core.storage.subset import Subset
from eegdiffusion.core.training.inference import batched


class Numbers:
    """0, 1, 2, ... as a dataset."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitems__(self, indices):
        return {"number": np.array(indices, np.float32)}


def test_outputs_are_those_of_all_samples_in_order():
    sizes = []

    def square(batch):
        sizes.append(len(batch["number"]))
        assert torch.is_inference_mode_enabled()
        return batch["number"] ** 2

    assert batched(square, Numbers(7), 3).tolist() == [0, 1, 4, 9, 16, 25, 36] and sizes == [3, 3, 1]
    assert batched(square, Subset(Numbers(7), [5, 2]), 3, torch.device("cpu"), "squares").tolist() == [25, 4]


def test_several_outputs_are_concatenated_each():
    twice, negative = batched(lambda batch: (2 * batch["number"], -batch["number"]), Numbers(3), 2)
    assert twice.tolist() == [0, 2, 4] and negative.tolist() == [0, -1, -2]


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        batched(lambda batch: batch["number"], Numbers(0), 2)
