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
from eegdiffusion.events.prediction.events_tsv import bids_sidecar, events_name, require_seizures, szcore_table
from eegdiffusion.events.prediction.prediction import output_paths
from eegdiffusion.events.prediction.recordings_folder import predict_all
from eegdiffusion.events.scoring.event_tables import read_event_table
from tests.predict import stand_in
from tests.tuev_fixture import write_edf

EVENTS = pandas.DataFrame(
    [
        (10.0, 5.0, "seizure", 0.9, "F7-T3,T3-T5"),
        (20.0, 2.0, "unusable", float("nan"), ""),
        (30.5, 1.0, "seizure", 0.75, ""),
    ],
    columns=["onset", "duration", "label", "probability", "channels"],
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
        "10\t5\tsz\t0.9\tF7-T3,T3-T5\t2026-03-01 09:30:00\t3600",
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


def test_results_of_a_bids_dataset_are_a_derivative_of_it(tmp_path):
    source, out = tmp_path / "ds", tmp_path / "ds-events"
    write_edf(source / "sub-01/eeg/sub-01_task-rest_eeg.edf", seconds=14)
    described = {"Name": "Ward 3", "BIDSVersion": "1.8.0", "License": "CC0", "DatasetType": "raw"}
    (source / "dataset_description.json").write_text(json.dumps(described))
    predict_all(source, out, stand_in.classifier(), tsv="bids")
    document = json.loads((out / "dataset_description.json").read_text())
    assert document["DatasetType"] == "derivative"
    assert document["Name"] == "Events of Ward 3"
    assert document["License"] == "CC0"
    assert document["GeneratedBy"][0]["Name"] == "eegdiffusion"
    assert (out / document["SourceDatasets"][0]["URL"]).resolve() == source.resolve()
    events = out / "sub-01/eeg/sub-01_task-rest_events.tsv"
    assert list(read_spans(events, "trial_type"))
    ignored = (out / ".bidsignore").read_text().splitlines()
    known = {"dataset_description.json", ".bidsignore", events.name, events.with_suffix(".json").name}
    others = [path for path in out.rglob("*") if path.is_file() and path.name not in known]
    assert all(any(path.match(pattern) for pattern in ignored) for path in others), others
    assert not any(events.match(pattern) for pattern in ignored)
    predict_all(source, out, stand_in.classifier(), tsv="bids")  # again, into its own

    (out / "dataset_description.json").write_text(json.dumps({"Name": "another", "BIDSVersion": "1.8.0"}))
    with pytest.raises(InputError, match="must be of results of eeg predict"):
        predict_all(source, out, stand_in.classifier(), tsv="bids")
    # Without BIDS's tables it is a folder as any other.
    predict_all(source, tmp_path / "plain", stand_in.classifier())
    assert not (tmp_path / "plain/dataset_description.json").exists()


def test_levels_have_the_hed_tags_that_score_has_terms_for():
    sidecar = json.loads(bids_sidecar(["SPSW", "sz", "own", "bckg"], "bckg", "a model"))
    assert sidecar["trial_type"]["HED"] == {
        "SPSW": "Data-feature, Spike-and-slow-wave",
        "sz": "Data-feature, Epileptic-seizure",
    }
    assert set(sidecar["trial_type"]["Levels"]) == {"SPSW", "sz", "own", "unusable"}
