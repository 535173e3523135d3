"""Results take the place of an earlier prediction's, and of nothing else."""

import json

import pandas
import pytest
from click.testing import CliRunner

from eegdiffusion.commands.predict import command
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.prediction.prediction import output_paths, predict
from eegdiffusion.events.prediction.recordings_folder import predict_all
from tests.predict import stand_in
from tests.tuev_fixture import write_edf

MINE = "onset\tduration\ttrial_type\n1\t1\tmine\n"


@pytest.fixture
def recording(tmp_path):
    write_edf(tmp_path / "in/r.edf", seconds=8)
    return tmp_path / "in/r.edf"


def _predict(recording, folder, **options):
    outputs = output_paths(folder / "sub-01_eeg", **options)
    predict(open_recording(recording, {}), outputs, stand_in.classifier())
    return outputs


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sub-01_events.tsv", {"tsv": "bids"}),
        ("sub-01_events.json", {"tsv": "bids"}),
        ("sub-01_events.tsv", {"tsv": "szcore"}),
        ("sub-01_eeg.html", {"page": True}),
        ("sub-01_eeg.json", {}),
        ("sub-01_eeg.edf", {}),
        ("sub-01_eeg.png", {}),
    ],
)
def test_a_file_of_another_is_never_overwritten(recording, tmp_path, name, options):
    """As of BIDS's own tables, sidecars and recordings, where results are written beside them."""
    mine = tmp_path / "out" / name
    mine.parent.mkdir()
    mine.write_text(MINE)
    with pytest.raises(InputError, match=f"{name}: results: must not take the place of a file that eeg predict did"):
        _predict(recording, mine.parent, **options)
    assert mine.read_text() == MINE
    assert list(mine.parent.iterdir()) == [mine]


def test_a_second_prediction_leaves_nothing_of_the_first(recording, tmp_path):
    out = tmp_path / "out"
    first = _predict(recording, out, page=True, tsv="bids")
    second = _predict(recording, out)
    assert {path.name for path in out.iterdir()} == {path.name for path in second.values()}
    document = json.loads(second["json"].read_text())
    document["files"] = ["../in/r.edf", "other.csv", *(path.name for path in first.values())]
    second["json"].write_text(json.dumps(document))
    (out / "other.csv").write_text(MINE)
    _predict(recording, out)
    assert recording.is_file(), "whatever the list says"
    assert (out / "other.csv").read_text() == MINE
    del document["files"]
    second["json"].write_text(json.dumps(document))
    _predict(recording, out)  # results of before there was a list


def test_of_a_folder_that_recording_is_refused_and_its_file_stays(recording, tmp_path):
    write_edf(recording.with_name("r_eeg.edf"), seconds=9)
    write_edf(recording.with_name("s.edf"), seconds=10)
    out = tmp_path / "out"
    out.mkdir()
    (out / "s_events.tsv").write_text(MINE)
    with pytest.raises(InputError, match="1 of 3 recordings were refused"):
        predict_all(recording.parent, out, stand_in.classifier(), tsv="bids")
    assert (out / "s_events.tsv").read_text() == MINE
    rows = pandas.read_csv(out / "recordings.csv").set_index("recording")
    assert rows["results"].to_dict() | {"s.edf": ""} == {"r.edf": "r", "r_eeg.edf": "r_eeg.edf", "s.edf": ""}
    tables = [pandas.read_csv(path, sep="\t") for path in sorted(out.glob("r*_events.tsv"))]
    assert sorted(table["duration"].tolist() for table in tables) == [[4.0], [5.0]]


def test_seizures_of_a_stretch_have_no_table_of_szcore(recording, tmp_path):
    words = [str(recording), "--out", str(tmp_path / "a.csv"), "--tsv", "szcore", "--start", "1"]
    with pytest.raises(InputError, match="--tsv szcore: must be of a whole recording"):
        CliRunner().invoke(command, words, catch_exceptions=False)
