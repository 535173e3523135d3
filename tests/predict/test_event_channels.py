"""Which channels carry an event: on spikes of the surrogate that are planted at known electrodes, in every output."""

import json
from types import SimpleNamespace

import mlflow
import mne
import numpy as np
import pandas
import pytest

from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.derivations import electrodes_of
from eegdiffusion.core.signal.montage import BIPOLAR, ELECTRODES, bipolar
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.prediction import event_channels, prediction
from eegdiffusion.events.prediction.prediction import Classifier, output_paths
from eegdiffusion.events.serving import lft_pyfunc
from eegdiffusion.surrogate.tuev import waveforms
from eegdiffusion.surrogate.tuev.tuev_recordings import ELECTRODES as PLACES
from tests.browser import needs_chromium, open_page
from tests.predict import stand_in, tiny_model
from tests.tuev_fixture import signals, write_edf

RATE = 250
SPIKES = {10: "F7", 20: "T3", 30: "C4", 40: "T6", 50: None}
"""Second -> electrode that a spike of the surrogate is planted at; None: everywhere, in turn of opposite sign."""


class SpikeDetector:
    """Says ``spsw`` by the largest swing in the middle second over the channels that it sees, and by their sum."""

    metadata = SimpleNamespace(model_uuid="spikes")

    def predict(self, windows, params=None):
        return self.classify_subsets(windows, None, np.ones((1, windows.shape[1]), bool))[:, 0]

    def classify_subsets(self, windows, channels, subsets):
        swing = np.ptp(windows[:, :, 400:600], axis=-1)  # 1 is 100 uV
        seen = swing[:, None] * subsets
        log_odds = 8 * (seen.max(-1) + 0.05 * seen.sum(-1)) - 8
        probabilities = np.zeros((*log_odds.shape, len(tuev.CLASSES)))
        probabilities[..., 0] = 1 / (1 + np.exp(-log_odds))
        probabilities[..., -1] = 1 - probabilities[..., 0]
        return probabilities


def _planted():
    """EEG with spikes, and the derivations' swings of each spike: (electrodes, samples) in uV, second -> (22,)."""
    data = signals(ELECTRODES, 60, RATE) * 0.25
    places = mne.channels.make_standard_montage("standard_1020").get_positions()["ch_pos"]
    positions = np.stack([places[PLACES[name]] for name in ELECTRODES])
    clock, swings = np.arange(data.shape[1]) / RATE, {}
    for second, electrode in SPIKES.items():
        shape = 150 * waveforms.spike_and_wave(clock - second - 0.4, 0.02, 0.08)
        field = np.where(np.arange(len(ELECTRODES)) % 2, 1.0, -1.0)
        if electrode:
            field = waveforms.focal_field(positions, positions[ELECTRODES.index(electrode)], 0.03)
        data += np.outer(field, shape)
        swings[second] = np.ptp(bipolar(np.outer(field, shape), ELECTRODES), axis=-1)
    return data, swings


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """Outputs of a recording with planted spikes, and the true swings."""
    folder = tmp_path_factory.mktemp("spikes")
    data, swings = _planted()
    write_edf(folder / "r.edf", names=ELECTRODES, data=data)
    model = SpikeDetector()
    classifier = Classifier(
        "detector", model, tiny_model.PREPROCESSING, 0.0, 16, {}, tiny_model.made_up_scores({"least": 4}),
        classify_subsets=model.classify_subsets,
    )  # fmt: skip
    outputs = output_paths(folder / "sub-01_eeg", page=True, tsv="bids")
    prediction.predict(open_recording(folder / "r.edf", {}), outputs, classifier)
    return outputs, swings


def test_log_odds_are_laid_to_the_channels_that_add_them():
    subsets = event_channels.draw_subsets(22, 4)
    assert (subsets.sum(axis=1) == 5).all()
    weights = np.linspace(-1, 1, 22)
    probabilities = np.stack([1 / (1 + np.exp(-(subsets @ weights - 0.5)))] * 2, -1)[None]
    added = event_channels.contributions(probabilities, subsets)[0, 0]
    # Of subsets of one size nobody can tell what all channels have in common.
    assert np.ptp(added - weights) < 1e-6
    assert event_channels.draw_subsets(4, 4).shape == (0, 4)
    assert (event_channels.draw_subsets(6, 4).sum(axis=1) == 4).all()


