"""Operating points: thresholds for a stated rate of false detections, and predictions that keep to them."""

import json
import time
from pathlib import Path

import numpy as np
import pandas
import pytest
from click.testing import CliRunner

from eegdiffusion.commands.operating_points import command
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.corpora.window_labels import Annotation
from eegdiffusion.events.prediction import prediction
from eegdiffusion.events.prediction.event_list import background_class, merge_windows
from eegdiffusion.events.prediction.operating_classifier import with_points
from eegdiffusion.events.prediction.sensitivity import NO_CLASS, decide, read_operating_points
from eegdiffusion.events.scoring.operating_points import ScoredSeconds, choose_points, detection_curve, parse_rates
from tests.predict import stand_in
from tests.tuev_fixture import write_edf

HOUR = 3600


def _seconds(hours: float, seed: int = 0, events: int = 40) -> ScoredSeconds:
    """Noise of low probability, with true events of two seconds that stand out to differing degrees."""
    rng = np.random.default_rng(seed)
    count = round(hours * HOUR)
    probability = rng.beta(1, 12, count)
    starts = np.sort(rng.choice(np.arange(10, count - 10, 8), events, replace=False))
    for start in starts:
        probability[start : start + 2] = rng.uniform(0.2, 1)
    spans = [Annotation(float(start), float(start + 2), "spsw") for start in starts]
    return ScoredSeconds(np.arange(count, dtype=float), probability, spans)


def count_at(recordings: list[ScoredSeconds], threshold: float) -> tuple[int, int, int]:
    """Count true events, those that a detection overlaps, and detections that overlap none, stretch by stretch."""
    total = detected = false = 0
    for recording in recordings:
        events = [(event.start_s, max(event.stop_s, event.start_s + 1e-9)) for event in recording.events]
        detections: list[list[float]] = []
        for onset, probability in zip(recording.onset_s.tolist(), recording.probability.tolist(), strict=True):
            if not probability >= threshold:
                detections.append([])
            elif detections and detections[-1] and onset - detections[-1][1] < 0.5:
                detections[-1][1] = onset + 1
            else:
                detections.append([onset, onset + 1])
        detections = [each for each in detections if each]
        total += len(events)
        detected += sum(any(a < stop and start < b for a, b in detections) for start, stop in events)
        false += sum(not any(a < stop and start < b for start, stop in events) for a, b in detections)
    return total, detected, false


