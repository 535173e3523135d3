"""Protocols, classes, pairing and its control, the input of encoders."""

import numpy as np
import pandas
import pytest
from scipy.signal import butter, sosfiltfilt

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import EpochInput, band_operator, fit_input
from eegdiffusion.images.epochs.classes import classes_of
from eegdiffusion.images.epochs.paired_epochs import identities, permuted
from eegdiffusion.images.epochs.protocols import Fold, folds

SUBJECTS = ["sub-01", "sub-02", "sub-03"]


def test_protocols():
    assert folds("joint", SUBJECTS) == [Fold("all", SUBJECTS, SUBJECTS)]
    assert folds("within", SUBJECTS, ["sub-02"]) == [Fold("sub-02", ["sub-02"], ["sub-02"])]
    assert folds("leave_one_out", SUBJECTS)[1] == Fold("sub-02", ["sub-01", "sub-03"], ["sub-02"])
    assert folds("anchor", SUBJECTS) == [Fold("sub-01", ["sub-01"], ["sub-02", "sub-03"])]
    assert [fold.name for fold in folds("anchor", SUBJECTS, ["sub-03"])] == ["sub-03"]
    for protocol in ("leave_one_out", "anchor"):
        assert all(not set(fold.train) & set(fold.test) for fold in folds(protocol, SUBJECTS))
        with pytest.raises(InputError, match="needs two or more subjects"):
            folds(protocol, ["sub-01"])
    with pytest.raises(InputError, match=r"subjects: must be among .* sub-09"):
        folds("within", SUBJECTS, ["sub-09"])


def images(shared: bool) -> pandas.DataFrame:
    rows = [(f"c{k}", "train" if k or shared else "validation") for k in range(4) for _ in range(5)]
    rows += [(f"c{k}" if shared else f"t{k}", "test") for k in range(4)]
    rows += [(f"c{k}", "validation") for k in range(1, 4)] if shared else []
    return pandas.DataFrame(rows, columns=["concept", "split"])


def test_classes_take_the_corpuss_split_where_concepts_are_shared():
    table = images(shared=True)
    found = classes_of(table, None, 0)
    assert found.names == ["c0", "c1", "c2", "c3"]
    assert "corpus's own" in found.rule
    assert (found.split == table["split"]).all()
    assert (found.label >= 0).all()
    fewer = classes_of(table, 2, 0)
    used = fewer.label >= 0
    assert len(fewer.names) == 2
    assert set(table["concept"][used]) == set(fewer.names)
    assert (fewer.split[used] == table["split"][used]).all()
    assert (fewer.split[~used] == "").all()


def test_classes_hold_out_exemplars_where_test_concepts_are_others():
    table = images(shared=False)
    found = classes_of(table, 3, 1)
    assert len(found.names) == 3
    assert (found.label[-4:] == -1).all()
    counts = pandas.crosstab(found.label[found.label >= 0], found.split[found.label >= 0])
    assert (counts["test"] == 1).all()
    assert (counts["validation"] == 1).all()
    assert (counts["train"] == 3).all()
    assert (classes_of(table, 3, 1).split == found.split).all()
    assert found.names == sorted(found.names)
    with pytest.raises(InputError, match=r"train_eeg_encoder\.classify\.classes: must be at most the 4 .*found 5"):
        classes_of(table, 5, 0)
    with pytest.raises(InputError, match="needs three images"):
        classes_of(table.iloc[::5], None, 0)


def test_identity_is_of_the_content():
    table = pandas.DataFrame({"sha256": ["a", "b", None, "a", None]})
    found = identities(table)
    assert found[0] == found[3]
    assert len(set(found.tolist())) == 4


def test_the_control_draws_any_pairing_alike_and_stays_within_splits():
    groups = np.array(["train"] * 50 + ["validation"] * 7 + ["test"])
    values = np.arange(58)
    found = permuted(values, groups, 3)
    assert sorted(found) == sorted(values)
    assert found[57] == 57
    assert (groups[found] == groups).all()
    assert (permuted(values, groups, 4) != found).any()
    assert (permuted(values, groups, 3) == found).all()
    kept = [(permuted(values, groups, seed)[:50] == values[:50]).sum() for seed in range(400)]
    assert abs(np.mean(kept) - 1) < 4 / 20, "a uniform permutation keeps one place on average, sd 1"


def test_the_filter_is_scipys_and_keeps_its_band():
    sfreq, samples = 250.0, 250
    times = np.arange(samples) / sfreq
    eeg = np.stack([np.sin(2 * np.pi * f * times) for f in (3, 30, 80)])[None].astype(np.float32)
    operator = band_operator(14, 70, sfreq, samples)
    expected = sosfiltfilt(butter(4, (14, 70), "bandpass", fs=sfreq, output="sos"), eeg, padlen=18)
    assert np.allclose(eeg @ operator, expected, atol=1e-4)
    power = (eeg @ operator)[0].std(1) / eeg[0].std(1)
    assert power[1] > 0.95
    assert power[0] < 0.1
    assert power[2] < 0.4
    with pytest.raises(InputError, match="half the sampling rate, 50 Hz"):
        band_operator(5, 95, 100.0, 100)


def test_the_scale_is_that_of_the_training_epochs(tmp_path):
    rng = np.random.default_rng(0)
    eeg = (rng.standard_normal((30, 4, 200)) * [[1], [5], [0.1], [0]] + 3).astype(np.float32)
    for band in (None, (5.0, 40.0)):
        found = fit_input(eeg, 200.0, band)
        scaled = found(eeg)
        assert np.allclose(scaled.mean((0, 2)), 0, atol=1e-3)
        assert np.allclose(scaled.std((0, 2))[:3], 1, atol=1e-3)
        found.save(tmp_path)
        assert EpochInput.load(tmp_path) == found
        assert np.array_equal(EpochInput.load(tmp_path)(eeg), scaled)
