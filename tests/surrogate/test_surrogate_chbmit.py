"""The surrogate of CHB-MIT has that corpus's layout, oddities included, and both protocols read it as they should."""

import re
from pathlib import Path

import numpy as np
import pytest

from eegdiffusion.commands.app import main
from eegdiffusion.core.recordings.edf_header import read_header
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.events.corpora.chbmit_summary import read_seizure_file, read_summary
from eegdiffusion.events.corpora.event_corpus import EventCorpus, channel_recipe
from eegdiffusion.events.corpora.layouts import open_corpus
from eegdiffusion.surrogate.chbmit.background import draw_background
from eegdiffusion.surrogate.chbmit.case_files import seizure_file, write_cases
from eegdiffusion.surrogate.chbmit.cases import (
    REFERENTIAL,
    SFREQ,
    VOID,
    cases_of,
    derive,
    draw_seizures,
    labels_of,
    make_recordings,
    resting_eeg,
)
from eegdiffusion.surrogate.chbmit.chbmit_settings import SurrogateChbMit
from tests.surrogate_source import CACHE, source_recordings

SMALL = SurrogateChbMit(training_cases=4, seconds=100)


@pytest.fixture(scope="module")
def recordings():
    return list(make_recordings(source_recordings(), SMALL))


@pytest.fixture(scope="module")
def root(recordings, tmp_path_factory):
    root = tmp_path_factory.mktemp("surrogate") / "chbmit"
    write_cases(recordings, root)
    return root


def _read(root, protocol):
    entry = EventCorpus(root=str(root), layout="chbmit", montage="double_banana_16", window_s=10.0, protocol=protocol)
    reader = open_corpus(entry, EEGDM, channel_recipe(entry, {}))
    paths, problems = reader.find_recordings()
    checked = []
    for path in paths:
        some, others = reader.check_file(path)
        checked += some
        problems += others
    problems += reader.check_corpus(checked)
    names, events = reader.class_names(checked), reader.events(checked)
    return checked, events.assign(label=[names[label] for label in events["label"]]), problems


def _overlap(begin, seizures):
    return max((min(begin + 10, stop) - max(begin, start) for start, stop in seizures), default=0)


def test_each_planted_seizure_is_read_and_labels_its_windows(recordings, root):
    checked, events, problems = _read(root, "events")
    assert len(checked) == len(recordings) == 24
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert not any(problem.field in ("seizures", "duration") for problem in problems), "summary, file and clock agree"
    planted = {f"{one.case}/{Path(one.name).stem}": one.seizures for one in recordings}
    assert sum(map(len, planted.values())) == 3 * 8
    for name, rows in events.groupby("recording"):
        for row in rows.itertuples():
            shortest = min((stop - start for start, stop in planted[name]), default=10)
            shared = _overlap(row.start_s, planted[name])
            if shared >= 5 or shared >= shortest / 2:
                assert row.label == "seizure", (name, row.start_s)
            if shared <= 0:
                assert row.label == "background", (name, row.start_s)
    assert {one.subject for one in checked if one.recording.startswith("chb21")} == {"chb01"}


def test_a_window_inside_a_seizure_is_none_by_the_papers_rule_alone(recordings, root):
    _, events, _ = _read(root, "events")
    checked, paper, problems = _read(root, "paper")
    assert {one.recording[:5] for one in checked} == {"chb01", "chb04", "chb21", "chb22", "chb23", "chb24"}
    assert {problem.path for problem in problems if problem.check == "protocol"} == {"chb12", "chb17"}
    both = events.merge(paper, on=["recording", "start_s"], suffixes=("", "_paper"))
    differing = both[both["label"] != both["label_paper"]]
    inside = differing[differing["label"] == "seizure"]
    planted = {f"{one.case}/{Path(one.name).stem}": one.seizures for one in recordings}
    assert len(inside) >= 6
    assert all(_overlap(row.start_s, planted[row.recording]) == 10 for row in inside.itertuples())
    others = differing[differing["label"] == "background"]
    assert all(_overlap(row.start_s, planted[row.recording]) < 5 for row in others.itertuples())
    added = paper[paper["start_s"] % 10 != 0]
    assert set(added["label"]) == {"seizure"}
    assert any("end after the recording" in problem.message for problem in problems)


