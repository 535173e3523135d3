"""Folders of recordings: each one once, none ends the others, and the list survives what people do to it."""

import contextlib
import csv
import errno
import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import edfio
import mne
import numpy as np
import pandas
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.events.prediction import prediction, recordings_folder
from eegdiffusion.events.prediction.output_folder import one_at_a_time
from tests.predict.stand_in import classifier
from tests.tuev_fixture import signals, write_edf

NAMES = [f"Fp{name[2:]}" if name.startswith("FP") else name.title() for name in ELECTRODES]


def _edf(path: Path, seed: int = 0, **options) -> Path:
    write_edf(path, names=ELECTRODES, seed=seed, seconds=options.pop("seconds", 6), **options)
    return path


def _fif(path: Path, seed: int = 0, seconds: float = 6, change=lambda data: None, **options) -> Path:
    data = signals(NAMES, seconds, 250.0, seed) * 1e-6
    change(data)
    raw = mne.io.RawArray(data, mne.create_info(NAMES, 250.0, "eeg"), verbose="error")
    raw.save(path, verbose="error", **options)
    return path


def _brainvision(path: Path, seed: int) -> Path:
    data = signals(NAMES, 6, 250.0, seed)
    path.with_suffix(".eeg").write_bytes(data.T.astype("<f4").tobytes())
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nDataFile=r.eeg\n[Marker Infos]\n"
    )
    channels = "\n".join(f"Ch{k + 1}={name},,1,µV" for k, name in enumerate(NAMES))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(NAMES)}\nSamplingInterval=4000\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n"
        f"[Channel Infos]\n{channels}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def _run(folder: Path, out: Path | None = None) -> pandas.DataFrame:
    """Predict a folder, which may end with refusals, and read its list, by recording."""
    out = out or folder.parent / "out"
    with contextlib.suppress(InputError):
        recordings_folder.predict_all(folder, out, classifier())
    return pandas.read_csv(out / "recordings.csv", keep_default_na=False).set_index("recording")


def test_parts_of_a_split_recording_are_read_with_the_first(folder):
    _fif(folder / "x_raw.fif", seconds=150, split_size="2MB")
    _fif(folder / "y_raw.fif", seed=1, seconds=150, split_size="2MB", split_naming="bids")
    _fif(folder / "z_raw.fif", seed=2)
    _fif(folder / "z_raw-1.fif", seed=3)  # is called like a part, and is none
    table = _run(folder)
    done = table[table["status"] == "done"]
    assert set(done.index) == {"x_raw.fif", "y_split-01_raw.fif", "z_raw.fif", "z_raw-1.fif"}
    assert done["duration_s"].astype(float).sum() == pytest.approx(2 * 150 + 2 * 6)
    assert set(table["status"]) == {"done", "left out"}
    assert table.loc["x_raw-1.fif", "message"] == "is a part of x_raw.fif, with which it is read"
    assert len(table) == len(list(folder.iterdir()))


@pytest.mark.parametrize("naming", ["neuromag", "bids"])
@pytest.mark.parametrize("lost", [0, 1])
def test_parts_without_those_before_them_are_refused_by_name(folder, naming, lost):
    _fif(folder / "x_raw.fif", seconds=150, split_size="2MB", split_naming=naming)
    parts = sorted(folder.iterdir(), key=lambda path: (path.name != "x_raw.fif", path.name))
    assert len(parts) > 2
    parts[lost].unlink()
    table = _run(folder)
    assert dict(table["status"]) == {path.name: "refused" for path in parts if path != parts[lost]}
    for part, before in zip(parts[2:], parts[1:], strict=False):
        assert (
            f"must be the first part of a recording that was split (the part before it is {before.name})"
            in (table.loc[part.name, "message"])
        )


def _with_header(path: Path, source: Path, **fields: bytes) -> None:
    """Copy an EDF file, with another patient, recording or date in its header."""
    content = bytearray(source.read_bytes())
    for at, width, name in ((8, 80, "patient"), (88, 80, "recording"), (168, 8, "date")):
        if name in fields:
            content[at : at + width] = fields[name].ljust(width)
    path.write_bytes(content)


