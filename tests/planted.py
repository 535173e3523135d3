"""Recordings whose every field and annotation names a patient who does not exist."""

from datetime import date
from pathlib import Path

import edfio
import mne
import numpy as np
import pandas

from eegdiffusion.core.signal.montage import ELECTRODES
from tests.recording_files import raw_array, write_brainvision
from tests.tuev_fixture import signals

MARKS = ("mueller", "hannelore", "4711987", "apr-1961", "19610403", "drweber", "sn998877", "adm0815")
"""What must appear nowhere, in lower case."""

NOTE = "Hannelore Mueller coughs"


def marks_in(content: bytes | str) -> list[str]:
    """Return the marks that some content has."""
    text = content.decode("latin-1") if isinstance(content, bytes) else content
    # UTF-16 and padded texts as well.
    lower = text.lower().replace("\0", "")
    return [mark for mark in MARKS if mark in lower]


def write_edf(path: Path, plus: bool = True, seconds: int = 14, seed: int = 0, year: int = 2021) -> None:
    """Write an EDF+ file, or a plain one, with the montage's electrodes and an ECG that bears the patient's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = signals([*ELECTRODES, "ECG"], seconds, 250, seed)
    bound = float(np.abs(data).max()) * 1.01
    labels = [*(f"EEG {name}-REF" for name in ELECTRODES), "EKG Mueller"]
    rows = [
        edfio.EdfSignal(row, 250, label=label, physical_dimension="uV", physical_range=(-bound, bound))
        for label, row in zip(labels, data, strict=True)
    ]
    notes = [
        edfio.EdfAnnotation(1, None, NOTE),
        edfio.EdfAnnotation(2.5, 1, "Eyes open"),
        edfio.EdfAnnotation(3, None, NOTE),
    ]
    edfio.Edf(rows, annotations=notes if plus else None, data_record_duration=1).write(path)
    plant_header(path, plus, year)
    path.write_bytes(path.read_bytes() + b"Mueller, Hannelore")  # behind the last record


def plant_header(path: Path, plus: bool = True, year: int = 2021) -> None:
    """Name the patient in every field of an EDF header that holds text; signals and their labels stay."""
    content = bytearray(path.read_bytes())
    count = int(content[252:256])

    def put(at: int, width: int, text: str) -> None:
        content[at : at + width] = text.encode()[:width].ljust(width)

    put(8, 80, "4711987 F 03-APR-1961 Mueller_Hannelore DrWeber" if plus else "Mueller, Hannelore 03-APR-1961 4711987")
    put(88, 80, f"Startdate 17-MAR-{year} ADM0815 DrWeber Nicolet_SN998877")
    put(168, 8, f"17.03.{year % 100:02d}")
    put(176, 8, "23.59.01")
    put(197 if plus else 192, 30, "Hannelore Mueller")
    for k in range(count):
        if content[256 + k * 16 : 272 + k * 16].startswith((b"EDF Ann", b"BDF Ann")):
            continue
        put(256 + count * 16 + k * 80, 80, "AgAgCl electrode of Mueller" if k else "AgAgCl electrode")
        put(256 + count * 136 + k * 80, 80, "HP:0.1Hz LP:70Hz Mueller" if k else "HP:0.1Hz LP:70Hz")
        put(256 + count * 224 + k * 32, 32, "SN998877 Hannelore")
    path.write_bytes(content)


def marks_below(*places: Path) -> dict[str, list[str]]:
    """Return the marks that files, or all files below folders, have in their names or contents."""
    files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file()]
    marks = {str(path): [*marks_in(path.name), *marks_in(_content(path))] for path in files}
    return {name: listed for name, listed in marks.items() if listed}


def _content(path: Path) -> bytes | str:
    if path.suffix == ".parquet":  # is compressed
        return pandas.read_parquet(path).to_csv()
    return path.read_bytes()


def write_fif(path: Path) -> None:
    """Write a FIF recording with all that MNE keeps of a patient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = raw_array([*(name.title() for name in ELECTRODES), "Mueller"])
    raw.set_meas_date(1616022000)
    raw.info["subject_info"] = {
        "id": 4711987, "his_id": "4711987", "last_name": "Mueller", "first_name": "Hannelore", "sex": 2, "hand": 1,
        "birthday": date(1961, 4, 3), "weight": 71.0, "height": 1.7,
    }  # fmt: skip
    raw.info["experimenter"], raw.info["description"] = "DrWeber", "Hannelore Mueller, ADM0815"
    raw.info["device_info"] = {"type": "EEG", "model": "m", "serial": "SN998877", "site": "DrWeber"}
    raw.set_annotations(mne.Annotations([1, 2], [0, 1], [NOTE, "Eyes open"], orig_time=raw.info["meas_date"]))
    raw.save(path, verbose="error", overwrite=True)


def write_vhdr(path: Path) -> None:
    """Write a BrainVision recording with names in markers, comments and a channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = raw_array([*(name.title() for name in ELECTRODES), "Mueller"])
    marks = [
        "Mk1=New Segment,,1,1,0,20210317235901000000",
        f"Mk2=Comment,{NOTE},500,1,0",
        "Mk3=Stimulus,S  1,700,1,0",
        "Mk4=DrWeber,S  2,800,1,0",
    ]
    write_brainvision(path, raw, marks)
    text = path.read_text(encoding="utf-8").replace(
        "[Common Infos]", "; Hannelore Mueller\n[Common Infos]\nOwner=DrWeber"
    )
    path.write_text(
        text + "[User Infos]\nProp1=string,name,Mueller\n[Comment]\nHannelore Mueller, SN998877\n", encoding="utf-8"
    )
