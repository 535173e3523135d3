"""Adaptation of an aligned encoder to a new subject, on planted heads."""

import json

import numpy as np
import pandas
import pytest
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.adaptation.adaptation_curve import adapt, points
from eegdiffusion.images.adaptation.adaptation_methods import (
    candidates,
    embed,
    own_input_layer,
)
from eegdiffusion.images.adaptation.adapted_encoder import AdaptedEncoder, load_adapted, read_aligned_model
from eegdiffusion.images.adaptation.adapted_folder import read_curve, write_adapted
from eegdiffusion.images.adaptation.method_names import ALONE, MEANING, RIDGE, SUBJECT_LAYER, UNSEEN
from eegdiffusion.images.adaptation.subject_blocks import SubjectBlocks
from eegdiffusion.images.encoders.atms import ATMS
from eegdiffusion.images.encoders.eegnet import EEGNet
from eegdiffusion.images.encoders.linear_encoder import LinearEncoder
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.figures.adaptation_figures import draw_adaptation
from tests.aligned_subjects import FINGERPRINT, train_model, write_store

SUBJECTS = ["sub-01", "sub-02", "sub-03", "sub-04"]
STEP = 0.5


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Subjects with heads of their own, and a model of the first alone: it knows nobody else's electrodes."""
    root = tmp_path_factory.mktemp("planted")
    write_store(root, SUBJECTS, noise=1.0)
    train_model(root, ["sub-01"], ["sub-01"], root / "model", root / "work")
    return root


def blocks(root, subject="sub-02", block=5.0):
    model = read_aligned_model(root / "model", "model")
    store = EpochStore(root / "images")
    features = model.features_of(ImageFeatures(root / "features", FINGERPRINT))
    return model, SubjectBlocks(store, subject, features, model.input, STEP, block)


@pytest.fixture(scope="module")
def curve(planted):
    model, subject = blocks(planted)
    return adapt(model.encoder, subject, subject.blocks)


def test_an_input_layer_brings_a_new_head_to_the_known_one(curve):
    last = curve.table[curve.table["minutes"] == curve.table["minutes"].max()].set_index("method")
    assert set(last.index) == set(MEANING)
    assert last.loc[SUBJECT_LAYER, "top1_low"] > last.loc[UNSEEN, "top1_high"]
    assert last.loc[SUBJECT_LAYER, "top1"] > 0.7
    assert last.loc[UNSEEN, "top1"] < 0.3
    assert curve.chosen.method != UNSEEN
    assert curve.chance == {"top1": 1 / 20, "top5": 5 / 20}


def test_the_curve_rises_with_minutes_and_says_who_was_chosen(curve):
    table = curve.table
    assert sorted(set(table["minutes"])) == [pytest.approx(count * 5 / 60) for count in (2, 4, 8, 12)]
    assert table.groupby("minutes")["chosen"].sum().eq(1).all()
    for _, rows in table.groupby("minutes"):
        best = rows.loc[rows["validation_rank"].idxmin(), "validation_rank"]
        assert rows.loc[rows["chosen"], "validation_rank"].item() == best
    mapped = table[table["method"] == RIDGE].sort_values("minutes")["top1"].to_numpy()
    assert mapped[-1] > mapped[0]
    unseen = table[table["method"] == UNSEEN]
    assert unseen["top1"].nunique() == 1, "no minutes change the model as it stands"
    assert (table["epochs"] == (table["minutes"] * 60 / STEP).round()).all(), "validation blocks count as minutes"


def test_a_model_that_fits_already_is_kept_and_better_than_none_after_a_few_seconds(tmp_path):
    write_store(tmp_path, SUBJECTS, same_heads=True, noise=1.5)
    train_model(tmp_path, ["sub-01", "sub-02", "sub-03"], ["sub-04"], tmp_path / "model", tmp_path / "work")
    model, subject = blocks(tmp_path, "sub-04", block=10.0)
    table = adapt(model.encoder, subject, 2).table.set_index("method")
    assert table.loc[UNSEEN, "chosen"]
    assert table.loc[UNSEEN, "top1"] > 0.8
    assert table.loc[UNSEEN, "validation_rank"] < table.loc[ALONE, "validation_rank"]
    assert table.loc[UNSEEN, "top1"] >= table.loc[ALONE, "top1"]
    assert table.loc[SUBJECT_LAYER, "setting"].startswith("0 steps"), "no training is better than none"
    assert table.loc[RIDGE, "top1"] > 0.8, "it is shrunk towards the model"


def test_validation_blocks_are_the_last_and_share_no_image_with_training(planted):
    _, subject = blocks(planted)
    assert subject.blocks == 12
    split = subject.first(12)
    assert len(split.all) == 120
    assert len(split.validation) == 20, "two blocks of ten"
    trained, validated = (set(part.values("identity")) for part in (split.train, split.validation))
    assert not trained & validated
    assert len(validated) == 20
    assert len(split.train) == 80, "images of the validation blocks were shown earlier, too, and are left out"
    test = set(subject.test.values("identity"))
    assert not test & (trained | validated)