def test_copies_that_are_anonymous_at_another_rate_or_renamed_are_counted_once_or_said(folder):
    data = signals(NAMES, 20, 256.0)
    _edf(folder / "x.edf", data=data, rate=256, seconds=20)
    (folder / "anonymous").mkdir()
    _with_header(folder / "anonymous/x.edf", folder / "x.edf")
    _with_header(folder / "x.edf", folder / "x.edf", patient=b"1 F 02-MAR-1970 Anna", date=b"05.06.12")
    _with_header(folder / "y.edf", folder / "x.edf", patient=b"2 M X X")
    raw = mne.io.RawArray(data * 1e-6, mne.create_info(NAMES, 256.0, "eeg"), verbose="error")
    raw.resample(200, verbose="error").save(folder / "x_raw.fif", verbose="error")
    _brainvision(folder / "b.vhdr", 5)
    _brainvision(folder / "c.vhdr", 5)  # whose header names files of its own
    for place, text in (("d", "Anna Doe"), ("e", "X")):  # annotations are no samples
        (folder / place).mkdir()
        recorded = [
            edfio.EdfSignal(row, 256, label=f"EEG {name}-REF", physical_dimension="uV")
            for name, row in zip(ELECTRODES, data, strict=True)
        ]
        edfio.Edf(recorded, annotations=[edfio.EdfAnnotation(0, None, text.ljust(20))]).write(folder / place / "r.edf")
    table = _run(folder)
    assert table["status"].to_dict() == {
        "anonymous/x.edf": "done",
        "b.vhdr": "done",
        "c.vhdr": "done",
        "d/r.edf": "done",
        "e/r.edf": "duplicate",
        "x.edf": "duplicate",
        "x_raw.fif": "duplicate",
        "y.edf": "done",
    }
    assert table.loc["x_raw.fif", "message"] == "holds the same samples as anonymous/x.edf"
    # Headers may differ because the recordings do; what is alike is said.
    for name, other in (("c.vhdr", "b.vhdr"), ("y.edf", "anonymous/x.edf")):
        said = f"has the samples of {other}, under another header: its events count twice if it is a copy"
        assert table.loc[name, "message"].endswith(said)


def test_what_is_not_read_is_named(folder):
    _edf(folder / "x.edf")
    _brainvision(folder / "b.vhdr", 1)
    (folder / "b.eeg").rename(folder / "B.EEG")  # the header's all the same
    unread = ["a.gdf", "b.CNT", "c.edf.gz", "d.trc", "e.zip", "f.eeg", "f.vmrk"]
    for name in unread:
        (folder / name).write_bytes(b"0")
    (folder / "g.mff").mkdir()
    (folder / "notes.txt").write_text("no recording")
    table = _run(folder)
    assert dict(table["status"]) == {"x.edf": "done", "b.vhdr": "done"} | dict.fromkeys([*unread, "g.mff"], "left out")
    assert table.loc["a.gdf", "message"].startswith("is of a format that is not read, which are .edf")
    assert table.loc["f.eeg", "message"] == "belongs to no header .vhdr that is there"
    assert table.loc["e.zip", "message"] == "is an archive; recordings in it are not read"


def test_files_that_cannot_be_opened_do_not_end_the_others(folder, monkeypatch):
    _edf(folder / "x.edf")
    for name, seed in (("b", 1), ("c", 1)):
        _brainvision(folder / f"{name}.vhdr", seed)
    opened = Path.open

    def refuse(path, *words, **options):
        if path.name == "b.vhdr":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *words, **options)

    monkeypatch.setattr(Path, "open", refuse)  # as root everything can be opened
    table = _run(folder)
    assert table.loc[["x.edf", "c.vhdr"], "status"].tolist() == ["done", "done"]
    assert table.loc["b.vhdr", "status"] in ("refused", "failed")
    assert "Permission denied" in table.loc["b.vhdr", "message"]


def test_what_the_results_leave_out_of_a_date_is_in_the_list(folder):
    _edf(folder / "x.edf")
    _with_header(folder / "x.edf", folder / "x.edf", recording=b"Startdate 01-JAN-1970 X X X")
    _edf(folder / "y.edf", seed=1)
    _with_header(folder / "y.edf", folder / "y.edf", recording=b"Startdate X X X X", date=b"01.01.85")
    _edf(folder / "z.edf", seed=2)
    _with_header(folder / "z.edf", folder / "z.edf", recording=b"Startdate 01-JAN-2020 X X X")
    messages = _run(folder)["message"]
    assert messages["x.edf"].startswith("the date 1970-01-01 is left out: EDF+ holds 1985 to 2084")
    assert messages["y.edf"].startswith("the recording has no date")
    assert messages["z.edf"] == ""
    for name in ("x", "y"):
        content = (folder.parent / f"out/{name}.edf").read_bytes()
        assert content[88:104].decode().startswith("Startdate X ")


