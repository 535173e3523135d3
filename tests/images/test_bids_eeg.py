"""Recordings of BIDS corpora: each once, its channels, its unit, its pauses, its events."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import edfio
import numpy as np
import pandas
import pytest
import scipy.io

from eegdiffusion.core.recordings.bids_files import find_sidecar, session_label
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import bids_eeg
from eegdiffusion.images.corpora.image_corpus import Block, Continuous, Corpus, natural_order
from tests.recording_files import write_stamped
from tests.things_fixture import CHANNELS, write_brainvision, write_kilogram, write_things_eeg1

STEM = "sub-01_ses-01_task-tangram"
NAMES = CHANNELS[:8]


@pytest.fixture
def root(tmp_path):
    return write_kilogram(tmp_path / "corpus")


@pytest.fixture
def folder(root):
    return root / "sub-01/ses-01/eeg"


def _signals(channels: int = 8, samples: int = 10_000, scale: float = 1.0) -> np.ndarray:
    return scale * 5 * np.random.default_rng(6).standard_normal((channels, samples))


def _write_edf(path: Path, names: list[str], unit: str = "uV", signals: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    signals = _signals(len(names)) if signals is None else signals
    edfio.Edf(
        [
            edfio.EdfSignal(row, 1000, label=name, physical_dimension=unit, physical_range=(-bound, bound))
            for name, row in zip(names, signals, strict=True)
            for bound in [float(f"{1.1 * np.abs(row).max():.3g}")]
        ]
    ).write(path)


def _as_edf(folder: Path, names: list[str], **options) -> None:
    """Put an EDF file in the BrainVision recording's place."""
    for ending in (".vhdr", ".vmrk", ".eeg"):
        (folder / f"{STEM}_eeg{ending}").unlink()
    _write_edf(folder / f"{STEM}_eeg.edf", names, **options)


def _write_table(path: Path, **columns) -> None:
    pandas.DataFrame(columns).to_csv(path, sep="\t", index=False)


def _read(root: Path) -> tuple[Corpus, list[Block]]:
    corpus = bids_eeg.open_kilogram(root, None)
    return corpus, [block for subject in corpus.files for block in corpus.read(subject)]


def _said(corpus: Corpus, blocks: list[Block]) -> str:
    return "\n".join(f"{p.path}: {p.message}" for p in [*corpus.problems, *(p for b in blocks for p in b.problems)])


def test_a_sound_recording(root):
    corpus, (block,) = _read(root)
    assert (block.subject, block.session, block.channels, len(block.image)) == ("sub-01", "01", NAMES, 18)
    assert np.allclose(block.trials.read(np.array([0]), 0, 10)[0], _signals()[:, 500:510], atol=1e-5)
    assert _said(corpus, [block]) == ""


@pytest.mark.parametrize(
    "other",
    [
        f"{STEM}_eeg.edf",
        f"{STEM}_eeg.EDF",
        f"{STEM}_desc-filtered_eeg.edf",
        f"{STEM}_proc-clean_eeg.edf",
        f"old/{STEM}_eeg.edf",
        "sub-01_task-tangram_eeg.edf",  # its session is that of the folder
    ],
)
def test_a_recording_counts_once(root, folder, other):
    _write_edf(folder / other, NAMES)
    corpus, blocks = _read(root)
    assert [block.source for block in blocks] == [f"sub-01/ses-01/eeg/{STEM}_eeg.vhdr"]
    assert f"sub-01/ses-01/eeg/{other}: is the recording sub-01/ses-01/eeg/{STEM}_eeg.vhdr once more" in _said(
        corpus, blocks
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (f"sub-01/ses-01/eeg/{STEM}_eeg.fif", "of a format that is not read"),
        (f"sub-01/ses-01/eeg/{STEM}_split-02_eeg.fif.gz", "of a format that is not read"),
        (f"sub-01/ses-01/eeg/{STEM}_eeg.edf.gz", "of a format that is not read"),
        (f"sub-01/ses-01/eeg/{STEM}_epo.set", "EEG-BIDS calls continuous recordings *_eeg"),
        (f"sub-01/ses-01/eeg/{STEM}_eeg_epo.fif", "of a format that is not read"),
        ("sub-01/ses-01/eeg/sub-02_ses-01_task-tangram_eeg.edf", "must lie in the folder of the subject"),
        (f"derivatives/clean/sub-01/eeg/{STEM}_desc-clean_eeg.edf", "1 files of EEG are not read"),
    ],
)
def test_what_is_not_read_is_named(root, other, message):
    (root / other).parent.mkdir(parents=True, exist_ok=True)
    (root / other).write_bytes(b"0")
    corpus, blocks = _read(root)
    assert len(blocks) == 1
    assert message in _said(corpus, blocks)
    assert other.split("/")[0] in _said(corpus, blocks)


