"""Tables of BIDS and SzCORE that predictions are written to, read back by others and by ``eeg score``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas
import pytest

from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.corpora.bids import read_spans
from eegdiffusion.events.prediction import prediction
from eegdiffusion.events.prediction.events_tsv import events_name, require_seizures, szcore_table
from eegdiffusion.events.prediction.prediction import output_paths
from eegdiffusion.events.scoring.event_tables import read_event_table
from tests.predict import stand_in
from tests.tuev_fixture import write_edf

EVENTS = pandas.DataFrame(
    [(10.0, 5.0, "seizure", 0.9), (20.0, 2.0, "unusable", float("nan")), (30.5, 1.0, "seizure", 0.75)],
    columns=["onset", "duration", "label", "probability"],
)
START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def test_names_are_those_of_bids():
    assert events_name(Path("a/sub-01_task-rest_eeg")) == Path("a/sub-01_task-rest_events")
    paths = output_paths(Path("sub-01_eeg"), page=True, tsv="bids")
    assert paths["bids"] == Path("sub-01_events.tsv")
    assert paths["bids sidecar"] == Path("sub-01_events.json")
    assert paths["json"] == Path("sub-01_eeg.json"), "what says which channels were used stays"
    assert set(output_paths(Path("x"))) == set(prediction.ENDINGS)


def test_the_bids_table_is_read_back_and_its_sidecar_names_every_level(tmp_path):
    write_edf(tmp_path / "r.edf", seconds=20)
    outputs = output_paths(tmp_path / "sub-01_eeg", tsv="bids")
    summary = prediction.predict(open_recording(tmp_path / "r.edf", {}), outputs, stand_in.classifier())
    spans = list(read_spans(outputs["bids"], "trial_type"))
    assert [tuple(span) for span in spans] == [
        (event.onset, event.onset + event.duration, event.label) for event in summary.events.itertuples()
    ]
    document = json.loads(outputs["bids sidecar"].read_text())
    assert {span.value for span in spans} <= set(document["trial_type"]["Levels"])
    assert "bckg" not in document["trial_type"]["Levels"]


def test_szcores_table_has_seizures_alone_and_its_own_header(tmp_path):
    text = szcore_table(EVENTS, "seizure", START, 3600.0)
    header, *rows = text.splitlines()
    assert header == "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration"
    assert rows == [
        "10\t5\tsz\t0.9\tn/a\t2026-03-01 09:30:00\t3600",
        "30.5\t1\tsz\t0.75\tn/a\t2026-03-01 09:30:00\t3600",
    ]
    (tmp_path / "x_events.tsv").write_text(text)
    table = read_event_table(tmp_path / "x_events.tsv")
    assert [(span.start_s, span.stop_s) for span in table.spans] == [(10, 15), (30.5, 31.5)]
    assert table.duration_s == 3600


def test_a_recording_without_seizures_is_one_row_of_background():
    rows = szcore_table(EVENTS[1:2], "seizure", None, 60.0).splitlines()
    assert rows[1:] == ["0\t60\tbckg\tn/a\tn/a\tn/a\t60"]


def test_a_model_without_seizures_has_no_szcore_table():
    assert require_seizures(["background", "Seizure"]) == "Seizure"
    with pytest.raises(InputError, match=r"--tsv szcore: the model must have a class seizure .*found spsw, bckg"):
        require_seizures(["spsw", "bckg"])
