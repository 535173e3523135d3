"""The page to read a recording on, in a real browser: its events are those of the table, and its traces the signals."""

import base64
import json
import re

import numpy as np
import pandas
import pytest

from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.events.figures.reading_page import ReadRecording, chosen_blocks, render_reading_page
from eegdiffusion.events.prediction import prediction
from eegdiffusion.events.prediction.event_channels import hemisphere
from eegdiffusion.events.prediction.stretch import Stretch
from tests.browser import needs_chromium, open_page
from tests.predict import stand_in
from tests.recording_files import write_stamped
from tests.tuev_fixture import signals

INK = """(() => {
  const c = document.getElementById("traces"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  let dark = 0;
  for (let k = 0; k < d.length; k += 4) if (d[k + 3] > 200 && Math.min(d[k], d[k + 1], d[k + 2]) < 80) dark++;
  return dark;
})()"""
"""Number of dark dots of the traces."""

SLIDE = """(value) => {
  const gain = document.getElementById("gain");
  gain.value = value;
  gain.dispatchEvent(new Event("input"));
}"""

CLASSES = ["spsw", "artf", "bckg"]


def _recording(hours: float = 0.05, title: str = "r.edf", **changes) -> ReadRecording:
    rng = np.random.default_rng(0)
    seconds = round(hours * 3600)
    probabilities = rng.dirichlet([0.1, 0.1, 2], seconds - 4).astype(np.float32).astype(float)
    probabilities[20:25] = np.nan

    def read(start: int, stop: int) -> np.ndarray:
        return np.stack([50 * np.sin(np.arange(start, stop) / 200 * 2 * np.pi * f) for f in (3, 10)])

    fields = {
        "title": title,
        "model": "a model, trained on surrogate data",
        "notes": ["2 of the model's 22 channels are used"],
        "channels": ["FP1-F7", "F7-T3"],
        "rate_hz": 200.0,
        "duration_s": float(seconds),
        "offset_s": 0.0,
        "classes": CLASSES,
        "background": "bckg",
        "thresholds": {},
        "least": 0.0,
        "windows": [(2.0, probabilities)],
        "read": read,
        "events": pandas.DataFrame(columns=["onset", "duration", "label", "channels", "focus"]),
    }
    return ReadRecording(**fields | changes)


def _data(page: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])


def test_a_short_recording_is_in_the_page_whole_and_a_long_one_where_its_events_are():
    assert chosen_blocks(_recording()) == list(range(18))
    long = _recording(hours=24)
    long.windows[0][1][:] = [0.0, 0.0, 1.0]
    long.windows[0][1][50_000:50_003] = [0.9, 0.05, 0.05]
    long.windows[0][1][70_000] = [0.1, 0.2, 0.7]
    blocks = chosen_blocks(long, 6)
    assert blocks == [4999, 5000, 5001, 6999, 7000, 7001]


def test_traces_are_the_signals_at_a_rate_that_a_screen_shows():
    recording = _recording()
    data = _data(render_reading_page(recording))
    assert data["rate"] == 100
    values = np.frombuffer(base64.b64decode(data["traces"]["3"]), "<i2").reshape(2, 1000) / 10
    expected = recording.read(30 * 200, 40 * 200)[:, ::2]
    assert np.abs(values - expected).max() < 0.5
    rows = np.frombuffer(base64.b64decode(data["pieces"][0]["values"]), "<f4").reshape(-1, 3)
    assert np.array_equal(rows, recording.windows[0][1], equal_nan=True)


def _write_page(folder, path, stretch=Stretch()):  # noqa: B008 (frozen)
    outputs = {ending: folder / f"e.{ending}" for ending in (prediction.PAGE, *prediction.ENDINGS)}
    prediction.predict(open_recording(path, {}), outputs, stand_in.classifier(), stretch)
    return outputs


