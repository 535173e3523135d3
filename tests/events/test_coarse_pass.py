"""A first pass at coarser steps: what it may skip, what it misses, and that predictions keep to it."""

import json
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
from click.testing import CliRunner

from eegdiffusion.commands.operating_points import command
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.prediction import prediction
from eegdiffusion.events.prediction.coarse_pass import CoarsePass, coarse_rows, fill_between, rows_between, two_passes
from eegdiffusion.events.prediction.operating_classifier import with_points
from eegdiffusion.events.prediction.prediction import Classifier
from eegdiffusion.events.prediction.sensitivity import OperatingPoint, OperatingPoints, read_operating_points
from eegdiffusion.events.scoring.coarse_choice import choose_coarse
from tests.predict.tiny_model import PREPROCESSING
from tests.recording_files import write_stamped
from tests.tuev_fixture import ELECTRODES, signals

CLASSES = ["spsw", "bckg"]


def _seconds(count, events, blur=2, seed=0):
    """Probabilities of which events are seen in so many seconds to both sides, ever fainter."""
    rng = np.random.default_rng(seed)
    spike = 0.05 * rng.random(count)
    for event in events:
        for k in range(-blur, blur + 1):
            if 0 <= event + k < count:
                spike[event + k] = max(spike[event + k], 0.95 / (1 + 1.2 * abs(k)))
    return np.stack([spike, 1 - spike], -1)


def test_the_second_pass_asks_next_to_what_is_not_plainly_background():
    asked = coarse_rows(12, 4)
    assert np.flatnonzero(asked).tolist() == [0, 4, 8, 11]
    background = np.where(asked, [0.99] * 4 + [0.7] + [0.99] * 7, np.nan)
    assert np.flatnonzero(rows_between(background, asked, 0.9)).tolist() == [1, 2, 3, 5, 6, 7]
    assert not rows_between(background, asked, 0.6).any()
    background[11] = np.nan
    assert np.flatnonzero(rows_between(background, asked, 0.6)).tolist() == [9, 10], "no prediction is no background"
    filled = fill_between(np.where(asked, [0.0, 9, 9, 9, 0.4, 9, 9, 9, 0.4, 9, 9, 0.1], np.nan)[:, None], asked)
    assert filled[:, 0] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.3, 0.2, 0.1])


def test_pieces_stand_for_themselves_and_unusable_seconds_have_no_prediction():
    exact = _seconds(60, [10, 31])
    usable = np.ones(60, bool)
    usable[40:45] = False
    asked = np.zeros(60, int)

    def ask(rows):
        assert usable[rows].all()
        asked[rows] += 1
        return np.where(rows[:, None], exact, np.nan)

    coarse = two_passes([30, 0, 30], 1, 3, 0.9, usable, ask)
    assert asked.max() == 1, "no second is asked about twice"
    assert asked[[0, 29, 30, 59]].all(), "each piece begins and ends with a second that was asked about"
    assert np.array_equal(coarse[asked == 1], exact[asked == 1])
    assert np.isnan(coarse[~usable]).all()
    assert np.isfinite(coarse[usable]).all()
    assert (coarse.argmax(1) == exact.argmax(1))[usable].all()
    assert asked.sum() < 40


def test_what_is_chosen_misses_no_more_than_is_allowed_and_asks_about_little():
    events = list(range(30, 3600, 60))
    recordings = [_seconds(3600, events, seed=k) for k in range(2)]
    for step in (2, 3, 5):
        chosen = choose_coarse(recordings, CLASSES, "bckg", step)
        assert chosen.same >= 0.995
        assert chosen.detected >= 0.98
        assert 1 / step < chosen.asked < 1 / step + 0.25
        # On other recordings, by the same threshold.
        exact = _seconds(3600, [event + 7 for event in events], seed=9)
        asked = 0

        def ask(rows, exact=exact):
            nonlocal asked
            asked += rows.sum()
            return np.where(rows[:, None], exact, np.nan)

        coarse = two_passes([3600], 1, step, chosen.plain, np.ones(3600, bool), ask)
        assert (coarse.argmax(1) == exact.argmax(1)).mean() > 0.99
        assert asked / 3600 == pytest.approx(chosen.asked, abs=0.05)


def test_events_that_are_seen_in_their_own_second_alone_cannot_be_skipped():
    hidden = _seconds(3600, range(31, 3600, 30), blur=0)
    chosen = choose_coarse([hidden], CLASSES, "bckg", 5)
    assert chosen is None or chosen.asked > 0.9


