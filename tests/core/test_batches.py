import numpy as np
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.batches import BatchesInOrder, ShuffledBatches


def _epoch(order, epoch, rounds):
    batches = []
    for part in range(rounds):
        order.set_epoch(epoch * rounds + part)
        batches += list(order)
    return batches


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_an_epoch_sees_each_sample_at_most_once_in_a_new_order(rounds):
    order = ShuffledBatches(100, 8, seed=1, validations_per_epoch=rounds)
    first, second = _epoch(order, 0, rounds), _epoch(order, 1, rounds)
    assert len(first) == 12 // rounds * rounds == len(order) * rounds
    seen = np.concatenate(first)
    assert len(set(seen)) == len(seen)
    assert first != second


def test_the_order_depends_on_seed_and_round_alone():
    a, b, c = (ShuffledBatches(100, 8, seed=seed) for seed in (1, 1, 2))
    for order in (a, b, c):
        order.set_epoch(5)
    next(iter(a))  # what was read before does not matter
    assert list(a) == list(b) != list(c)


def test_devices_share_the_global_batch():
    whole = list(ShuffledBatches(64, 8, seed=0))
    parts = [list(ShuffledBatches(64, 8, seed=0, rank=rank, world=2)) for rank in (0, 1)]
    for batch, first, second in zip(whole, *parts, strict=True):
        assert batch[0::2] == first
        assert batch[1::2] == second


@pytest.mark.parametrize(("batch_size", "world"), [(108, 8), (108, 7), (8, 8), (10, 3)])
def test_a_global_batch_is_the_same_however_many_devices_share_it(batch_size, world):
    whole = list(ShuffledBatches(500, batch_size, seed=0))
    parts = [list(ShuffledBatches(500, batch_size, seed=0, rank=rank, world=world)) for rank in range(world)]
    for batch, *shares in zip(whole, *parts, strict=True):
        assert sorted(batch) == sorted(sample for share in shares for sample in share)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_impossible_batches_are_refused():
    with pytest.raises(InputError, match=r"batch_size: must be at least the number of devices, 16 \(found 8\)"):
        ShuffledBatches(64, 8, seed=0, world=16)
    with pytest.raises(InputError, match=r"batch_size.*exceed the 7 training samples"):
        ShuffledBatches(7, 8, seed=0)


def test_in_order_covers_all():
    assert [i for batch in BatchesInOrder(10, 4) for i in batch] == list(range(10))
    assert len(BatchesInOrder(10, 4)) == 3