def _anything(rng: np.random.Generator) -> ScoredSeconds:
    """A short recording with ties, pauses, seconds without a prediction, and events of any length anywhere."""
    count = int(rng.integers(0, 40))
    onsets = np.arange(float(count)) + rng.choice([0.0, 0.5, 2.0])
    onsets[count // 2 :] += rng.choice([0.0, 0.3, 1.0, 50.0])
    probability = np.round(rng.random(count), int(rng.integers(1, 5)))
    probability[rng.random(count) < 0.1] = np.nan
    starts = np.sort(np.round(rng.uniform(0, 60, rng.integers(0, 6)), int(rng.integers(0, 2))))
    spans = [Annotation(start, start + rng.choice([0, 0.2, 1, 7]), "x") for start in starts.tolist()]
    return ScoredSeconds(onsets, probability, spans)


@pytest.mark.parametrize("seed", range(20))
def test_every_threshold_counts_what_is_counted_stretch_by_stretch(seed):
    rng = np.random.default_rng(seed)
    recordings = [_anything(rng) for _ in range(3)]
    curve = detection_curve(recordings)
    assert curve.threshold.tolist() == sorted(
        {value for each in recordings for value in each.probability.tolist() if value > 0}, reverse=True
    )
    for threshold, detected, false in zip(curve.threshold, curve.detected, curve.false, strict=True):
        assert (curve.events, detected, false) == count_at(recordings, threshold)


def test_a_hundred_hours_take_seconds_and_a_rare_rate_has_its_exact_threshold():
    recordings = [_seconds(24, seed, 200) for seed in range(4)]
    begin = time.perf_counter()
    points, _ = choose_points(recordings, 1 / 8)
    assert time.perf_counter() - begin < 10
    values = np.sort(np.concatenate([each.probability for each in recordings]))
    for point in points.values():
        assert point.threshold in values
        below = values[np.searchsorted(values, point.threshold) - 1]
        curve = detection_curve(recordings)
        false = dict(zip(curve.threshold.tolist(), curve.false.tolist(), strict=True))
        assert false[point.threshold] / point.hours <= point.rate_per_hour < false[below] / point.hours


def test_the_threshold_is_the_lowest_that_keeps_to_the_rate():
    recordings = [_seconds(0.75, seed) for seed in range(2)]
    points, refused = choose_points(recordings, 9.0)
    assert list(points) == ["low", "medium", "high"]
    assert not refused
    sensitivities = [points[level].sensitivity for level in points]
    assert sensitivities == sorted(sensitivities)
    assert sensitivities[0] < sensitivities[-1]
    for point, rate in zip(points.values(), (3, 9, 27), strict=True):
        assert point.rate_per_hour == pytest.approx(rate)
        assert point.false_per_hour <= rate
        total, detected, false = count_at(recordings, point.threshold)
        assert point.false_per_hour == pytest.approx(false / point.hours)
        assert point.sensitivity == detected / total
        # A little lower, and it costs more.
        assert count_at(recordings, point.threshold - 0.02)[2] / point.hours > rate
    assert points["medium"].hours == pytest.approx(1.5 - 2 * 40 * 2 / HOUR, abs=1e-6)


def test_what_the_recordings_do_not_allow_is_refused_with_what_they_do():
    points, refused = choose_points([_seconds(0.5)], 9.0)
    assert list(points) == ["medium", "high"]
    assert "must be chosen on 1 h or more without events of the class for 3 false detections an hour" in refused["low"]
    assert "(found 0.478 h, which allow 6.28 an hour at best)" in refused["low"]
    nothing = ScoredSeconds(np.arange(5.0), np.full(5, np.nan), [])
    assert set(choose_points([nothing, _seconds(1.5)], 9.0)[0]) == {"low", "medium", "high"}


def test_counts_by_hand():
    probability = np.array([0.9, 0.9, 0.1, 0.8, np.nan, 0.8, 0.2, 0.7])
    recording = ScoredSeconds(np.arange(8.0), probability, [Annotation(1.5, 1.5, "x"), Annotation(5.2, 5.9, "x")])
    curve = detection_curve([recording])
    counts = dict(zip(curve.threshold.tolist(), zip(curve.detected, curve.false, strict=True), strict=True))
    assert curve.events == 2
    assert counts[0.8] == (2, 1), "a second without a prediction parts two detections"
    assert counts[0.1] == (2, 0)
    assert counts[0.9] == (1, 0)
    point = ScoredSeconds(np.arange(8.0), np.arange(8) / 8, [Annotation(5.0, 5.0, "x")])
    assert detection_curve([point]).detected.tolist() == [0, 0, 1, 1, 1, 1, 1], "of a second that it begins with"
    assert recording.quiet.tolist() == [True, False, True, True, False, False, True, True]
    apart = ScoredSeconds(np.array([0.0, 1, 30, 31]), np.ones(4), [])  # a pause
    assert detection_curve([apart]).false.tolist() == [2]


def test_rates_are_read_by_hour_and_day():
    assert parse_rates(["SPSW=9/h", "sz=1/day"]) == {"spsw": 9.0, "sz": 1 / 24}
    for text in ("spsw", "spsw=9", "spsw=-1/h", "spsw=9/week", "=9/h", "spsw=x/h"):
        with pytest.raises(ValueError):  # noqa: PT011 (float's and its own)
            parse_rates([text])


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["SPSW", "BCKG"], "BCKG"),
        (["Background", "SZ"], "Background"),
        (["bckg_eyes", "bckg"], "bckg"),
        (["a"], "bckg"),
    ],
)
def test_background_is_no_event_in_capitals_either(classes, expected):
    assert background_class(classes) == expected


def test_a_second_is_of_the_class_that_exceeds_its_threshold_most():
    classes = ["a", "b", "bckg"]
    rows = np.array([[0.3, 0.1, 0.6], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7], [0.05, 0.45, 0.5], [0.1, 0.6, 0.3]])
    assert decide(rows, classes, {}).tolist() == [2, 1, 2, 2, 1]
    assert decide(rows, classes, {"a": 0.2, "b": 0.9}).tolist() == [0, 0, 2, 2, 2]
    assert decide(rows, classes, {"a": 0.25, "b": 0.4}).tolist() == [0, 1, 2, 1, 1]
    assert decide(rows, classes, {}, least=0.65).tolist() == [NO_CLASS, NO_CLASS, 2, NO_CLASS, NO_CLASS]
    table = merge_windows(rows, classes, "bckg", 1.0, 2.0, thresholds={"a": 0.25, "b": 0.4})
    assert table["label"].tolist() == ["a", "b", "b"]
    assert table["onset"].tolist() == [2, 3, 5]
    assert table["probability"].tolist() == pytest.approx([0.3, 0.6, 0.525])