def test_settings_are_chosen_without_the_test_images(planted):
    model, subject = blocks(planted)
    chosen = [(c.method, c.setting, c.validation_rank) for c in candidates(model.encoder, subject.first(6))]
    features = subject.pairs.truth["features"]
    test = subject.pairs.split == "test"
    kept = features[test].copy()
    features[test] = np.random.default_rng(0).permutation(kept)
    again = [(c.method, c.setting, c.validation_rank) for c in candidates(model.encoder, subject.first(6))]
    features[test] = kept
    assert chosen == again


@pytest.mark.parametrize("sizes", [{"n_subjects": 3}, {"n_subjects": 3, "unseen": "identity"}, {}])
def test_an_own_input_layer_begins_as_that_of_someone_unseen(sizes):
    torch.manual_seed(0)
    encoder = EEGNet(n_chans=4, n_times=64, n_outputs=5, **sizes).eval()
    if sizes:
        torch.nn.init.normal_(encoder.subject_layer.mixing)
    own, parameter = own_input_layer(encoder)
    x = torch.randn(3, 4, 64)
    torch.testing.assert_close(own(x), encoder(x))
    assert [p for p in own.parameters() if p is parameter]
    assert parameter.shape == (1, 4, 4)


def test_an_encoder_with_tokens_of_subjects_gets_one_of_the_subjects_own():
    torch.manual_seed(0)
    encoder = ATMS(n_chans=4, n_times=100, n_outputs=5, n_subjects=2, unseen="shared").eval()
    own, parameter = own_input_layer(encoder)
    x = torch.randn(3, 4, 100)
    torch.testing.assert_close(own(x), encoder(x))
    assert parameter.shape == (1, 100)


def test_an_adapted_model_comes_back_as_it_was_written(planted, curve, tmp_path):
    model, subject = blocks(planted)
    for candidate in candidates(model.encoder, subject.first(6)):
        fitted = candidate.fit(subject.first(6).all)
        folder = tmp_path / candidate.method
        folder.mkdir()
        fitted.save(folder)
        np.testing.assert_allclose(embed(load_adapted(folder), subject.test), embed(fitted, subject.test), atol=1e-5)
    write_adapted(tmp_path / "adapted", model, "models:/eeg-aligned/1", subject, curve, "efficientnet_lite0")
    facts = json.loads((tmp_path / "adapted/metrics.json").read_text())
    assert facts["fold"] == {"name": "sub-02", "train": ["sub-01", "sub-02"], "test": ["sub-02"]}
    assert facts["minutes"] == pytest.approx(1.0)
    assert facts["top1"] == curve.row["top1"]
    assert facts["parameters"] >= 36
    pandas.testing.assert_frame_equal(
        read_curve(tmp_path / "adapted"), curve.table, check_dtype=False, check_exact=False
    )
    assert list(draw_adaptation(tmp_path / "adapted")) == ["curve"]
    (tmp_path / "adapted/head").mkdir(exist_ok=True)
    with pytest.raises(InputError, match=r"x: must be a model of several subjects"):
        read_aligned_model(tmp_path / "adapted", "x")


def test_bad_input_is_refused_by_name(planted, tmp_path):
    model, _ = blocks(planted)
    store = EpochStore(planted / "images")
    with pytest.raises(InputError, match=r"SUBJECT: must be one that the model has not seen; .*sub-01"):
        model.check_store(store, "sub-01", planted)
    with pytest.raises(InputError, match=r"SUBJECT: must be one of sub-01, .*found sub-4.*did you mean 'sub-04'"):
        blocks(planted, "sub-4")
    with pytest.raises(InputError, match=r"--block: sub-02: must have two blocks or more.*60 s"):
        blocks(planted, block=50.0)
    subject = blocks(planted)[1]
    with pytest.raises(InputError, match=r"--minutes: must be two blocks or more, 0.167 min"):
        subject.blocks_within(0.1)
    with pytest.raises(InputError, match=r"--model: here: must be an encoder aligned with images"):
        read_aligned_model(tmp_path, "here")
    other = read_aligned_model(planted / "model", "model")
    object.__setattr__(other, "encoder", LinearEncoder(5, 10, 8))
    with pytest.raises(InputError, match=r"--corpus: epochs: must be of 5 electrodes and 10 samples.*found 6 and 10"):
        other.check_store(store, "sub-02", planted)
    features = ImageFeatures(planted / "features", FINGERPRINT)
    model.facts.more["features"] = "clip"
    with pytest.raises(InputError, match=r"--corpus: features: must be of clip.*found efficientnet_lite0"):
        model.features_of(features)


def test_points_are_doubled_up_to_all_blocks():
    assert points(2) == [2]
    assert points(3) == [2, 3]
    assert points(9) == [2, 4, 8, 9]


def test_a_head_keeps_directions_where_nothing_is_learned(planted):
    model, subject = blocks(planted)
    plain = embed(AdaptedEncoder(model.encoder), subject.test)
    (ridge,) = [c for c in candidates(model.encoder, subject.first(6)) if c.method == RIDGE]
    adapted = embed(ridge.fit(subject.first(6).all), subject.test)
    assert adapted.shape == plain.shape
    assert np.corrcoef(adapted.ravel(), plain.ravel())[0, 1] > 0
