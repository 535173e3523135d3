"""Scores of arms, on pictures of the surrogate corpus: known answers, files, refusals."""

import json

import numpy as np
import pandas
import pytest
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.figures.reconstruction_figures import Reconstructed, draw_reconstructions, drawn_items
from eegdiffusion.images.figures.structure_figures import draw_maps
from eegdiffusion.images.metrics.concept_judge import train_judge
from eegdiffusion.images.metrics.metric_networks import load_networks
from eegdiffusion.images.metrics.metric_settings import ReconstructionMetrics, Weights
from eegdiffusion.images.metrics.picture_gain import picture_gain
from eegdiffusion.images.metrics.reconstruction_scores import Context, read_scores
from eegdiffusion.images.metrics.score_reconstructions import score_reconstructions
from tests.scenes import scenes
from tests.surrogate_source import CACHE

IMAGES, SUBJECTS = 8, ["sub-01", "sub-02"]
CONTEXT = Context(
    corpus="surrogate images", layout="things_eeg2_raw", warnings=[], repetitions=80, seeds=[0, 1], training_seeds=[0],
    aligned_with="efficientnet_lite0", selection="validation",
)  # fmt: skip


def _blurred(pictures: np.ndarray, factor: int) -> np.ndarray:
    count, side = len(pictures), pictures.shape[1]
    small = pictures.reshape(count, side // factor, factor, side // factor, factor, 3).mean((2, 4))
    return small.repeat(factor, 1).repeat(factor, 2).astype(np.uint8)


@pytest.fixture(scope="module")
def items():
    return pandas.DataFrame({"subject": np.repeat(SUBJECTS, IMAGES), "image": np.tile(np.arange(IMAGES) + 100, 2)})


@pytest.fixture(scope="module")
def arms():
    seen = np.concatenate([scenes(IMAGES)] * 2)
    one = np.repeat(scenes(IMAGES)[:1], len(seen), axis=0)
    shuffled = np.concatenate([np.roll(part, 1, axis=0) for part in np.split(seen, 2)])
    blurred = np.stack([_blurred(seen, 4), _blurred(seen, 8)], axis=1)
    return seen, {
        "full": seen[:, None],
        "ridge": blurred,
        "zeroed_eeg": one[:, None],
        "shuffled_eeg": shuffled[:, None],
    }


@pytest.fixture(scope="module")
def networks():
    none = Weights(alexnet=None, inception=None, clip=None, effnet_b1=None, swav=None)
    return load_networks(ReconstructionMetrics(weights=none, ways=50, top=1, batch_size=8), torch.device("cpu"), CACHE)


@pytest.fixture(scope="module")
def scores(arms, items, networks):
    return score_reconstructions(*arms, items, networks, CONTEXT, ways=50, top=1)


def test_the_inception_score_of_subjects_is_that_of_their_pictures_alone(arms, items, networks, scores, tmp_path):
    assert scores.subject_sets.empty
    seen, made = arms
    full = {arm: made[arm] for arm in ("full", "ridge")}
    found = score_reconstructions(seen, full, items, networks, CONTEXT, by_subject=True)
    key = "inception_score_lite0"
    assert list(found.subject_sets["subject"].unique()) == SUBJECTS
    for row in found.subject_sets.itertuples():
        rows = (items["subject"] == row.subject).to_numpy()
        own = score_reconstructions(seen[rows], {row.arm: full[row.arm][rows]}, items[rows], networks, CONTEXT)
        assert row.metric == key
        assert row.value == pytest.approx(own.sets.set_index("metric").loc[key, "value"])
        assert row.pictures == IMAGES * full[row.arm].shape[1]
    found.write(tmp_path / "by_subject")
    pandas.testing.assert_frame_equal(read_scores(tmp_path / "by_subject").subject_sets, found.subject_sets)
    scores.write(tmp_path / "together")
    assert not (tmp_path / "together/subject_sets.parquet").exists(), "where subjects are not told apart, as before"
    assert read_scores(tmp_path / "together").subject_sets.empty


def test_pictures_themselves_get_the_best_scores(scores, networks):
    best = {"pixcorr": 1, "ssim": 1, "pixels_two_way": 1, "lite0": 1, "lite0_middle": 1, "n_way_lite0": 1}
    best |= {"pixels_correlation_distance": 0, "lite0_distance": 0}
    for metric, value in best.items():
        found = scores.score("full", metric)
        assert (found.mean, found.low, found.high) == pytest.approx((value,) * 3, abs=1e-5), metric
    sets = scores.sets.set_index(["arm", "metric"])
    assert sets.loc[("full", "frechet_lite0"), "value"] == pytest.approx(
        # The set seen has each picture once, the arm twice: the same mean, and covariances of divisors 7 and 15 / 2.
        (1 - np.sqrt(14 / 15)) ** 2 * _spread(networks[0]), rel=1e-3
    )  # fmt: skip
    assert sets.loc[("full", "frechet_lite0"), "pictures"] == 16
    assert sets.loc[("zeroed_eeg", "inception_score_lite0"), "value"] == pytest.approx(1, abs=1e-3)
    assert sets.loc[("full", "inception_score_lite0"), "value"] > 2


def _spread(network) -> float:
    """Trace of the covariance of the pictures seen, in the features of the packaged network."""
    return network.outputs(scenes(IMAGES))["pooled"].astype(float).var(0, ddof=1).sum()


def test_controls_are_at_chance(scores):
    for metric in ("pixels_two_way", "lite0", "lite0_middle"):
        assert scores.score("zeroed_eeg", metric).mean == pytest.approx(0.5)
        assert scores.score("shuffled_eeg", metric).mean < 0.8
    assert scores.score("shuffled_eeg", "pixcorr").mean < 0.6
    found = scores.difference("full", "zeroed_eeg", "lite0")
    assert found.mean == pytest.approx(0.5)
    assert found.low > 0.2
    assert found.excludes_zero
    assert found.below == 0


def test_samples_are_scored_one_by_one(scores, arms, items, networks):
    rows = scores.values.query("arm == 'ridge' and metric == 'lite0'")
    assert len(rows) == 32
    assert scores.samples("ridge") == 2
    assert scores.samples("full") == 1
    alone = score_reconstructions(arms[0], {"ridge": arms[1]["ridge"][:, 1:]}, items, networks, CONTEXT).items(
        "ridge", "lite0"
    )
    assert rows[rows["sample"] == 1]["value"].to_numpy() == pytest.approx(alone["value"].to_numpy())
    mean = rows.groupby(["subject", "image"])["value"].mean().to_numpy()
    assert scores.items("ridge", "lite0")["value"].to_numpy() == pytest.approx(mean)


def test_subjects_are_compared_within_themselves(scores, arms, items, networks):
    half = items["subject"] == "sub-02"
    alone = score_reconstructions(arms[0][half], {"ridge": arms[1]["ridge"][half]}, items[half], networks, CONTEXT)
    for metric in scores.metrics:
        of_metric = scores.values["metric"] == metric
        rows = scores.values[of_metric & (scores.values["arm"] == "ridge") & (scores.values["subject"] == "sub-02")]
        expected = alone.values[alone.values["metric"] == metric]
        assert rows["value"].to_numpy() == pytest.approx(expected["value"].to_numpy(), abs=1e-6)


def test_every_number_stands_with_what_it_was_measured_with(scores, tmp_path):
    scores.write(tmp_path / "scores")
    found = read_scores(tmp_path / "scores")
    assert found.context == CONTEXT
    assert found.metrics == scores.metrics
    assert found.picture == (64, 64)
    pandas.testing.assert_frame_equal(found.values, scores.values)
    pandas.testing.assert_frame_equal(found.sets, scores.sets)
    assert (found.arms, found.subjects, found.images) == (scores.arms, SUBJECTS, IMAGES)
    facts = json.loads((tmp_path / "scores/scores.json").read_text())
    assert facts["samples"] == {"full": 1, "ridge": 2, "zeroed_eeg": 1, "shuffled_eeg": 1}
    measured = set(scores.values["metric"]) | set(scores.sets["metric"])
    assert measured == set(scores.metrics)
    for metric in scores.metrics.values():
        assert metric.side
        assert (metric.network is None) == (metric.layer is None)
        if metric.kind in ("two_way", "correlation_distance", "n_way") and metric.network:
            assert metric.baseline in measured
    assert scores.metrics["lite0_middle"].layer == "block 5 of 16"
    assert scores.metrics["pixcorr"].side == 425
    (tmp_path / "scores/sets.parquet").unlink()
    with pytest.raises(InputError, match=r"sets\.parquet: no such file"):
        read_scores(tmp_path / "scores")


def test_bad_input_is_refused(arms, items, networks):
    seen, found = arms
    cases = {
        r"items: must be a row for each of 16 pictures seen \(found 15": (seen, found, items[:-1]),
        r"items: each must be there once \(found image 100 of sub-01 twice": (seen, found, items.iloc[[0, *range(15)]]),
        r"items: must be two test images or more of each subject \(found one with 1": (
            seen, found, items.assign(subject=["one", *items["subject"][1:]])),
        r"arms: full: must be uint8 \(16, samples, 64, 64, 3\) \(found uint8 \(8, 1": (
            seen, {"full": found["full"][:8]}, items),
        r"arms: full: must be uint8 .*\(found float64": (seen, {"full": found["full"] / 255}, items),
        r"arms: full: must be uint8 .*\(found uint8 \(16, 64, 64, 3\)": (seen, {"full": seen}, items),
        r"arms: must be one or more": (seen, {}, items),
        r"seen: must be uint8 pictures": (seen / 255, found, items),
    }  # fmt: skip
    for message, (pictures, arm, rows) in cases.items():
        with pytest.raises(InputError, match=message):
            score_reconstructions(pictures, arm, rows, networks, CONTEXT)


def test_items_are_drawn_at_random_and_no_image_twice(items):
    rows = drawn_items(items, 6)
    assert len(rows) == 6
    assert items.iloc[rows]["image"].nunique() == 6
    assert list(rows) == sorted(rows)
    assert not np.array_equal(rows, drawn_items(items, 6, seed=1))
    assert len(drawn_items(items, 100)) == 16


def test_the_grid_shows_the_arrays(arms):
    seen, found = arms
    edges = draw_maps(np.full((1, 1, 4, 4), 0.5))[0]
    rows = [
        Reconstructed(f"gate, {k}", seen[k], {arm: found[arm][k, 0] for arm in found}, {"structure": edges})
        for k in range(3)
    ]
    figure = draw_reconstructions(rows, "Reconstructions (surrogate data)")
    assert len(figure.axes) == 3 * 6
    assert [ax.get_title() for ax in figure.axes[:6]] == ["seen", "structure", *(a.replace("_", "\n") for a in found)]
    assert np.array_equal(figure.axes[2].images[0].get_array(), seen[0])
    assert figure.axes[6].get_ylabel() == "gate, 1"


def test_what_eeg_contributes_is_the_full_arm_less_each_control(scores):
    gain = picture_gain(scores)
    assert gain["two_way"] == scores.score("full", "lite0").mean == 1
    assert not [name for name in gain if name.startswith("concept")], "no judge was there"
    for control, arm in (("shuffled", "shuffled_eeg"), ("zeroed", "zeroed_eeg")):
        difference, name = scores.difference("full", arm, "lite0"), f"two_way_gain_{control}"
        assert gain[f"two_way_{control}"] == scores.score(arm, "lite0").mean < 0.7
        assert gain[name] == pytest.approx(1 - gain[f"two_way_{control}"])
        assert (gain[f"{name}_low"], gain[f"{name}_high"]) == (difference.low, difference.high)
        assert gain[f"{name}_low"] > 0


def test_a_judge_of_true_pictures_names_concepts(arms, items, networks):
    """It learns from the same scenes with noise."""
    seen, reconstructed = arms
    concepts = np.array([f"concept {image}" for image in items["image"]])
    noise = np.random.default_rng(0).integers(-8, 9, (3 * IMAGES, *seen.shape[1:]))
    training = np.clip(np.tile(seen[:IMAGES], (3, 1, 1, 1)) + noise, 0, 255).astype(np.uint8)
    judge = train_judge(networks[0], training, np.tile(concepts[:IMAGES], 3))
    table = items.assign(concept=concepts)
    scored = score_reconstructions(seen, reconstructed, table, networks, CONTEXT, ways=50, top=1, judge=judge)
    metric = scored.metrics["concept"]
    assert (metric.chance, metric.kind, metric.network) == (1 / IMAGES, "concept", "EfficientNet-lite0")
    assert scored.score("full", "concept").mean > 0.8
    assert scored.score("shuffled_eeg", "concept").mean < 0.2
    assert scored.score("zeroed_eeg", "concept").mean <= 1 / IMAGES, "the same picture for all"
    assert set(scored.values.query("metric == 'concept'")["value"]) == {0.0, 1.0}
    gain = picture_gain(scored)
    assert gain["concept"] == scored.score("full", "concept").mean
    assert gain["concept_gain_shuffled_low"] > 0
