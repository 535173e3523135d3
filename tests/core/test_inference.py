"""Inference a batch at a time gives what all samples at once give, in order, and draws nothing."""

import numpy as np
import pytest
import torch

from eegdiffusion.core.storage.subset import Subset
from eegdiffusion.core.training.inference import ArrayDataset, batched

CPU = torch.device("cpu")


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

    assert batched(square, Numbers(7), 3).tolist() == [0, 1, 4, 9, 16, 25, 36]
    assert sizes == [3, 3, 1]
    assert batched(square, Subset(Numbers(7), [5, 2]), 3, torch.device("cpu"), "squares").tolist() == [25, 4]


def test_several_outputs_are_concatenated_each():
    twice, negative = batched(lambda batch: (2 * batch["number"], -batch["number"]), Numbers(3), 2)
    assert twice.tolist() == [0, 2, 4]
    assert negative.tolist() == [0, -1, -2]


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        batched(lambda batch: batch["number"], Numbers(0), 2)


@pytest.fixture
def dataset():
    draw = np.random.default_rng(0)
    return ArrayDataset(eeg=draw.standard_normal((7, 3, 5)).astype(np.float32), subject=np.arange(7))


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batches_are_joined_in_order(dataset, batch_size):
    sizes = []

    def double(batch):
        sizes.append(len(batch["eeg"]))
        return 2 * batch["eeg"]

    values = batched(double, dataset, batch_size, CPU)
    whole = dataset.__getitems__(list(range(7)))
    assert torch.equal(values, 2 * torch.from_numpy(whole["eeg"]))
    assert sum(sizes) == 7
    assert max(sizes) == min(batch_size, 7)
    outputs = batched(lambda batch: {"subject": batch["subject"], "sum": batch["eeg"].sum(2)}, dataset, batch_size, CPU)
    assert outputs["subject"].tolist() == list(range(7))
    assert outputs["sum"].shape == (7, 3)


def test_it_neither_takes_gradients_nor_random_numbers(dataset):
    layer = torch.nn.Linear(5, 2)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    values = batched(lambda batch: layer(batch["eeg"]), dataset, 2, CPU, "linear")
    assert not values.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_arrays_that_are_views_are_read():
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    items = ArrayDataset(images=images[:, :, ::-1]).__getitems__([1])
    assert np.array_equal(items["images"], images[1:, :, ::-1])
    assert torch.from_numpy(items["images"]).shape == (1, 3, 4)