def test_derivatives_are_read_where_no_raw_recording_is(tmp_path):
    root = write_things_eeg1(tmp_path / "corpus", milliseconds=False)
    derivatives = root / "derivatives/eeglab"
    derivatives.mkdir(parents=True)
    for path in (root / "sub-01/eeg").glob("*_eeg.*"):
        path.unlink()
    _write_eeglab(derivatives / "sub-01_task-rsvp_continuous.set", _signals(samples=5000))
    _write_table(root / "sub-01/eeg/sub-01_task-rsvp_channels.tsv", name=NAMES, type=["EEG"] * 7 + ["EOG"])
    corpus = bids_eeg.open_things_eeg1(root, None)
    (block,) = corpus.read("sub-01")
    assert (len(block.image), block.channels) == (18, NAMES[:7])
    shutil.rmtree(root / "sub-01/eeg")
    with pytest.raises(InputError, match=r"sub-01_task-rsvp_events.tsv: no such file"):
        bids_eeg.open_things_eeg1(root, None)


def _write_eeglab(path: Path, signals: np.ndarray, trials: int = 1) -> None:
    labels = np.array([(name,) for name in NAMES], dtype=[("labels", object)])
    shape = {"nbchan": 8, "trials": trials, "pnts": signals.shape[1], "srate": 1000.0, "xmin": 0.0}
    empty = {"event": np.array([]), "epoch": np.array([]), "icawinv": []}
    scipy.io.savemat(
        path, {"EEG": {"setname": "x", "data": signals, "chanlocs": labels} | shape | empty}, appendmat=False
    )


def _as_eeglab(folder: Path, scale: float = 1.0, trials: int = 1, ending: str = ".set") -> None:
    """Put an EEGLAB file in the BrainVision recording's place."""
    for other in (".vhdr", ".vmrk", ".eeg"):
        (folder / f"{STEM}_eeg{other}").unlink()
    signals = _signals(scale=scale)
    signals = signals if trials == 1 else signals.reshape(8, -1, trials)
    _write_eeglab(folder / f"{STEM}_eeg{ending}", signals, trials)


def test_an_epoched_file_is_refused_by_name(root, folder):
    _as_eeglab(folder, trials=2)
    with pytest.raises(InputError, match=rf"{STEM}_eeg.set: file: MNE cannot read it"):
        _read(root)


@pytest.mark.parametrize(("unit", "scale", "ending"), [(None, 1, ".set"), ("mV", 1e-3, ".set"), ("V", 1e-6, ".SET")])
def test_eeglab_files_are_in_microvolts_or_what_the_table_says(root, folder, unit, scale, ending):
    _as_eeglab(folder, scale, ending=ending)
    if unit:
        _write_table(folder / f"{STEM}_channels.tsv", name=NAMES, type=["EEG"] * 8, units=[unit] * 8)
    corpus, (block,) = _read(root)
    assert np.allclose(block.trials.read(np.array([0]), 0, 50)[0], _signals()[:, 500:550], atol=1e-4)
    assert _said(corpus, [block]) == ""


def test_eeglab_files_in_volts_are_refused(root, folder):
    _as_eeglab(folder, 1e-6)
    with pytest.raises(InputError, match="V read as uV"):
        _read(root)


