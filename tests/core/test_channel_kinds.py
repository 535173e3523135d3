"""What a channel is, by its table and by its name."""

from pathlib import Path

import mne
import pytest

from eegdiffusion.core.recordings import channel_kinds
from eegdiffusion.core.recordings.channel_kinds import auxiliary_kind, choose_electrodes, read_channel_table
from eegdiffusion.core.runtime.errors import InputError

AUXILIARY = {
    "EOG": "EOG HEOG VEOG EOGh HEO VEOL HEOGL EOG-L EOG_left R_EOG lEOG LOC ROC IO1|EEG LOC-REF|EOG LOC",
    "ECG": "ECG EKG ECG1 EKG1 ECG-LA ECG(1)|EEG EKG1-REF|POL EKG1|ECG I",
    "EMG": "EMG EMG1 EMG-chin EMG_L Chin1 TP-EMG|EMG Chin1-Chin2",
    "GSR": "GSR GSR1 EDA",
    "TEMP": "Temp Temperature Temp1|Temp rectal",
    "RESP": "Resp Resp1 Airflow Nasal ThorRes Snoring EtCO2|Resp chest|Resp Effort",
    "PPG": "Plet Pleth SpO2 SaO2 OSAT Pulse HR|Heart Rate",
    "TRIG": "Status STATUS Trigger TRIG1 STI014 STIM Marker Event DIN1|STI 014|EDF Annotations|Trigger Event(s)",
    "REF": "REF CMS DRL",
    "MISC": "EXG1 EXG8 EX3 AUX1 DC01 BIP1 Photic PHOTIC-REF A1+A2 A1+A2OFF Photodiode NC - .|POL DC01|A1 + A2| ",
}


def test_names_of_what_is_no_electrode():
    for kind, names in AUXILIARY.items():
        first, *others = names.split("|")
        assert {name: auxiliary_kind(name) for name in [*first.split(" "), *others]} == dict.fromkeys(
            [*first.split(" "), *others], kind
        )


def test_no_electrode_of_any_cap_is_taken_for_another_channel():
    names = {name for cap in ("standard_1005", "biosemi256", "GSN-HydroCel-256", "easycap-M10")
             for name in mne.channels.make_standard_montage(cap).ch_names}  # fmt: skip
    names |= {"EEG FP1-REF", "EEG Fp1-A1A2", "POL Fp1", "Fp1-F3", "Fp1.", "Cz-Ref", "M1", "A1", "EEG 001", "Ch1", "PG1"}
    assert len(names) > 500
    assert {name for name in names if auxiliary_kind(name)} == set()


def _table(path: Path, *rows: str, header: str = "name\ttype\tunits\tstatus") -> Path:
    path.write_text("\n".join([header, *rows]))
    return path


def test_a_table_decides_where_it_is(tmp_path):
    rows = [
        "Fp1\tEEG\tuV\tgood",
        "X7\tVEOG\tuV\tgood",
        "EXG1\teeg\tn/a\tbad",
        "Cz\tn/a\tmV\tn/a",
        "Temp\t\t\t",
        "Q\tEEG\tuV\tgood",
    ]
    table = read_channel_table(_table(tmp_path / "channels.tsv", *rows))
    kinds = dict.fromkeys(["EEG Fp1-REF", "X7", "EXG1", "cz", "Temp", "GSR1", "T7"], "eeg") | {"Status": "stim"}
    chosen = choose_electrodes(kinds, table, ["T7"], tmp_path / "a.edf")
    assert chosen.electrodes == ["EEG Fp1-REF", "EXG1", "cz", "T7"]
    assert chosen.bad == ["EXG1", "T7"]
    assert chosen.units == {"EEG Fp1-REF": "uV", "cz": "mV"}
    assert chosen.left_out == {"X7": "VEOG", "Temp": "TEMP", "GSR1": "GSR", "Status": "TRIG"}
    doubts = " / ".join(chosen.doubts)
    assert "not in channels.tsv, and are taken by their names: GSR1, T7, Status" in doubts
    assert "in channels.tsv alone: Q" in doubts
    assert "EXG1 (MISC)" in doubts


def test_without_a_table_the_file_and_the_names_decide(tmp_path):
    chosen = choose_electrodes({"Fp1": "eeg", "HEOG": "eeg", "Fz": "misc"}, None, [], tmp_path)
    assert (chosen.electrodes, chosen.left_out) == (["Fp1"], {"HEOG": "EOG", "Fz": "MISC"})
    assert not chosen.doubts
    with pytest.raises(InputError, match=r"must have electrodes \(found EOG1 \(EOG\)\)"):
        choose_electrodes({"EOG1": "eeg"}, None, [], tmp_path)


@pytest.mark.parametrize(
    ("rows", "header", "rule"),
    [
        (["Fp1\tEEG"], "channel\ttype", "name: is missing"),
        (["Fp1\tEEG", "Fp1\tEOG"], "name\ttype", "must occur once"),
        (["Fp1\tmaybe"], "name\tstatus", "must be good, bad or n/a"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_by_name(tmp_path, rows, header, rule):
    path = _table(tmp_path / "channels.tsv", *rows, header=header)
    with pytest.raises(InputError, match=f"channels.tsv: .*{rule}"):
        read_channel_table(path)


def test_a_table_of_other_channels_is_refused(tmp_path):
    table = {"C3": channel_kinds.TableRow("EEG", "uV", False)}
    with pytest.raises(InputError, match="must name the recording's channels"):
        choose_electrodes({"Fp1": "eeg"}, table, [], tmp_path)
