"""Epochs of a fold: whose they are."""

from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import Pairs
from eegdiffusion.images.epochs.protocols import Fold
from tests.aligned_subjects import write_store


def test_test_epochs_are_those_of_the_subjects_that_are_tested(tmp_path):
    write_store(tmp_path, ["sub-01", "sub-02", "sub-03", "sub-04"])
    store = EpochStore(tmp_path / "images")
    split = store.images["split"].to_numpy(str)
    pairs = Pairs(store, split, {}, {}, Fold("sub-01", ["sub-01"], ["sub-03", "sub-04"]), None)
    assert set(pairs.part("test", 1).table["subject"]) == {"sub-03", "sub-04"}
    assert set(pairs.part("test", 1).__getitems__([0, 1])["subject"]) == {-1}
    for part in ("train", "validation"):
        assert set(pairs.part(part, 1).table["subject"]) == {"sub-01"}