def test_sessions_runs_and_acquisitions_of_any_name(root, folder):
    for place in ("ses-A", "ses-01b", "ses-post", "ses-10", "ses-2"):
        other = root / f"sub-01/{place}/eeg/sub-01_{place}_acq-x_task-tangram_run-2"
        write_brainvision(other.with_name(f"{other.name}_eeg.vhdr"), _signals(), NAMES, 1000.0)
        shutil.copy(folder / f"{STEM}_events.tsv", other.with_name(f"{other.name}_events.tsv"))
    write_brainvision(folder / f"{STEM}_run-2_eeg.vhdr", _signals(), NAMES, 1000.0)
    shutil.copy(folder / f"{STEM}_events.tsv", folder / f"{STEM}_run-2_events.tsv")
    corpus, blocks = _read(root)
    assert sorted({block.session for block in blocks}, key=natural_order) == ["01", "01b", "2", "10", "A", "post"]
    assert len(blocks) == 7
    assert {problem.field for problem in corpus.problems} == {"samples"}  # they are copies
    assert session_label(Path("sub-01/ses-pre/eeg/sub-01_task-x_eeg.edf")) == "pre"
    assert session_label(Path("sub-01/eeg/sub-01_task-x_eeg.edf")) is None


def test_subjects_of_any_label(root):
    for name in ("sub-control01", "sub-1+2", "sub-AbC"):
        for path in (root / "sub-01/ses-01/eeg").iterdir():
            other = root / name / "eeg" / path.name.replace("sub-01_ses-01", name)
            other.parent.mkdir(parents=True, exist_ok=True)
            other.write_bytes(path.read_bytes().replace(b"sub-01_ses-01", name.encode()))
    corpus, blocks = _read(root)
    assert sorted(block.subject for block in blocks) == ["sub-01", "sub-1+2", "sub-AbC", "sub-control01"]
    assert {problem.field for problem in corpus.problems} == {"samples"}  # they are copies


@pytest.mark.parametrize(
    "moved", [{".vhdr": ".VHDR"}, {".eeg": ".EEG", ".vmrk": ".VMRK"}, {".vhdr": ".Vhdr", ".eeg": ".EEG"}]
)
def test_brainvision_in_upper_case(root, folder, moved):
    plain = _read(root)[1][0].trials.read(np.arange(3), -100, 300)
    for ending, other in moved.items():
        (folder / f"{STEM}_eeg{ending}").rename(folder / f"{STEM}_eeg{other}")
    _, (block,) = _read(root)
    assert np.array_equal(block.trials.read(np.arange(3), -100, 300), plain)


@pytest.mark.parametrize("ending", [".EDF", ".Edf"])
def test_edf_in_upper_case(root, folder, ending):
    _as_edf(folder, NAMES)
    (folder / f"{STEM}_eeg.edf").rename(folder / f"{STEM}_eeg{ending}")
    _, (block,) = _read(root)
    assert block.channels == NAMES


def test_a_channel_is_what_its_table_says(root, folder):
    _as_edf(folder, [*NAMES, "X1", "EXG1", "Temp"])
    kinds = ["EEG"] * 8 + ["EOG", "MISC", "TEMP"]
    status = ["good"] * 7 + ["bad"] + ["good"] * 3
    _write_table(folder / f"{STEM}_channels.tsv", name=[*NAMES, "X1", "EXG1", "Temp"], type=kinds, status=status)
    corpus, (block,) = _read(root)
    assert block.channels == NAMES
    said = _said(corpus, [block])
    assert "are no electrodes, and are left out: X1 (EOG), EXG1 (MISC), Temp (TEMP)" in said
    assert f"are bad, and are interpolated from the others: {NAMES[7]}" in said
    signals, sound = block.trials.read(np.arange(3), 0, 200), _signals(11)
    assert np.allclose(signals[0][:7], sound[:7, 500:700], atol=0.01)
    assert not np.allclose(signals[0][7], sound[7, 500:700], atol=1)
    assert signals[0][7].std() > 0.5
    assert any(path.name.endswith("channels.tsv") for path in corpus.files["sub-01"])


def test_a_bad_electrode_that_is_no_number_does_not_spoil_the_others(root, folder):
    signals = _signals() + np.where(np.arange(8) == 2, np.nan, 0)[:, None]
    write_brainvision(folder / f"{STEM}_eeg.vhdr", signals, NAMES, 1000.0)
    status = ["good"] * 2 + ["bad"] + ["good"] * 5
    _write_table(folder / f"{STEM}_channels.tsv", name=NAMES, type=["EEG"] * 8, status=status)
    _, (block,) = _read(root)
    assert np.isfinite(block.trials.read(np.arange(3), 0, 100)).all()