def test_one_recording_in_two_formats_or_places_is_counted_once(folder):
    _edf(folder / "x.edf")
    _fif(folder / "x_raw.fif")  # the same samples
    (folder / "z").mkdir()
    shutil.copy(folder / "x.edf", folder / "z/copy.edf")
    (folder / "0.edf").symlink_to(folder / "x.edf")
    _edf(folder / "y.edf", seed=1)
    _fif(folder / "y.fif", seed=2)  # another recording of the same name
    for place, seed in (("a", 5), ("b", 6)):  # headers of the same bytes, of other samples
        (folder / place).mkdir()
        _brainvision(folder / place / "r.vhdr", seed)
    _fif(folder / "r.fif", seed=6)
    table = _run(folder)
    assert table["status"].to_dict() == {
        "0.edf": "duplicate",
        "a/r.vhdr": "done",
        "b/r.vhdr": "done",
        "r.fif": "duplicate",
        "x.edf": "done",
        "x_raw.fif": "duplicate",
        "y.edf": "done",
        "y.fif": "done",
        "z/copy.edf": "duplicate",
    }
    assert table.loc["x_raw.fif", "message"] == "holds the same samples as x.edf"
    assert table.loc["0.edf", "message"] == "is x.edf by another name"
    assert table.loc["r.fif", "message"] == "holds the same samples as b/r.vhdr"
    assert table["spsw"].replace("", 0).astype(int).sum() == 5, "an event of each recording that is counted"
    for name in table["results"]:
        assert (folder.parent / "out" / f"{name}.csv").is_file()


def test_a_copy_of_what_was_refused_stands_for_itself(folder):
    _edf(folder / "x.edf", seconds=20)
    _fif(folder / "x.fif", seconds=20)
    content = bytearray((folder / "x.edf").read_bytes())
    header = bytes(content[256 : 256 + 16 * len(ELECTRODES)])
    content[256 : 256 + 16 * len(ELECTRODES)] = header.replace(b"EEG CZ-REF", b"EEG CZ-LE ")  # another reference
    (folder / "x.edf").write_bytes(content)
    assert _run(folder)["status"].to_dict() == {"x.edf": "refused", "x.fif": "done"}


def test_epochs_and_results_are_named_and_are_no_recordings(folder, tmp_path):
    raw = mne.io.RawArray(signals(NAMES, 6, 250.0) * 1e-6, mne.create_info(NAMES, 250.0, "eeg"), verbose="error")
    epochs = mne.make_fixed_length_epochs(raw, 1, verbose="error")
    epochs.save(folder / "x-epo.fif", verbose="error")
    epochs.average().save(folder / "x_ave.fif", verbose="error")
    _fif(folder / "called-ave.fif")  # and is continuous
    _run(folder)
    shutil.copytree(tmp_path / "out", folder / "results of last year")
    table = _run(folder, tmp_path / "other")
    assert table["status"].to_dict() == {
        "called-ave.fif": "done",
        "results of last year/called-ave.edf": "left out",
        "x-epo.fif": "left out",
        "x_ave.fif": "left out",
    }
    assert "not a continuous recording" in table.loc["x-epo.fif", "message"]
    assert "is a result of this command" in table.loc["results of last year/called-ave.edf", "message"]


def test_no_two_recordings_have_results_of_one_name_on_any_disk(folder):
    names = ["x.EDF", "X.edf", "x.edf", "Recordings.edf", "recordings.csv.edf", "a.edf", "a.edf.edf", "a.bdf.edf"]
    names += ["n\u0303.edf", "\u00f1.edf"]  # one letter, composed or not
    for seed, name in enumerate(names):
        _edf(folder / name, seed)
    table = _run(folder)
    assert set(table["status"]) == {"done"}
    written = [f"{name}.{ending}".casefold() for name in table["results"] for ending in ("csv", "edf", "png")]
    assert len({name.replace("n\u0303", "\u00f1") for name in written} | {"recordings.csv"}) == 3 * len(names) + 1
    assert {path.name for path in (folder.parent / "out").glob("[!.]*")} >= {f"{name}.png" for name in table["results"]}
    # A recording that comes later takes no name of one that is done.
    before = table["results"].to_dict()
    _fif(folder / "a.fif", seed=30)
    after = _run(folder)["results"].to_dict()
    assert after == before | {"a.fif": "a.fif"}


