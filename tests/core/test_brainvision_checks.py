"""What a BrainVision header says beyond MNE's reading of it is heeded, or the recording is refused by name."""

import re

import pytest

from eegdiffusion.core.recordings.brainvision_files import open_brainvision
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import BIPOLAR
from tests.recording_files import NAMES, raw_array, write_brainvision


def _change(path, old, new):
    write_brainvision(path, raw_array())
    path.write_text(path.read_text().replace(old, new))
    return path


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("DataType=FREQUENCYDOMAIN", "r.vhdr: DataType: must be TIMEDOMAIN"),
        ("Averaged=YES\nAveragedSegments=20", "r.vhdr: Averaged: must be NO"),
        ("usebigendianorder = yes", "r.vhdr: UseBigEndianOrder: must be NO"),
        ("DataPoints=3501", "r.eeg: file size: must be 266076 bytes, as DataPoints of r.vhdr says"),
    ],
)
def test_what_would_be_read_wrongly_is_refused(tmp_path, fields, message):
    path = _change(tmp_path / "r.vhdr", "[Binary", f"{fields}\n[Binary")
    for read in (open_brainvision, lambda path: open_recording(path, {})):
        with pytest.raises(InputError, match=message):
            read(path)


@pytest.mark.parametrize("fields", ["DataType=TIMEDOMAIN", "Averaged=no", "UseBigEndianOrder=NO", "DataPoints=3500"])
def test_what_is_as_usual_is_read(tmp_path, fields):
    path = _change(tmp_path / "r.vhdr", "[Binary", f"{fields}\n[Binary")
    assert open_recording(path, {}).recorded_s == 14


@pytest.mark.parametrize(("reference", "common"), [("FCz", True), ("fcz", True), ("M1", False), ("", False)])
def test_the_column_of_references_has_one(tmp_path, reference, common):
    path = _change(tmp_path / "r.vhdr", ",,1,", ",FCz,1,")
    path.write_text(path.read_text().replace("=Cz,FCz,", f"=Cz,{reference},"))
    if common:
        assert open_recording(path, {}).recorded_s == 14
        return
    lacking = open_recording(path, {}).derive(BIPOLAR).lacking
    assert lacking.keys() == {"C3-CZ", "C4-CZ"}
    for why in lacking.values():
        assert re.search(f"must have one reference.* CZ against {reference or 'none'}", why), why
    # A channel that is not used may have another.
    path = _change(tmp_path / "r.vhdr", ",,1,", ",FCz,1,")
    write_brainvision(path, raw_array([*NAMES, "ECG"]))
    path.write_text(path.read_text().replace("ECG,,", "ECG,M1,"))
    assert open_recording(path, {}).recorded_s == 14