def _write(folder: Path, name: str, seconds: ScoredSeconds, model_id: str = "stand-in") -> None:
    for part in ("predictions", "reference"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    table = pandas.DataFrame({"onset": seconds.onset_s, "spsw": seconds.probability, "bckg": 1 - seconds.probability})
    table.to_parquet(folder / f"predictions/{name}.parquet", index=False)
    (folder / f"predictions/{name}.csv").write_text("onset,duration,label,probability\n")
    (folder / f"predictions/{name}_events.tsv").write_text("onset\tduration\ttrial_type\tprobability\n")  # of --tsv
    said = {"model": "a stand-in", "model_id": model_id, "classes": ["spsw", "bckg"], "duration_s": len(table)}
    (folder / f"predictions/{name}.json").write_text(json.dumps(said))
    rows = "".join(f"0,{span.start_s},{span.stop_s},1\n" for span in seconds.events)
    (folder / f"reference/{name}.rec").write_text(rows)


def _words(folder: Path) -> list[str]:
    return ["--predictions", f"{folder}/predictions", "--reference", f"{folder}/reference", "--out", f"{folder}/p.json"]


def test_points_are_chosen_on_a_folder_and_predictions_keep_to_them(tmp_path):
    for k in range(2):
        _write(tmp_path, f"r{k}", _seconds(0.75, k))
    done = CliRunner().invoke(command, _words(tmp_path), catch_exceptions=False)
    assert "a stand-in: 2 recordings, 1.5 h" in done.output
    assert "spsw, medium: from 0." in done.output
    points = read_operating_points(tmp_path / "p.json")
    expected, _ = choose_points([_seconds(0.75, k) for k in range(2)], 9.0)
    assert points.thresholds("medium") == {"spsw": expected["medium"].threshold}

    path = tmp_path / "p.json"
    classifier = with_points(stand_in.classifier(), points, "medium", path)
    write_edf(tmp_path / "r.edf", seconds=20)

    def labels(classifier):
        outputs = {ending: tmp_path / f"e.{ending}" for ending in prediction.ENDINGS}
        events = prediction.predict(open_recording(tmp_path / "r.edf", {}), outputs, classifier).events
        document = json.loads(outputs["json"].read_text())
        return events["label"].tolist(), document["thresholds"], pandas.read_parquet(outputs["parquet"])

    with_medium, thresholds, seconds = labels(classifier)
    assert with_medium == ["spsw"]
    assert thresholds == points.thresholds("medium")
    assert seconds["onset"].tolist() == list(range(2, 18))
    assert seconds["spsw"].tolist() == pytest.approx([0.9] * 16)
    raised = json.loads(path.read_text())
    raised["levels"]["medium"]["spsw"]["threshold"] = 0.95
    path.write_text(json.dumps(raised))
    strict = with_points(stand_in.classifier(), read_operating_points(path), "medium", path)
    assert labels(strict)[0] == ["gped"], "the most probable class without a threshold; all others are alike"
    assert strict.sensitivity != classifier.sensitivity


def test_points_of_another_model_and_broken_files_are_refused(tmp_path):
    _write(tmp_path, "r", _seconds(1.5), "another")
    CliRunner().invoke(command, _words(tmp_path), catch_exceptions=False)
    path = tmp_path / "p.json"
    points = read_operating_points(path)
    with pytest.raises(InputError, match=r"p.json: model: must be the one that is asked"):
        with_points(stand_in.classifier(), points, "medium", path)
    document = json.loads(path.read_text())
    for change, message in (
        ({"levels": {"medium": {"spsw": {"threshold": 0.5}}}}, "must hold operating points"),
        ({"levels": []}, "must hold operating points"),
        ({"levels": {"medium": {"spsw": document["levels"]["medium"]["spsw"] | {"threshold": 7}}}}, "between 0 and 1"),
    ):
        path.write_text(json.dumps(document | change))
        with pytest.raises(InputError, match=message):
            read_operating_points(path)


def test_folders_that_do_not_fit_are_refused_by_name(tmp_path):
    _write(tmp_path, "r", _seconds(0.1, events=5))
    with pytest.raises(InputError, match="must allow one operating point or more"):
        CliRunner().invoke(command, _words(tmp_path), catch_exceptions=False)
    assert "30.9 an hour at best" in json.dumps(json.loads((tmp_path / "p.json").read_text())["refused"])
    with pytest.raises(InputError, match=r"--rates: must be of the model's classes, spsw \(found sz\)"):
        CliRunner().invoke(command, [*_words(tmp_path), "--rates", "sz=1/day"], catch_exceptions=False)
    _write(tmp_path, "other", _seconds(0.1, events=5), "another")
    with pytest.raises(InputError, match="model: must be one for all recordings"):
        CliRunner().invoke(command, _words(tmp_path), catch_exceptions=False)
    called = tmp_path / "reference/r.rec"
    called.rename(tmp_path / "r.rec")
    (tmp_path / "reference/r_events.tsv").write_text("onset\tduration\ttrial_type\n1\tn/a\tspike\n")
    with pytest.raises(InputError, match=r"labels: must be of the model's classes, spsw \(found spike\)"):
        CliRunner().invoke(command, _words(tmp_path), catch_exceptions=False)
    (tmp_path / "reference/r_events.tsv").unlink()
    (tmp_path / "r.rec").rename(called)
    (tmp_path / "predictions/other.parquet").unlink()
    with pytest.raises(InputError, match=r"other.parquet: no such file, which eeg predict writes"):
        CliRunner().invoke(command, _words(tmp_path), catch_exceptions=False)
    (tmp_path / "predictions/other.parquet").write_text("no table")
    with pytest.raises(InputError, match=r"other.parquet: must be a table of probabilities"):
        CliRunner().invoke(command, _words(tmp_path), catch_exceptions=False)
    (tmp_path / "reference/other.rec").unlink()
    with pytest.raises(InputError, match=r"other.csv: recording: must have a reference"):
        CliRunner().invoke(command, _words(tmp_path), catch_exceptions=False)
