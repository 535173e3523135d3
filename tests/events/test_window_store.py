import copy

import numpy as np
import pandas
import pytest
from torch.utils.data import DataLoader

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.events.store import window_store

CHANNELS = [f"c{k}" for k in range(4)]
MONTAGE = choose_montage("four", {"four": CHANNELS}, "own").document()
WINDOW = 50


@pytest.fixture
def recordings():
    draw = np.random.default_rng(0)
    scale = np.array([[1.0], [0.2], [30.0], [0.0]])
    return {name: scale * draw.standard_normal((4, 200)) for name in ("train/a/x", "eval/000/y")}


@pytest.fixture
def made(tmp_path, recordings):
    (tmp_path / "recordings").mkdir()
    for name, signals in recordings.items():
        window_store.write_recording(tmp_path / "recordings" / window_store.file_name(name), signals, CHANNELS, {})
    names = ["train/a/x", "train/a/x", "train/a/x", "eval/000/y"]
    windows = pandas.DataFrame(
        {
            "recording": names,
            "split": ["train", "train", "train", "test"],
            "start_sample": [-20, -20, 170, 10],
            "channel": [0, 1, 2, 3],
            "label": [0, 1, 5, 2],
            "row": [0, 1, 2, 0],
        }
    )
    labels = [np.array(row, np.int8) for row in ([0, 1, -1, -1], [-1, -1, 5, -1], [-1, -1, -1, 2])]
    pretraining = windows.iloc[[0, 2, 3]][["recording", "split", "start_sample"]].assign(labels=labels)
    description = window_store.StoreDescription("surrogate", 200.0, WINDOW, MONTAGE, ["spsw"], "abc", {}, {})
    window_store.write_index(tmp_path, windows, pretraining, description)
    return window_store.Store(tmp_path)


def _as_it_is(batch):
    return batch


def _expected(signals, start):
    return signals.take(np.arange(start, start + WINDOW), axis=1, mode="wrap")


def _tolerance(signals):
    return np.abs(signals).max(1, keepdims=True) / 32767 * 0.51 + 1e-6


def test_event_windows_wrap_and_keep_the_scale(made, recordings):
    windows = made.event_windows("train")
    batch = windows.__getitems__([2, 0, 1])
    signals = recordings["train/a/x"]
    for found, start in zip(batch["signal"], (170, -20, -20), strict=True):
        assert (np.abs(found - _expected(signals, start)) <= _tolerance(signals)).all()
    assert batch["signal"].dtype == np.float32
    assert batch["label"].tolist() == [5, 0, 1]
    assert np.array_equal(windows[2]["signal"], batch["signal"][0])
    assert len(windows) == 3


def test_rows_that_share_a_window_are_known(made):
    distinct, window = made.event_windows("train").distinct()
    assert distinct.tolist() == [0, 2]
    assert window.tolist() == [0, 0, 1]


def test_pretraining_samples_are_views_of_single_channels(made, recordings):
    samples = made.pretraining_samples("train")
    assert len(samples) == 8
    assert samples.channels.tolist() == [0, 1, 2, 3] * 2
    batch = samples.__getitems__([6, 1])
    signals = recordings["train/a/x"]
    for found, (channel, start) in zip(batch["signal"], [(2, 170), (1, -20)], strict=True):
        assert found.shape == (1, WINDOW)
        assert (np.abs(found[0] - _expected(signals, start)[channel]) <= _tolerance(signals)[channel]).all()
    assert batch["channel"].tolist() == [2, 1]
    assert batch["label"].tolist() == [5, 1]


def test_loaders_with_worker_processes_read_the_same(made):
    windows = made.event_windows("train")
    here = windows.__getitems__([0, 1, 2])  # leaves maps open, which must not travel
    assert not copy.copy(windows)._recordings.__getstate__()["_open"]
    options = {"batch_size": 3, "num_workers": 1, "multiprocessing_context": "spawn", "collate_fn": _as_it_is}
    (there,) = DataLoader(windows, **options)
    assert np.array_equal(here["signal"], there["signal"])
    assert np.array_equal(here["label"], there["label"])


def test_recordings_are_stored_once_in_two_bytes_a_sample(made, recordings):
    size = sum(path.stat().st_size for path in (made.path / "recordings").iterdir())
    assert size < 2 * sum(signals.size for signals in recordings.values()) + 2 * 2500


def test_what_cannot_be_stored_is_refused(tmp_path):
    signals = np.ones((4, 10))
    signals[1, 3] = np.nan
    with pytest.raises(InputError, match="finite"):
        window_store.write_recording(tmp_path / "x.arrow", signals, CHANNELS, {})
    assert not list(tmp_path.iterdir())


def test_a_split_that_does_not_exist_is_named(made):
    for read in (made.event_windows, made.pretraining_samples):
        with pytest.raises(InputError, match=r"split: must be one of train, validation, test .found 'valid'"):
            read("valid")


def test_a_folder_that_is_no_store_is_named(tmp_path):
    with pytest.raises(InputError, match=r"store\.json.*preprocess_events"):
        window_store.Store(tmp_path)
