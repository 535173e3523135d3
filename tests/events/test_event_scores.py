"""Scores of predicted events: those of timescoring by hand, files of every kind, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest
from click.testing import CliRunner
from timescoring.annotations import Annotation as TimedEvents
from timescoring.scoring import EventScoring, SampleScoring

from eegdiffusion.commands.score import command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.corpora.window_labels import Annotation
from eegdiffusion.events.scoring.event_scores import OVERLAP, Counts, EventRule, count_recording, score_table
from eegdiffusion.events.scoring.event_tables import find_event_tables, find_predictions, read_event_table
from eegdiffusion.events.scoring.scored_folder import score_folders
from tests.tuev_fixture import write_edf

HOUR = 3600.0


def _seizures(*spans: tuple[float, float]) -> list[Annotation]:
    return [Annotation(start, stop, "sz") for start, stop in spans]


def _random(rng: np.random.Generator) -> list[Annotation]:
    bounds = np.sort(rng.choice(35_900, 2 * rng.integers(0, 8), replace=False)) / 10
    return _seizures(*bounds.reshape(-1, 2).tolist())


@pytest.mark.parametrize("seed", range(20))
def test_counts_are_those_of_timescoring(seed):
    rng = np.random.default_rng(seed)
    reference, predicted = _random(rng), _random(rng)
    counted = count_recording(reference, predicted, HOUR, EventRule())
    both = [TimedEvents([tuple(span[:2]) for span in spans], 256, int(HOUR * 256)) for spans in (reference, predicted)]
    for unit, expected in (("event", EventScoring(*both)), ("sample", SampleScoring(*both))):
        metrics = counted[unit].metrics()
        for name, value in (("sensitivity", expected.sensitivity), ("precision", expected.precision)):
            np.testing.assert_allclose(metrics[name], value, rtol=2e-3, equal_nan=True)
        np.testing.assert_allclose(metrics["f1"], expected.f1, rtol=2e-3, equal_nan=True)
        np.testing.assert_allclose(metrics["false_per_day"], expected.fpRate, rtol=2e-3)
        assert metrics["false_per_hour"] == pytest.approx(metrics["false_per_day"] / 24)


def test_the_rules_by_hand():
    reference = _seizures((100, 110), (150, 160), (2000, 2700))
    predicted = _seizures((75, 76), (3000, 3001))
    szcore = count_recording(reference, predicted, HOUR, EventRule())["event"]
    assert szcore == Counts(reference=4, detected=1, false=1, seconds=HOUR), "two are one, 700 s are three"
    overlap = count_recording(reference, predicted, HOUR, OVERLAP)["event"]
    assert overlap == Counts(reference=3, detected=0, false=2, seconds=HOUR)
    nothing = count_recording([], [], HOUR, OVERLAP)["event"].metrics()
    assert np.isnan([nothing["sensitivity"], nothing["precision"], nothing["f1"]]).all()
    assert nothing["false_per_day"] == 0


def test_a_subject_counts_once_however_many_recordings_it_has():
    rows = [("sz", "event", "a", Counts(1, 1, 0, HOUR))] * 9 + [("sz", "event", "b", Counts(1, 0, 3, HOUR))]
    table = score_table(rows).set_index("subject")
    assert table["sensitivity"].to_dict() == {"mean": 0.5, "a": 1.0, "b": 0.0}
    assert table.loc["mean", ["recordings", "reference", "detected", "false"]].tolist() == [10, 10, 9, 3]
    assert table.loc["mean", ["sensitivity_low", "sensitivity_high"]].tolist() == [0, 1]
    assert table.loc["mean", "false_per_hour"] == 1.5
    one = score_table(rows[:3])
    assert "sensitivity_low" not in one


def _write_pair(folder: Path, name: str, reference: str, predicted: str, duration_s: float = 600) -> None:
    for side, text in (("reference", reference), ("predictions", predicted)):
        (folder / side / name).parent.mkdir(parents=True, exist_ok=True)
        if side == "reference":
            head = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
            rows = "".join(f"{row}\tn/a\tn/a\t2026-01-01 00:00:00\t{duration_s}\n" for row in text.splitlines())
            (folder / side / f"{name}_events.tsv").write_text(head + rows)
        else:
            (folder / side / f"{name}_eeg.csv").write_text("onset,duration,label,probability\n" + text)
            document = {"classes": ["bckg", "sz"], "duration_s": duration_s}
            (folder / side / f"{name}_eeg.json").write_text(json.dumps(document))


@pytest.fixture
def folders(tmp_path):
    _write_pair(tmp_path, "sub-01/eeg/sub-01_run-1", "100\t20\tsz_foc_ia", "105,3,sz,0.9\n500,4,sz,0.8\n")
    _write_pair(tmp_path, "sub-01/eeg/sub-01_run-2", "0\t600\tbckg", "7,2,unusable,\n")
    _write_pair(tmp_path, "sub-02/eeg/sub-02_run-1", "300\t5\tsz", "\n")
    return tmp_path / "reference", tmp_path / "predictions"


def test_folders_are_scored_by_subject(folders, tmp_path):
    out = tmp_path / "scores.csv"
    words = ["--reference", str(folders[0]), "--predictions", str(folders[1]), "--rule", "overlap", "--out", str(out)]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert "sz, by event: 1 of 2 found, 1 false in 0.5 h of 3 recordings, 2 subjects" in done.output
    table = pandas.read_csv(out).set_index(["class", "unit", "subject"])
    assert table.loc[("sz", "event", "sub-01"), "sensitivity"] == 1
    assert table.loc[("sz", "event", "sub-02"), "sensitivity"] == 0
    assert table.loc[("sz", "event", "mean"), "sensitivity"] == 0.5
    assert table.loc[("sz", "sample", "sub-01"), "reference"] == 20
    assert table.loc[("sz", "event", "sub-01"), "hours"] == pytest.approx(1 / 3)


def test_one_recording_costs_itself_alone(folders, tmp_path):
    _write_pair(tmp_path, "sub-03/eeg/sub-03", "10\t5\tspike", "10,5,sz,0.9\n")
    _write_pair(tmp_path, "sub-04/eeg/sub-04", "10\t5\tsz\n12\t5\tsz", "10,5,sz,0.9\n")
    _write_pair(tmp_path, "sub-05/eeg/sub-05", "10\t5\tsz\n5\t1\tsz", "10,5,sz,0.9\n")
    _write_pair(tmp_path, "sub-06/eeg/sub-06", "10\t5\tsz", "900,5,sz,0.9\n")
    _write_pair(tmp_path, "sub-07/eeg/sub-07", "10\t5\tsz", "90,five,sz,0.9\n")
    (tmp_path / "predictions/other.csv").write_text("onset,duration,label\n1,1,sz\n")
    next(folders[1].glob("sub-02/eeg/*.csv")).unlink()
    scored = score_folders(*folders, OVERLAP)
    assert scored.recordings == ["sub-01/eeg/sub-01_run-1", "sub-01/eeg/sub-01_run-2"]
    for name, words in {
        "sub-03": "labels: must be of the model's classes, sz (found spike)",
        "sub-04": "onset: events of one label must be in order and apart",
        "sub-05": "onset: events of one label must be in order and apart",
        "sub-06": "onset: must lie in the recording's 600 s (found 900 s)",
        "sub-07": "duration: must be a number of seconds (found 'five')",
        "other": "recording: must have a reference below",
        "sub-02": "recording: must have predictions below",
    }.items():
        assert sum(name in message and words in message for message in scored.refused) == 1, name
    assert len(scored.refused) == 7
    words = ["--reference", str(folders[0]), "--predictions", str(folders[1])]
    with pytest.raises(InputError, match="7 recordings are not scored, 2 are"):
        CliRunner().invoke(command, words, catch_exceptions=False)
    assert "sub-03/eeg/sub-03" in score_folders(*folders, OVERLAP, {"spike": "sz"}).recordings


def test_files_of_every_kind_say_the_same(tmp_path):
    (tmp_path / "a.tsv").write_text("onset\tduration\ttrial_type\n1\t2\tPLED\n5\t1\tbckg\n")
    (tmp_path / "b.csv_bi").write_text(
        "# version\nchannel,start_time,stop_time,label,confidence\nTERM,1.0,3.0,pled,1\nTERM,5,6,bckg,1\n"
    )
    (tmp_path / "c.csv").write_text("channel,start_time,stop_time,label\nFP1-F7,1,2.5,pled\nF7-T3,2,3,pled\n")
    (tmp_path / "d.rec").write_text("0,1.0,2.0,3\n1,2.0,3.0,3\n0,5.0,6.0,6\n")
    write_edf(tmp_path / "d.edf", seconds=10)
    tables = {name: read_event_table(path) for name, path in find_event_tables(tmp_path).items()}
    expected = [Annotation(1.0, 3.0, "pled")]
    assert {name: table.spans for name, table in tables.items()} == {name: expected for name in "abcd"}
    assert tables["d"].duration_s == 10


def test_two_files_of_one_recording_and_unknown_lengths_are_refused(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "p").mkdir()
    for folder in ("r", "p"):
        (tmp_path / folder / "x.tsv").write_text("onset\tduration\ttrial_type\n1\t2\tsz\n")
    with pytest.raises(InputError, match=r"x.tsv: duration: must be known"):
        score_folders(tmp_path / "r", tmp_path / "p", OVERLAP)
    (tmp_path / "p/x_events.tsv").write_text("onset\tduration\ttrial_type\n")
    with pytest.raises(InputError, match="name: must be of another recording"):
        find_event_tables(tmp_path / "p")


@pytest.mark.parametrize("rule", [OVERLAP, EventRule()])
def test_events_without_a_length_count_as_the_moment_that_they_are(rule):
    for moment in (105.0, 105.01, 599.99):
        near = _seizures((moment - 0.5, moment + 0.2))
        point = _seizures((moment, moment))
        assert count_recording(point, near, 600, rule)["event"] == Counts(1, 1, 0, 600)
        assert count_recording(near, point, 600, rule)["event"] == Counts(1, 1, 0, 600)
        assert count_recording(point, point, 600.04, rule)["event"] == Counts(1, 1, 0, 600)
    apart = count_recording(_seizures((100, 100)), _seizures((300, 300)), 600, rule)["event"]
    assert apart == Counts(1, 0, 1, 600)


def test_events_that_begin_before_the_recording_count_from_its_beginning_on():
    both = count_recording(_seizures((-5, 3)), _seizures((2, 4)), 600, OVERLAP)
    assert both["event"] == Counts(1, 1, 0, 600)
    assert both["sample"] == Counts(3, 1, 1, 600)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("-5\t3\tsz", r"onset: must lie in the recording's 600 s \(found -5 s\)"),
        ("-5\tn/a\tsz", r"onset: must lie in the recording's 600 s \(found -5 s\)"),
        ("600\tn/a\tsz", r"onset: must lie in the recording's 600 s \(found 600 s\)"),
    ],
)
def test_what_lies_before_or_after_the_recording_is_refused(tmp_path, row, words):
    _write_pair(tmp_path, "a", row, "1,1,sz,0.9\n")
    with pytest.raises(InputError, match=words):
        score_folders(tmp_path / "reference", tmp_path / "predictions", OVERLAP)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"duration_s": 0}, r"duration: must be 1 s or more \(found 0 s\)"),
        ({"duration_s": float("nan")}, r"duration_s: must be a number of seconds"),
        ({"duration_s": "long"}, r"duration_s: must be a number of seconds"),
        ({"classes": 5}, "classes: must be a list of names"),
        ({"classes": [1]}, "classes: must be a list of names"),
        ({"start_s": 60}, r"start_s: must be 0, .* stretch from 60 s on"),
    ],
)
def test_what_is_wrong_beside_the_predictions_is_named(tmp_path, change, words):
    _write_pair(tmp_path, "a", "", "1,1,sz,0.9\n")
    beside = tmp_path / "predictions/a_eeg.json"
    beside.write_text(json.dumps(json.loads(beside.read_text()) | change))
    with pytest.raises(InputError, match=words):
        score_folders(tmp_path / "reference", tmp_path / "predictions", OVERLAP)


def test_predictions_are_the_table_that_says_its_classes_before_those_of_other_standards(folders):
    name = "sub-01/eeg/sub-01_run-1"
    (folders[1] / f"{name}_events.tsv").write_text("onset\tduration\ttrial_type\n105\t3\tsz\n500\t4\tsz\n")
    assert find_predictions(folders[1])[name].name == "sub-01_run-1_eeg.csv"
    assert find_event_tables(folders[1])[name].name == "sub-01_run-1_events.tsv"
    assert not score_folders(*folders, OVERLAP).refused


@pytest.mark.parametrize(
    "text",
    ["onset;duration;label\n1,5;2;sz\n", "Onset\tDuration\tLabel\n1.5\t2\tSZ\n", 'onset,duration,label\n"1,5",2,sz\n'],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_are_read_as_spreadsheets_write_them(tmp_path, text, encoding):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding=encoding)
    assert read_event_table(path).spans == [Annotation(1.5, 3.5, "sz")]


def test_a_table_that_no_csv_reader_takes_is_refused_by_name(tmp_path):
    (tmp_path / "a.csv").write_text("onset,duration,label\n1,1," + "x" * 200_000)
    with pytest.raises(InputError, match=r"a.csv: must be a table of comma-separated columns"):
        read_event_table(tmp_path / "a.csv")