def _raise(error: BaseException):
    def read(*_):
        raise error

    return read


HOSTILE = {
    "exception": RuntimeError("anything"), "memory": MemoryError("Unable to allocate 1 TiB"),
    "disk": OSError(errno.ENOSPC, "No space left on device"), "index": IndexError("list index out of range"),
    "text": UnicodeDecodeError("utf-8", b"\xeb", 0, 1, "invalid"), "recursion": RecursionError("too deep"),
}  # fmt: skip
"""Errors that a reader of some recordings raises, by the beginnings of their names."""


def _write_hostile(folder: Path) -> list[str]:
    """Write 60 files, links and pipes of which each could end a run; returns what the list calls them."""
    names = ["Ward $5_$ 10%.edf", "100%d {x} [y] \\n.edf", "new\nline.edf", "tab\t.edf", "=1+1.edf", "; , '\".edf"]
    names += [
        "-rf.edf",
        "a b .edf",
        "\u202egnp.edf",
        "🧠.edf",
        "x" * 200 + ".edf",
        "y" * 251 + ".edf",
        "%s%s.edf",
        "$.edf",
    ]
    for seed, name in enumerate(names):
        _edf(folder / name, seed)
    undecoded = [b"Pati\xebnt.edf", b"\xff\xfe.edf"]
    for seed, name in enumerate(undecoded, 20):
        _edf(folder / "r", seed).rename(Path(os.fsdecode(os.fsencode(folder) + b"/" + name)))
    sound = _edf(folder / "sound.edf", 30).read_bytes()
    damaged = {
        "empty": b"", "text": b"hello", "cut": sound[:5000], "header": sound[:300], "zeros": bytes(5000),
        "date": sound[:168] + b"31.02.85" + sound[176:], "clock": sound[:176] + b"25.61.61" + sound[184:],
        "signals": sound[:252] + b"9999" + sound[256:], "minus": sound[:252] + b"-5  " + sound[256:],
        "records": sound[:236] + b"-1      " + sound[244:], "record": sound[:244] + b"1e300   " + sound[252:],
        "noise": np.random.default_rng(0).bytes(5000), "latin": sound[:8] + b"\xb5" * 80 + sound[88:],
    }  # fmt: skip
    for name, content in damaged.items():
        (folder / f"damaged {name}.edf").write_bytes(content)
        (folder / f"damaged {name}.fif").write_bytes(content[::-1])
    (folder / "damaged.vhdr").write_bytes(b"\xff\xfe\0")
    (folder / "damaged.bdf").write_bytes(b"\xffBIOSEMI")
    for name in HOSTILE:
        _edf(folder / f"{name}.edf", 40 + len(name))
    edfio.Edf([], annotations=[edfio.EdfAnnotation(1, 1, "seizure")]).write(folder / "annotations.edf")
    (folder / "loop.edf").symlink_to(folder / "loop.edf")
    (folder / "gone.edf").symlink_to(folder / "nowhere.edf")
    os.mkfifo(folder / "pipe.edf")
    (folder / "offline").symlink_to("/mnt/nowhere")
    (folder / "round").symlink_to(folder)
    early = mne.io.RawArray(signals(NAMES, 6, 250.0, 60) * 1e-6, mne.create_info(NAMES, 250.0, "eeg"), verbose="error")
    early.set_meas_date(datetime(1960, 1, 1, tzinfo=UTC)).save(folder / "early_raw.fif", verbose="error")

    def step(data):
        data[3, 700:] += 20

    _fif(folder / "step_raw.fif", 61, change=step)
    _edf(folder / "z.edf", 62)
    return sorted(path.name for path in folder.iterdir())