def test_too_many_bad_electrodes_are_refused(root, folder):
    status = ["bad"] * 3 + ["good"] * 5
    _write_table(folder / f"{STEM}_channels.tsv", name=NAMES, type=["EEG"] * 8, status=status)
    with pytest.raises(InputError, match="at most 25% of the electrodes may be bad"):
        _read(root)


def test_without_a_table_names_tell_what_is_no_electrode(root, folder):
    _as_edf(folder, [*NAMES, "HEOG", "EKG1", "GSR", "A1+A2"])
    corpus, (block,) = _read(root)
    assert block.channels == NAMES
    assert "HEOG (EOG), EKG1 (ECG), GSR (GSR), A1+A2 (MISC)" in _said(corpus, [block])


@pytest.mark.parametrize(
    ("in_file", "in_table", "scale", "microvolts"),
    [
        ("uV", None, 1, True),
        ("mV", None, 1e-3, True),
        ("nV", None, 1e3, True),
        ("uV", None, 1e-6, False),  # volts called microvolts
        ("mV", None, 1, False),
        ("V", None, 1, False),
        ("", "uV", 1, True),
        ("", "mV", 1e-3, True),
        ("", None, 1, False),
        ("uV", "µV", 1, True),
        ("uV", "V", 1, True),  # only the file's makes it EEG
        ("V", "uV", 1, True),  # only the table's does
        ("uV", "mV", 0.2, False),  # either may be right
        ("degC", None, 1, False),
    ],
)
def test_the_unit_is_told_and_checked(root, folder, in_file, in_table, scale, microvolts):
    signals = _signals(scale=scale)
    _as_edf(folder, NAMES, unit=in_file, signals=signals)
    if in_table:
        _write_table(folder / f"{STEM}_channels.tsv", name=NAMES, type=["EEG"] * 8, units=[in_table] * 8)
    if not microvolts:
        with pytest.raises(InputError, match=f"{STEM}_eeg.edf: unit: "):
            _read(root)
        return
    corpus, (block,) = _read(root)
    assert np.allclose(block.trials.read(np.array([0]), 0, 50)[0], _signals()[:, 500:550], atol=0.01)
    contrary = in_table is not None and in_file not in ("", in_table) and in_table != "µV"
    assert ("another unit in channels.tsv" in _said(corpus, [block])) == contrary


def test_an_electrode_of_another_scale_is_refused_by_name(root, folder):
    _as_edf(folder, NAMES, signals=_signals() * np.where(np.arange(8) == 5, 1000, 1)[:, None])
    with pytest.raises(InputError, match=f"of the others' scale, within 100 times .found {NAMES[5]} "):
        _read(root)
    _write_table(folder / f"{STEM}_channels.tsv", name=NAMES, status=["good"] * 5 + ["bad"] + ["good"] * 2)
    assert _read(root)[1][0].channels == NAMES


def _pause(folder: Path, seconds: float, after: int = 5000) -> None:
    marks = (folder / f"{STEM}_eeg.vmrk").read_text()
    clock = 20000101000000 + round(after / 1000 + seconds)
    (folder / f"{STEM}_eeg.vmrk").write_text(f"{marks}Mk2=New Segment,,{after + 1},1,0,{clock}000000\n")


def test_onsets_and_epochs_heed_a_pause(root, folder):
    _pause(folder, 20)
    path = folder / f"{STEM}_events.tsv"
    events = pandas.read_csv(path, sep="\t")
    sample = np.rint(events["onset"] * 1000)
    events.assign(onset=np.where(sample < 5000, events["onset"], events["onset"] + 20)).to_csv(
        path, sep="\t", index=False
    )
    _, (block,) = _read(root)
    assert block.trials.read(np.arange(18), 0, 1)[:, 0, 0].tolist() == pytest.approx(
        _signals()[0, sample[:18].astype(int)]
    )
    inside, over = (f(-200, 1201) for f in (block.trials.inside, block.trials.over_pauses))
    crossing = (sample[:18] - 200 < 5000) & (sample[:18] + 1001 > 5000)
    assert over.tolist() == crossing.tolist()
    assert inside.tolist() == (~crossing & (sample[:18] + 1001 <= 10_000)).tolist()