def test_summaries_have_the_corpus_oddities(root):
    text = {path.parent.name: path.read_text() for path in root.glob("*/*-summary.txt")}
    assert "Channels changed:" in text["chb04"]
    assert "Channel 5: -" in text["chb04"]
    assert re.search(r"File End Time: 24:\d\d:\d\d", text["chb04"])
    assert "Time" not in re.sub("Seizure.*", "", text["chb24"])
    assert "Seizure Start Time: " in text["chb01"]
    assert "Seizure 2 Start Time:  " in text["chb01"]
    assert [label for label in text["chb01"].split("\n") if label.endswith("T8-P8")] == [
        "Channel 15: T8-P8", "Channel 23: T8-P8"
    ]  # fmt: skip
    assert sorted(path.name for path in root.glob("chb17/*.edf")) == ["chb17a_03.edf", "chb17b_04.edf", "chb17c_05.edf"]
    assert read_header(root / "chb12/chb12_03.edf").labels == REFERENTIAL
    assert read_header(root / "chb04/chb04_02.edf").labels.count(VOID) == 4
    assert len((root / "RECORDS").read_text().split()) == 24
    assert len((root / "RECORDS-WITH-SEIZURES").read_text().split()) == 16
    for path in root.glob("*/*.seizures"):
        (summary,) = path.parent.glob("*-summary.txt")
        assert read_seizure_file(path, SFREQ) == read_summary(summary)[path.stem].seizures
    assert SurrogateChbMit().training_cases < len(cases_of(SurrogateChbMit()))


def test_an_annotation_file_has_physionets_words():
    # A note with its text, then after skips of 0x00012c00 and 0x00000a00 samples an onset and an end.
    expected = "0058 17fc" + b"## time resolution: 256".hex() + "00 00ec0100002c0080 00ec0000000a0084 0000"
    assert seizure_file([76800, 79360], 256) == bytes.fromhex(expected)


def test_background_keeps_spectra_and_correlations_of_the_real_eeg():
    real = resting_eeg(source_recordings())[1][:, 2560:]
    drawn = draw_background(real, 200 * SFREQ, SFREQ, np.random.default_rng(0))
    assert drawn.shape == (21, 200 * SFREQ)
    apart = np.abs(np.corrcoef(drawn) - np.corrcoef(real))
    assert apart.mean() < 0.08, "which places are drawn varies by chance"
    ratio = drawn.std(1) / real.std(1)
    assert np.median(np.abs(np.log(ratio))) < 0.05, "an artefact of one electrode may be drawn, or not"
    steps = np.abs(np.diff(drawn[0]))
    assert steps.max() < 2 * np.abs(np.diff(real[0])).max(), "segments are joined without steps"


def test_seizures_stand_where_they_are_planted(recordings):
    (one,) = (one for one in recordings if one.name == "chb23_02.edf")
    ((start, stop),) = one.seizures
    assert stop - start > 20, "two windows fit inside"
    inside = one.signals[:, start * SFREQ : stop * SFREQ].std(1)
    before = one.signals[:, : start * SFREQ].std(1)
    assert (inside / before).max() > 1.3
    for seed in range(20):
        drawn = [draw_seizures(number, 100, np.random.default_rng(seed)) for number in range(5)]
        assert [len(seizures) for seizures in drawn] == [0, 1, 2, 1, 1]
        assert drawn[1][0].stop_s - drawn[1][0].start_s >= 30
        assert drawn[2][0].stop_s < drawn[2][1].start_s
        assert 100 - drawn[2][1].stop_s < 10
        assert all(seizure.start_s >= 0 and seizure.stop_s <= 100 for seizures in drawn for seizure in seizures)


def test_derivations_are_differences_and_void_channels_are_empty():
    electrodes = np.random.default_rng(0).standard_normal((21, 5))
    derived = derive(electrodes, labels_of("chb04", 1))
    assert np.array_equal(derived[0], electrodes[0] - electrodes[1])
    assert not derived[4].any()
    assert np.array_equal(derive(electrodes, REFERENTIAL), electrodes)


def test_the_command_writes_the_corpus_once(tmp_path, capsys):
    out = tmp_path / "corpus"
    words = ["surrogate", "chbmit", "--out", str(out), "--cache", str(CACHE), "--training-cases", "4"]
    for said in ("surrogate corpus of 24 recordings", "is in place"):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--seconds", "100"])
        assert not stop.value.code
        assert said in capsys.readouterr().out
    assert '"corpus": "surrogate"' in (out / "corpus.json").read_text()
    assert "this is not CHB-MIT" in (tmp_path / "SURROGATE.txt").read_text()
    with pytest.raises(SystemExit) as stop:
        main([*words, "--seconds", "50"])
    assert stop.value.code == 65
    assert "seconds: Input should be greater than or equal to 100" in capsys.readouterr().err