def test_each_of_sixty_hostile_files_has_a_row_and_none_ends_the_others(folder, monkeypatch, capsys):
    names = _write_hostile(folder)
    assert len(names) == 60
    read = recordings_folder.open_recording

    def read_hostile(path, rename):
        error = next((error for start, error in HOSTILE.items() if path.name == f"{start}.edf"), None)
        return _raise(error)() if error else read(path, rename)

    monkeypatch.setattr(recordings_folder, "open_recording", read_hostile)
    with pytest.raises(InputError, match=r"\d+ of 59 recordings were refused and \d+ of 59 recordings failed, listed"):
        recordings_folder.predict_all(folder, folder.parent / "out", classifier())
    with (folder.parent / "out/recordings.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["recording"]: row for row in csv.DictReader(file)}
    assert len(rows) == 60
    status = {name: row["status"] for name, row in rows.items()}
    assert {status[f"{name}.edf"] for name in HOSTILE} == {"failed"}
    assert rows["memory.edf"]["message"].endswith("MemoryError: Unable to allocate 1 TiB")
    for name in ("z.edf", "Ward $5_$ 10%.edf", "new\\nline.edf", "Pati\\xebnt.edf", "'=1+1.edf", "sound.edf"):
        assert status[name] == "done", rows[name]
    for name in ("gone.edf", "loop.edf", "pipe.edf", "offline", "damaged empty.edf", "damaged.vhdr", "annotations.edf"):
        assert status[name] == "refused", rows[name]
    assert all(row["message"] for row in rows.values() if row["status"] != "done")
    out = os.fsencode(folder.parent / "out")
    assert {b"z.csv", b"Pati\xebnt.csv", b"new\nline.png", b"Ward $5_$ 10%.png"} <= set(os.listdir(out))
    assert not [name for name in os.listdir(out) if b"writing" in name]
    # Again: nothing that is done is done anew.
    capsys.readouterr()
    with pytest.raises(InputError):
        recordings_folder.predict_all(folder, folder.parent / "out", classifier())
    assert "faster than real time" not in capsys.readouterr().out


def test_a_recording_that_ends_the_program_comes_last_the_next_time(folder, monkeypatch):
    for seed, name in enumerate("abc"):
        _edf(folder / f"{name}.edf", seed)
    read, order = recordings_folder.open_recording, []

    def read_and_die(path, rename):
        order.append(path.name)
        return _raise(KeyboardInterrupt())() if path.name == "a.edf" else read(path, rename)  # as the kernel would

    monkeypatch.setattr(recordings_folder, "open_recording", read_and_die)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            recordings_folder.predict_all(folder, folder.parent / "out", classifier())
    assert order == ["a.edf", "b.edf", "c.edf", "a.edf"]
    monkeypatch.setattr(recordings_folder, "open_recording", read)
    assert set(_run(folder)["status"]) == {"done"}


SPREADSHEETS = {
    "semicolons": lambda text: "\ufeff" + text.replace(",", ";").replace("\n", "\r\n"),
    "tabs": lambda text: text.replace(",", "\t"),
    "sep": lambda text: "sep=;\n" + text.replace(",", ";"),
    "decimal commas": lambda text: text.replace(",", ";").replace(".0;", ",0;"),
    "quoted": lambda text: "\n".join(",".join(f'"{cell}"' for cell in row.split(",")) for row in text.splitlines()),
    "reversed": lambda text: "\n".join(",".join(row.split(",")[::-1]) for row in text.splitlines()),
    "capitals": lambda text: text.replace("recording,status", " Recording ,STATUS"),
    "blank lines": lambda text: "\n\n" + text.replace("\n", "\n\n") + ";;;\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder that is done, and its list."""
    folder = tmp_path_factory.mktemp("finished") / "in"
    folder.mkdir()
    _edf(folder / "a.edf")
    return folder, _run(folder), (folder.parent / "out/recordings.csv").read_text()


@pytest.mark.parametrize("spreadsheet", SPREADSHEETS)
def test_what_is_done_is_known_whatever_a_spreadsheet_made_of_the_list(spreadsheet, finished, capsys):
    folder, expected, text = finished
    (folder.parent / "out/recordings.csv").write_text(SPREADSHEETS[spreadsheet](text))
    assert _run(folder).equals(expected)
    assert "faster than real time" not in capsys.readouterr().out


def test_of_a_list_with_semicolons_what_has_changed_is_done_anew(folder, capsys):
    for seed, name in enumerate(("a.edf", "b.edf")):
        _edf(folder / name, seed)
    expected = _run(folder)
    path = folder.parent / "out/recordings.csv"
    path.write_text(SPREADSHEETS["semicolons"](path.read_text()))
    _edf(folder / "b.edf", 7)
    capsys.readouterr()
    table = _run(folder)
    printed = capsys.readouterr().out
    assert ("a.edf:" in printed, "b.edf:" in printed) == (False, True)
    assert table.drop(columns="changed").equals(expected.drop(columns="changed"))


NO_LISTS = [b"", b"recording,status\n", b"\xff\xfe", b"a,b\n1,2\n", b"\0" * 99, b'"', b"recording;status\na.edf\n"]
NO_LISTS += [b"recording;status;folder\na.edf;done;" + b"x" * 5000, b"recording;status;folder\na.edf;done;\0"]


@pytest.mark.parametrize("content", NO_LISTS)
def test_a_list_that_is_none_is_put_aside_and_all_is_done_anew(content, finished):
    folder, expected, _ = finished
    path = folder.parent / "out/recordings.csv"
    path.write_bytes(content)
    aside = path.with_name("recordings-unread.csv")
    aside.unlink(missing_ok=True)
    assert _run(folder).equals(expected)
    assert not aside.exists() or aside.read_bytes() == content


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("bytes", "1E+05"),
        ("changed", "1.76E+18"),
        ("model", "1"),
        ("results", "../x"),
        ("threshold", ""),
        ("rename", "#"),
    ],
)
def test_a_row_that_was_damaged_is_done_anew(column, cell, finished, capsys):
    folder, expected, text = finished
    path = folder.parent / "out/recordings.csv"
    path.write_text(text)
    pandas.read_csv(path, dtype=str).assign(**{column: cell}).to_csv(path, index=False)
    assert _run(folder).equals(expected)
    assert "a.edf:" in capsys.readouterr().out