@pytest.mark.parametrize("seconds", [-3600, 40 * 86_400])
def test_a_clock_that_was_set_is_refused(root, folder, seconds):
    start = datetime(2000, 1, 1) + timedelta(seconds=seconds)
    with (folder / f"{STEM}_eeg.vmrk").open("a") as markers:
        markers.write(f"Mk2=New Segment,,5001,1,0,{start:%Y%m%d%H%M%S}000000\n")
    with pytest.raises(InputError, match="clock: a piece must begin after the one before it"):
        _read(root)


@pytest.mark.parametrize("kind", ["EDF+D", "EDF+C"])
def test_onsets_heed_the_gaps_of_edf(root, folder, kind):
    """The records are of a second, and the last five were recorded 20 s later, whatever the header says of it."""
    for ending in (".vhdr", ".vmrk", ".eeg"):
        (folder / f"{STEM}_eeg{ending}").unlink()
    write_stamped(folder / f"{STEM}_eeg.edf", [*range(5), *range(25, 30)], kind, rate=1000.0)
    path = folder / f"{STEM}_events.tsv"
    events = pandas.read_csv(path, sep="\t")
    events.assign(onset=events["onset"] + 20 * (events["onset"] >= 5)).to_csv(path, sep="\t", index=False)
    _, (block,) = _read(root)
    assert len(block.image) == 18
    assert block.trials.over_pauses(-200, 1201).sum() == 3


def test_onsets_that_do_not_heed_a_pause_are_refused_or_told_by_samples(root, folder):
    _pause(folder, 20)
    with pytest.raises(InputError, match="lie in a pause of the recording"):
        _read(root)
    path = folder / f"{STEM}_events.tsv"
    events = pandas.read_csv(path, sep="\t")
    events.assign(sample=np.rint(events["onset"] * 1000)).to_csv(path, sep="\t", index=False)
    _, (block,) = _read(root)
    assert len(block.image) == 18


def test_a_filter_does_not_run_over_a_pause():
    signals = np.random.default_rng(0).standard_normal((2, 4000))
    jump = signals + 1e4 * (np.arange(4000) >= 2000)
    onsets = np.array([1500, 1900, 2000, 2500])
    parts = [
        Continuous(lambda start, stop, s=s: s[:, start:stop], onsets, 4000, [2000]).filtered(1.0, 40.0, 250.0)
        for s in (signals, jump)
    ]
    before, after = (part.read(np.array([0, 1, 2, 3]), 0, 100) for part in parts)
    assert np.allclose(before, after, atol=1e-6)
    whole = Continuous(lambda start, stop: jump[:, start:stop], onsets, 4000).filtered(1.0, 40.0, 250.0)
    assert not np.allclose(before, whole.read(np.array([0, 1, 2, 3]), 0, 100), atol=1)


def test_the_unit_of_onsets_is_inherited_from_the_root(root, folder):
    path = folder / f"{STEM}_events.tsv"
    events = pandas.read_csv(path, sep="\t")
    events["onset"] = 5.0 * np.arange(19)
    events.to_csv(path, sep="\t", index=False)
    with pytest.raises(InputError, match="in ms too"):  # images do not follow each other in 5 ms
        _read(root)
    (root / "task-tangram_events.json").write_text(json.dumps({"onset": {"Units": "ms"}}))
    (root / "task-other_events.json").write_text(json.dumps({"onset": {"Units": "minutes"}}))
    _, (block,) = _read(root)
    assert block.trials.read(np.array([3]), 0, 1)[0, 0, 0] == pytest.approx(_signals()[0, 15], abs=1e-5)
    (root / "task-tangram_events.json").write_text("{")
    with pytest.raises(InputError, match=r"task-tangram_events.json: must be JSON"):
        _read(root)


