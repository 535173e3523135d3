"""Prediction sets hold the true class as often as was asked for, and events that may be of several classes say so."""

import json

import mne
import numpy as np
import pandas
import pytest
from click.testing import CliRunner

from eegdiffusion.commands.operating_points import command
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.corpora.window_labels import Annotation
from eegdiffusion.events.prediction import prediction
from eegdiffusion.events.prediction.event_list import mark_unsure, merge_windows
from eegdiffusion.events.prediction.operating_classifier import with_points
from eegdiffusion.events.prediction.prediction_sets import PredictionSets, calibrate_sets, fewest_seconds, in_sets
from eegdiffusion.events.prediction.sensitivity import OperatingPoints, read_operating_points
from eegdiffusion.events.scoring.event_tables import EventTable
from eegdiffusion.events.scoring.predicted_seconds import PredictedSeconds
from tests.browser import needs_chromium, open_page
from tests.predict import stand_in
from tests.tuev_fixture import write_edf

CLASSES = ["spsw", "gped", "bckg"]
PREVALENCE = [0.05, 0.15, 0.8]


def _drawn(seconds, seed, skill=2.0):
    """Probabilities of a classifier that is often wrong and too sure, and the true classes."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, seconds, p=PREVALENCE)
    logits = 2 * (skill * np.eye(3)[labels] + np.log(PREVALENCE) / 2 + rng.standard_normal((seconds, 3)))
    exponents = np.exp(logits)
    return exponents / exponents.sum(-1, keepdims=True), labels


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_held_out_seconds_of_each_class_are_covered(coverage):
    shares = []
    for seed in range(40):
        sets = calibrate_sets(*_drawn(1500, seed), CLASSES, coverage)
        probabilities, labels = _drawn(4000, 1000 + seed)
        members = in_sets(probabilities, CLASSES, sets.least)
        shares.append([members[labels == k, k].mean() for k in range(3)])
    means = np.mean(shares, axis=0)
    # At least what was asked for, and not much more: 1 / (n + 1) at most, where the rarest class has some 75 seconds.
    assert (means > coverage - 0.012).all()
    assert (means < coverage + 0.03).all()
    assert np.std(shares, axis=0)[0] < 0.06


def test_a_better_classifier_is_less_often_unsure():
    sizes = []
    for skill in (0.5, 2.0, 4.0):
        sets = calibrate_sets(*_drawn(3000, 1, skill), CLASSES, 0.9)
        sizes.append((in_sets(_drawn(3000, 2, skill)[0], CLASSES, sets.least).sum(1) > 1).mean())
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0.5 > 0.05 > sizes[-1]


def test_a_class_of_too_few_seconds_is_in_every_set():
    assert [fewest_seconds(coverage) for coverage in (0.5, 0.9, 0.95)] == [1, 9, 19]
    probabilities = np.linspace(0.1, 0.9, 9)[:, None]
    assert calibrate_sets(probabilities, np.zeros(9, int), ["a"], 0.9).least["a"] == pytest.approx(0.1)
    both = np.column_stack([probabilities, 1 - probabilities])
    sets = calibrate_sets(both[:8], np.zeros(8, int), ["a", "b"], 0.9)
    assert sets.least == {"a": 0.0, "b": 0.0}
    assert sets.seconds == {"a": 8, "b": 0}
    with pytest.raises(InputError, match="--coverage: must lie between 0 and 1"):
        calibrate_sets(probabilities, np.zeros(9, int), ["a"], 1.0)


def test_seconds_are_of_the_class_that_takes_half_of_them():
    onsets = np.arange(8.0)
    table = pandas.DataFrame({"onset": onsets, "spsw": 0.25, "gped": 0.25, "bckg": 0.5})
    table.loc[7, ["spsw", "gped", "bckg"]] = np.nan
    spans = [Annotation(1.1, 1.3, "spsw"), Annotation(2.4, 4.2, "gped"), Annotation(5.0, 6.0, "spsw")]
    spans += [Annotation(5.0, 6.0, "gped")]
    read = PredictedSeconds("m", "id", {"spsw", "gped"}, {"r": (table, EventTable(None, spans))})
    probabilities, labels, names = read.labelled()
    assert names == CLASSES
    # 0: background, 1: spsw, 2 and 3: gped, 4: touched alone, 5: of two classes, 6: background, 7: no prediction.
    assert [names[k] for k in labels] == ["bckg", "spsw", "gped", "gped", "bckg"]
    assert len(probabilities) == 5


def test_an_event_that_may_be_of_other_classes_names_them():
    rows = np.array([[0.9, 0.05, 0.05], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8], [0.1, 0.6, 0.3], [np.nan] * 3])
    table = merge_windows(rows, CLASSES, "bckg", 1.0, 2.0)
    sets = PredictionSets(0.9, {"spsw": 0.3, "gped": 0.3, "bckg": 0.25}, {})
    marked = mark_unsure(table, 2.0 + np.arange(5), 1.0, rows, CLASSES, sets)
    assert marked["label"].tolist() == ["spsw", "gped", "unusable"]
    assert marked["unsure"].tolist() == ["", "bckg", ""], "of the mean of .9 and .5, and of the mean of .05 and .4"


@pytest.fixture(scope="module")
def unsure(tmp_path_factory):
    """Outputs of a prediction by sets of which every event may be gped."""
    folder = tmp_path_factory.mktemp("unsure")
    write_edf(folder / "r.edf", seconds=20)
    classifier = stand_in.classifier()
    least = dict.fromkeys(classifier.preprocessing.classes, 0.5) | {"gped": 0.01}
    points = OperatingPoints("a stand-in", "stand-in", {}, {}, PredictionSets(0.9, least, dict.fromkeys(least, 20)))
    (folder / "p.json").write_text(json.dumps(points.document()))
    read = read_operating_points(folder / "p.json")
    assert read == points
    classifier = with_points(classifier, read, "medium", folder / "p.json")
    outputs = prediction.output_paths(folder / "e", page=True, tsv="bids")
    summary = prediction.predict(open_recording(folder / "r.edf", {}), outputs, classifier)
    return outputs, summary


def test_all_outputs_mark_events_that_are_unsure(unsure):
    outputs, summary = unsure
    assert "1 spsw, 1 of them unsure" in str(summary)
    assert pandas.read_csv(outputs["csv"])["unsure"].tolist() == ["gped"]
    assert pandas.read_csv(outputs["bids"], sep="\t")["unsure"].tolist() == ["gped"]
    assert "coverage 0.9" in json.loads(outputs["bids sidecar"].read_text())["unsure"]["Description"]
    raw = mne.io.read_raw_edf(outputs["edf"], verbose="error")
    assert raw.annotations.description.tolist() == ["spsw (unsure)"]
    assert json.loads(outputs["json"].read_text())["prediction_sets"]["least"]["gped"] == 0.01


@needs_chromium
def test_the_page_marks_them_too(unsure, tmp_path):
    with open_page(tmp_path / "profile") as page:
        page.open(unsure[0]["html"].as_uri())
        assert page.evaluate("document.querySelector('#events tr').cells[2].textContent") == "spsw (unsure: or gped)"
        assert not page.problems


def test_the_command_calibrates_sets_on_the_recordings_that_it_chooses_points_on(tmp_path):
    for part in ("predictions", "reference"):
        (tmp_path / part).mkdir()
    probabilities, labels = _drawn(6000, 3)
    table = pandas.DataFrame(probabilities, columns=CLASSES)
    table.insert(0, "onset", np.arange(6000.0))
    table.to_parquet(tmp_path / "predictions/r.parquet", index=False)
    (tmp_path / "predictions/r.csv").write_text("onset,duration,label,probability\n")
    said = {"model": "a stand-in", "model_id": "stand-in", "classes": CLASSES, "duration_s": 6000}
    (tmp_path / "predictions/r.json").write_text(json.dumps(said))
    rows = [f"0,{k},{k + 1},{1 + label}\n" for k, label in enumerate(labels) if label < 2]
    (tmp_path / "reference/r.rec").write_text("".join(rows))
    words = ["--predictions", f"{tmp_path}/predictions", "--reference", f"{tmp_path}/reference"]
    done = CliRunner().invoke(
        command, [*words, "--coverage", "0.8", "--out", f"{tmp_path}/p.json"], catch_exceptions=False
    )
    sets = read_operating_points(tmp_path / "p.json").sets
    assert sets == calibrate_sets(probabilities, labels, CLASSES, 0.8)
    assert (
        f"spsw: plausible from {sets.least['spsw']:.4f} on ({(labels == 0).sum()} s of it, coverage 0.8)" in done.output
    )


def test_broken_sets_and_those_of_other_classes_are_refused(tmp_path):
    path = tmp_path / "p.json"
    points = OperatingPoints("a stand-in", "stand-in", {}, {}, PredictionSets(0.9, {"sz": 0.5}, {"sz": 10}))
    with pytest.raises(InputError, match=r"classes: must be the model's, .* \(found sz\)"):
        with_points(stand_in.classifier(), points, "medium", path)
    for change, message in (
        ({"least": {"spsw": 2}}, "sets: spsw: must lie between 0 and 1"),
        ({"more": 1}, "must hold"),
    ):
        document = points.document()
        document["sets"] |= change
        path.write_text(json.dumps(document))
        with pytest.raises(InputError, match=message):
            read_operating_points(path)