def test_spikes_are_carried_by_the_channels_where_they_were_planted(predicted):
    outputs, swings = predicted
    table = pandas.read_csv(outputs["csv"]).set_index("onset")
    assert list(table.columns) == ["duration", "label", "probability", "channels", "focus"]
    assert table.index.tolist() == list(SPIKES)
    for second, electrode in SPIKES.items():
        named = table.loc[second, "channels"].split(",")
        large = {name for name, swing in zip(BIPOLAR, swings[second], strict=True) if swing > 0.3 * max(swings[second])}
        assert set(named) <= large, electrode
        if electrode:
            assert electrode in electrodes_of(named[0])
            assert table.loc[second, "focus"] == electrode
        else:
            assert table.loc[second, "focus"] == "generalised"
            assert len(named) > 6


def test_all_outputs_name_them(predicted):
    outputs, _ = predicted
    table = pandas.read_csv(outputs["csv"])
    raw = mne.io.read_raw_edf(outputs["edf"], verbose="error")
    assert raw.annotations.description.tolist() == table["label"].tolist(), "the label is not changed by the channel"
    strongest = [channels.split(",")[0] for channels in table["channels"]]
    assert [list(names) for names in raw.annotations.ch_names] == [[name] for name in strongest]
    bids = pandas.read_csv(outputs["bids"], sep="\t")
    assert bids["channel"].tolist() == table["channels"].tolist()
    sidecar = json.loads(outputs["bids sidecar"].read_text())
    assert sidecar["channel"]["Delimiter"] == ","
    assert set(bids.columns) - {"onset", "duration"} <= set(sidecar)
    assert "occlusion" in json.loads(outputs["json"].read_text())["channels_of_events"]


@needs_chromium
def test_the_page_names_them_and_draws_them_thicker(predicted, tmp_path):
    outputs, _ = predicted
    table = pandas.read_csv(outputs["csv"])
    with open_page(tmp_path / "profile") as page:
        page.open(outputs["html"].as_uri())
        rows = page.evaluate(
            "[...document.querySelectorAll('#events tr')].map((r) => [...r.cells].map((c) => c.textContent))"
        )
        assert [row[4:6] for row in rows] == [
            [event.focus, event.channels.replace(",", ", ")] for event in table.itertuples()
        ]
        assert page.evaluate("document.getElementById('here').textContent").endswith(", F7")
        assert not page.problems


def test_models_that_take_all_channels_alone_name_none(tmp_path):
    write_edf(tmp_path / "r.edf", seconds=14)
    outputs = output_paths(tmp_path / "e", tsv="bids")
    events = prediction.predict(open_recording(tmp_path / "r.edf", {}), outputs, stand_in.classifier()).events
    assert events[["channels", "focus"]].eq("").all(axis=None)
    assert pandas.read_csv(outputs["bids"], sep="\t", keep_default_na=False)["focus"].eq("n/a").all()
    assert json.loads(outputs["json"].read_text())["channels_of_events"] is None


def test_the_served_lft_says_of_subsets_what_it_says_of_windows_of_those_channels(tmp_path):
    tiny_model.write_tested(tmp_path / "lft", {"least": 4})
    log_model.save(lft_pyfunc, tmp_path / "lft", tmp_path / "served")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    windows, model = tiny_model.windows()[:3].numpy(), loaded.unwrap_python_model()
    subsets = event_channels.draw_subsets(22, 4)[:3]
    answers = model.classify_subsets(windows, list(BIPOLAR), subsets)
    for k, subset in enumerate(subsets):
        names = [name for name, seen in zip(BIPOLAR, subset, strict=True) if seen]
        alone = loaded.predict(windows[:, subset], params={"channels": names})
        assert np.abs(answers[:, k] - alone).max() < 1e-5
    with pytest.raises(InputError, match="channels: must be 4 or more, as the model was tested on no fewer"):
        model.classify_subsets(windows, list(BIPOLAR), np.eye(22, dtype=bool))