@needs_chromium
def test_what_a_person_sees_is_what_the_table_says(tmp_path):
    stamps = [k + 30 * (k >= 14) for k in range(40)]  # a pause from 14 to 44 s
    write_stamped(tmp_path / "r.edf", stamps, "EDF+C", signals(ELECTRODES, 40, 250))
    outputs = _write_page(tmp_path, tmp_path / "r.edf", Stretch(2))
    table = pandas.read_csv(outputs["csv"])
    expected = table[table["label"] == "spsw"]
    with open_page(tmp_path / "profile") as page:
        page.open(outputs["html"].as_uri())
        assert page.evaluate("document.getElementById('count').textContent") == f"{len(expected)} events"
        rows = page.evaluate(
            "[...document.querySelectorAll('#events tr')].map((r) => [...r.cells].map((c) => c.textContent))"
        )
        assert [float(row[1]) for row in rows] == expected["duration"].tolist()
        assert [row[0] for row in rows] == [f"0:00:{int(onset):02}" for onset in expected["onset"]]
        assert {row[2] for row in rows} == {"spsw"}
        assert page.evaluate("document.getElementById('here').textContent").startswith("1 of 2: spsw at 0:00:04")
        page.evaluate("document.getElementById('next').click()")
        assert page.evaluate("document.getElementById('here').textContent").startswith("2 of 2: spsw at 0:00:46")
        ink = page.evaluate(INK)
        assert ink > 5000
        page.evaluate("document.querySelector('#classes input').click()")
        assert page.evaluate("document.getElementById('count').textContent") == "0 events"
        assert page.evaluate("document.getElementById('here').textContent") == "no events"
        assert not page.problems


@needs_chromium
def test_the_slider_finds_more_and_fewer_and_the_middle_is_the_tables_decision(tmp_path):
    recording = _recording(hours=0.5, title="<b>r</b>.edf")
    (tmp_path / "p.html").write_text(render_reading_page(recording))
    probabilities = np.nan_to_num(recording.windows[0][1], nan=0.0)
    seconds = int((probabilities.argmax(1) < 2)[np.isfinite(recording.windows[0][1][:, 0])].sum())
    with open_page(tmp_path / "profile") as page:
        page.open((tmp_path / "p.html").as_uri())
        total = "events.reduce((a, e) => a + e.seconds, 0)"
        assert page.evaluate(total) == seconds > 5
        counts = []
        for value in (-20, -5, 0, 5, 20):
            page.evaluate(f"({SLIDE})({value})")
            counts.append(page.evaluate(total))
        assert counts == sorted(counts)
        assert counts[0] < seconds < counts[-1]
        assert page.evaluate("document.querySelector('h1').textContent") == "<b>r</b>.edf", "a name is text"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert not page.problems


def test_traces_have_the_colours_of_their_hemisphere():
    names = {
        "FP1-F7": "left",
        "T4-C4": "right",
        "C3-CZ": "left",
        "FZ-CZ": "middle",
        "C3-C4": "middle",
        "A2-T4": "right",
    }
    assert {name: hemisphere(name) for name in names} == names


def test_nothing_in_a_name_ends_the_script():
    page = render_reading_page(_recording(title="</script><script>alert(1)</script>", channels=["</script>", "<!--"]))
    assert page.count("<script") == 2
    assert _data(page)["channels"] == ["</script>", "<!--"]
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize("thresholds", [{"spsw": 0.3}, {"spsw": 0.2, "artf": 0.9}])
@needs_chromium
def test_operating_points_decide_on_the_page_too(tmp_path, thresholds):
    from eegdiffusion.events.prediction.event_list import merge_windows

    recording = _recording(hours=0.2, thresholds=thresholds)
    (tmp_path / "p.html").write_text(render_reading_page(recording))
    ((start, probabilities),) = recording.windows
    table = merge_windows(probabilities, CLASSES, "bckg", 1.0, start, thresholds=thresholds)
    table = table[table["label"] != "unusable"]
    with open_page(tmp_path / "profile") as page:
        page.open((tmp_path / "p.html").as_uri())
        shown = page.evaluate("events.map((e) => [e.start, e.seconds, e.name])")
    assert shown == table[["onset", "duration", "label"]].to_numpy().tolist()