class Loud:
    """Says ``spsw`` of windows whose middle, or by half of it whose whole, is loud; counts the windows."""

    metadata = SimpleNamespace(model_uuid="loud")

    def __init__(self):
        self.windows = 0

    def predict(self, windows):
        self.windows += len(windows)
        loud = np.maximum(windows[:, :, 400:600].std(-1).mean(-1), 0.5 * windows.std(-1).max(-1).clip(0, 1)) > 0.4
        probabilities = np.zeros((len(windows), len(PREPROCESSING.classes)))
        probabilities[:, 0] = np.where(loud, 0.8, 0.02)
        probabilities[:, -1] = 1 - probabilities[:, 0]
        return probabilities


def _predict(path, folder, coarse=None):
    model = Loud()
    classifier = Classifier("loud", model, PREPROCESSING, 0.0, 8, {}, coarse=coarse)
    outputs = prediction.output_paths(folder)
    summary = prediction.predict(open_recording(path, {}), outputs, classifier)
    return summary, model.windows, outputs


def test_predictions_in_two_passes_are_the_exhaustive_ones_where_it_matters(tmp_path):
    data = signals(ELECTRODES, 120, 250) * 0.2
    data[:, 40 * 250 : 47 * 250] *= 10
    data[:, 100 * 250 : 103 * 250] *= 10
    write_stamped(tmp_path / "r.edf", [k + 30 * (k >= 60) for k in range(120)], "EDF+C", data)
    exact, windows, _ = _predict(tmp_path / "r.edf", tmp_path / "exact")
    coarse, fewer, outputs = _predict(tmp_path / "r.edf", tmp_path / "coarse", CoarsePass(3, 0.9, 0.4, 0.999, None))
    assert exact.events.equals(coarse.events)
    assert "spsw" in set(exact.events["label"])
    assert windows == 112
    assert fewer < 0.6 * windows
    assert "of the seconds were classified, after a first pass at steps of 3 s" in str(coarse)
    assert json.loads(outputs["json"].read_text())["first_pass"]["step"] == 3


def test_the_file_of_points_says_what_may_be_skipped_and_predictions_take_it(tmp_path):
    for part in ("predictions", "reference"):
        (tmp_path / part).mkdir()
    table = pandas.DataFrame(_seconds(3600, range(30, 3600, 60)), columns=CLASSES)
    table.insert(0, "onset", np.arange(3600.0))
    table.to_parquet(tmp_path / "predictions/r.parquet", index=False)
    (tmp_path / "predictions/r.csv").write_text("onset,duration,label,probability\n")
    (tmp_path / "reference/r.rec").write_text("".join(f"0,{k},{k + 1},1\n" for k in range(30, 3600, 60)))
    said = {"model": "a model", "model_id": "loud", "classes": CLASSES, "duration_s": 3600}
    (tmp_path / "predictions/r.json").write_text(json.dumps(said))
    path = tmp_path / "p.json"
    words = ["--predictions", f"{tmp_path}/predictions", "--reference", f"{tmp_path}/reference", "--out", str(path)]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    points = read_operating_points(path)
    assert points.coarse["medium"]["3"].detected >= 0.98
    assert "first pass at 3 s, medium: asks about" in done.output
    classifier = Classifier("loud", Loud(), PREPROCESSING, 0.0, 8, {})
    taken = with_points(classifier, points, "medium", path, 3)
    assert taken.coarse == points.coarse["medium"]["3"]
    assert taken.sensitivity.endswith("coarse 3"), "a folder's results of other steps are done anew"
    # What was predicted in two passes chooses nothing.
    (tmp_path / "predictions/r.json").write_text(json.dumps(said | {"first_pass": {"step": 3}}))
    with pytest.raises(InputError, match="first_pass: must be null"):
        CliRunner().invoke(command, words, catch_exceptions=False)


def test_a_step_that_loses_too_much_is_refused_by_name(tmp_path):
    levels = {"medium": {"spsw": OperatingPoint(9, 0.5, 1, None, 1)}}
    points = OperatingPoints("loud", "loud", levels, {}, None, {"medium": {"2": CoarsePass(2, 0.9, 0.6, 1.0, 1.0)}})
    classifier = Classifier("loud", Loud(), PREPROCESSING, 0.0, 8, {})
    with pytest.raises(InputError, match=r"p.json: coarse: must hold a first pass at 5 s .* \(found 2\)"):
        with_points(classifier, points, "medium", tmp_path / "p.json", 5)