def test_the_nearest_sidecar_with_the_most_entities_counts(root, folder):
    recording = folder / f"{STEM}_eeg.vhdr"
    assert find_sidecar(recording, root, "channels", ".tsv") is None
    for name in ("channels.tsv", "sub-01_channels.tsv", "task-tangram_channels.tsv", "task-x_channels.tsv"):
        (root / name).write_text("name\n")
    assert find_sidecar(recording, root, "channels", ".tsv").name in (
        "sub-01_channels.tsv",
        "task-tangram_channels.tsv",
    )
    (root / "sub-01/sub-01_channels.tsv").write_text("name\n")
    assert find_sidecar(recording, root, "channels", ".tsv") == root / "sub-01/sub-01_channels.tsv"
    (folder / "._sub-01_channels.tsv").write_bytes(b"\0")
    (folder / f"{STEM}_run-2_channels.tsv").write_text("name\n")
    (folder / f"{STEM}_CHANNELS.TSV").write_text("name\n")
    assert find_sidecar(recording, root, "channels", ".tsv") == folder / f"{STEM}_CHANNELS.TSV"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_events_however_they_were_saved(root, folder, encoding):
    path = folder / f"{STEM}_events.tsv"
    text = path.read_text().replace(".", ",").replace("\n", "\r\n")  # a spreadsheet's decimal commas
    path.write_bytes(text.encode(encoding))
    _, (block,) = _read(root)
    assert len(block.image) == 18


def test_names_that_look_like_missing_values_are_names(root, folder):
    for path in (root / "stimuli.tsv", folder / f"{STEM}_events.tsv"):
        path.write_text(path.read_text().replace("page1-0", "NA").replace("page1-1", "007"))
    corpus, (block,) = _read(root)
    assert len(block.image) == 18
    assert {"NA", "007"} <= set(corpus.images["name"])


def test_a_table_that_is_none_is_refused_by_name(root, folder):
    (folder / f"{STEM}_events.tsv").write_bytes(b"")
    with pytest.raises(InputError, match=r"_events.tsv: must be a table"):
        _read(root)


def _second_run(folder: Path, signals: np.ndarray | None = None, names: list[str] = NAMES) -> Path:
    """Write a second run with events of its own; return its header."""
    path = folder / f"{STEM}_run-02_eeg.vhdr"
    write_brainvision(path, np.roll(_signals(), 5, 1) if signals is None else signals, names, 1000.0)
    shutil.copy(folder / f"{STEM}_events.tsv", folder / f"{STEM}_run-02_events.tsv")
    return path


def _make_unreadable(folder):
    _second_run(folder).write_text("nothing")


def _make_volts(folder):
    _second_run(folder, _signals() * 1e6)


def _lose_events(folder):
    _second_run(folder)
    (folder / f"{STEM}_run-02_events.tsv").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_make_unreadable, "MNE cannot read it"),
        (_make_volts, "median standard deviation must lie in"),
        (_lose_events, f"is that of {STEM}_eeg.vhdr, and {STEM}_run-02_eeg.vhdr has none of its own"),
    ],
)
def test_a_run_that_cannot_be_used_costs_itself_alone(root, folder, damage, message):
    damage(folder)
    corpus, blocks = _read(root)
    assert [block.source for block in blocks] == [f"sub-01/ses-01/eeg/{STEM}_eeg.vhdr"]
    assert any(message in problem.message for problem in [*corpus.problems, *blocks[0].problems])
    _make_unreadable(folder)
    (folder / f"{STEM}_eeg.vhdr").write_text("nothing")
    with pytest.raises(InputError, match=r"2 of 2 recordings cannot be used: .*_eeg.vhdr.*; .*_run-02_eeg.vhdr"):
        _read(root)


def test_runs_are_numbers(root, folder):
    for run in ("1", "01"):
        write_brainvision(folder / f"{STEM}_run-{run}_eeg.vhdr", np.roll(_signals(), 3, 1), NAMES, 1000.0)
        shutil.copy(folder / f"{STEM}_events.tsv", folder / f"{STEM}_run-{run}_events.tsv")
    corpus, blocks = _read(root)
    assert len(blocks) == 2
    assert f"{STEM}_run-1_eeg.vhdr: is the recording sub-01/ses-01/eeg/{STEM}_run-01_eeg.vhdr once" in _said(corpus, [])


def test_rows_that_are_there_twice_count_once(root, folder):
    path = folder / f"{STEM}_events.tsv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, *lines[1:4]]))
    corpus, (block,) = _read(root)
    assert len(block.image) == 18
    assert "3 of 21 rows are there twice, and count once" in _said(corpus, [block])


@pytest.mark.parametrize("name", ["Sub-02", "SUB-02", "sub_02", "sub02"])
def test_folders_that_look_like_subjects_are_named(root, name):
    shutil.copytree(root / "sub-01", root / name)
    corpus, blocks = _read(root)
    assert len(blocks) == 1
    assert f"{name}: is not read: the folders of subjects are called sub-XX" in _said(corpus, blocks)


