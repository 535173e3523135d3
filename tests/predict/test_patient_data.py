"""What `eeg predict` writes and says carries no text of a recording's header, and none of its annotations."""

import mlflow
import pytest

from eegdiffusion.events.prediction.prediction import Classifier
from eegdiffusion.events.prediction.recordings_folder import predict_all
from tests import planted
from tests.predict.tiny_model import PREPROCESSING


@pytest.fixture(scope="module")
def loaded(registered):
    mlflow.set_tracking_uri(registered[0])
    return mlflow.pyfunc.load_model(registered[1])


def test_results_of_every_format_name_nobody(loaded, tmp_path, capsys):
    planted.write_edf(tmp_path / "in/a.edf")
    planted.write_edf(tmp_path / "in/b.edf", plus=False, seed=1)
    planted.write_fif(tmp_path / "in/c_raw.fif")
    planted.write_vhdr(tmp_path / "in/d.vhdr")
    assert len(planted.marks_below(tmp_path / "in")) >= 4
    predict_all(tmp_path / "in", tmp_path / "out", Classifier("x", loaded, PREPROCESSING, 0.0, 16, {}))
    assert len(list((tmp_path / "out").glob("*.edf"))) == 4
    assert planted.marks_below(tmp_path / "out") == {}
    printed = capsys.readouterr()
    assert planted.marks_in(printed.out + printed.err) == []