def test_results_appear_whole_or_not_at_all(folder, monkeypatch):
    for seed, name in enumerate(("a.edf", "b.edf")):
        _edf(folder / name, seed)
    write = prediction.annotated_edf.write_annotated_edf

    def write_half(path, *arguments):
        write(path, *arguments)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(prediction.annotated_edf, "write_annotated_edf", write_half)
        table = _run(folder)
    assert set(table["status"]) == {"failed"}
    assert "No space left on device" in table.loc["a.edf", "message"]
    out = folder.parent / "out"
    assert {path.name for path in out.iterdir()} == {"recordings.csv", ".recordings.lock"}
    assert set(_run(folder)["status"]) == {"done"}


def test_a_changed_file_of_samples_is_noticed(folder):
    path = _brainvision(folder / "r.vhdr", 0)
    before = _run(folder).loc["r.vhdr", "changed"]
    path.with_suffix(".eeg").write_bytes(signals(NAMES, 6, 250.0, 9).T.astype("<f4").tobytes())
    assert _run(folder).loc["r.vhdr", "changed"] != before


@pytest.mark.parametrize("place", ["in/results", "in", "file", "file/results", "table.csv"])
def test_a_folder_of_results_that_cannot_be_one_is_refused_before_the_work(place, folder, tmp_path):
    _edf(folder / "a.edf")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"--out: .*must be a folder"):
        recordings_folder.predict_all(folder, tmp_path / place, classifier())
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in folder.iterdir()] == ["a.edf"]


def test_results_of_another_folder_or_inputs_are_not_written_over(folder, tmp_path):
    _edf(folder / "a.edf")
    _run(folder)
    other = tmp_path / "other"
    _edf(other / "a.edf", 1)
    with pytest.raises(InputError, match=r"holds the results of .*/in; choose another folder"):
        recordings_folder.predict_all(other, tmp_path / "out", classifier())
    nested = _edf(tmp_path / "x/x/a.edf", 2).read_bytes()
    table = _run(tmp_path / "x", tmp_path)
    assert "must not lie among the recordings" in table.loc["x/a.edf", "message"]
    assert (tmp_path / "x/x/a.edf").read_bytes() == nested


def test_a_second_process_waits_for_the_first(folder, capsys):
    _edf(folder / "a.edf")
    out = folder.parent / "out"
    second = threading.Thread(target=recordings_folder.predict_all, args=(folder, out, classifier()))
    with one_at_a_time(out):
        second.start()
        second.join(0.5)
        assert second.is_alive()
        assert not (out / "recordings.csv").exists()
    second.join(60)
    assert "another process writes to it" in capsys.readouterr().out
    assert (out / "a.csv").is_file()