def test_a_declared_unit_in_which_images_follow_each_other_too_fast_is_not_theirs(root, folder):
    (folder / f"{STEM}_events.json").write_text('{"onset": {"Units": "ms"}}')
    corpus, (block,) = _read(root)
    assert np.allclose(block.trials.read(np.array([0]), 0, 10)[0], _signals()[:, 500:510], atol=1e-5)
    assert "is in s by most of its rows, where events.json says ms" in _said(corpus, [block])


def _change_edf(path: Path, at: int, text: bytes, width: int = 8) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + width] = text.ljust(width)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("at", "text", "message"),
    [
        (236, b"4", None),  # more records follow
        (236, b"-1", None),
        (236, b"20", "file size: must be"),
        (244, b"1,0", None),
        (168, b"99.99.99", None),
        (256 + 16, b"Fp2\0\0\0", None),
        (256 + 8 * (16 + 80 + 8) + 8, b"0", "must scale each electrode .found Fp2: physical 0 to 0"),
    ],
)
def test_headers_of_edf_as_devices_write_them(root, folder, at, text, message):
    _as_edf(folder, NAMES)
    path = folder / f"{STEM}_eeg.edf"
    _change_edf(path, at, text)
    if message and "scale" in message:
        _change_edf(path, at + 8 * 8, b"0")  # the largest of the same electrode
    if message:
        with pytest.raises(InputError, match=message):
            _read(root)
        return
    _, (block,) = _read(root)
    assert block.channels == NAMES
    assert np.allclose(block.trials.read(np.array([0]), 0, 10)[0], _signals()[:, 500:510], atol=0.01)


def test_other_rates_beside_the_electrodes_change_nothing_and_among_them_are_refused(root, folder):
    _as_edf(folder, NAMES)
    path = folder / f"{STEM}_eeg.edf"

    def write(rates: list[int], names: list[str]) -> None:
        rows = np.vstack([_signals(), _signals()[:1]])
        recorded = [
            edfio.EdfSignal(
                np.repeat(row, 2) if rate == 2000 else row[:: 1000 // rate],
                rate,
                label=name,
                physical_dimension="uV",
                physical_range=(-30, 30),
            )
            for name, rate, row in zip(names, rates, rows, strict=False)
        ]
        edfio.Edf(recorded).write(path)

    write([1000] * 8 + [2000], [*NAMES, "ECG"])
    _, (block,) = _read(root)
    assert block.sfreq == 1000
    assert np.allclose(block.trials.read(np.array([0]), 0, 10)[0], _signals()[:, 500:510], atol=0.01)
    write([1000] * 7 + [500], NAMES)
    with pytest.raises(InputError, match=r"sampling rate: must be one for all electrodes .found .500.0, 1000.0"):
        _read(root)


def test_electrodes_that_occur_twice_are_refused(root, folder):
    _as_edf(folder, [*NAMES[:7], NAMES[0]])
    with pytest.raises(InputError, match=f"channels: {NAMES[0]} must occur once"):
        _read(root)
    _write_edf(folder / f"{STEM}_eeg.edf", [*NAMES[:6], "X-1", "X-2"])  # names of the recorder's own
    assert _read(root)[1][0].channels == [*NAMES[:6], "X-1", "X-2"]
    _write_edf(folder / f"{STEM}_eeg.edf", [*NAMES, "DC", "DC"])
    assert _read(root)[1][0].channels == NAMES


def test_a_run_with_samples_that_are_no_numbers_costs_itself_alone(root, folder):
    _second_run(folder, _signals() + np.where(np.arange(8) == 2, np.nan, 0)[:, None])
    _, (block,) = _read(root)
    assert any("AF7: signal: must be finite" in problem.message for problem in block.problems)


def test_a_tangram_has_one_split(root):
    path = root / "stimuli.tsv"
    path.write_text(path.read_text() + "page1-0\ttraining\n")
    assert len(_read(root)[1]) == 1
    path.write_text(path.read_text() + "page1-0\ttest\n")
    with pytest.raises(InputError, match=r"stimuli.tsv: split: must be one for each tangram .found two for page1-0"):
        _read(root)
