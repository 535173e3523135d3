"""``eeg example`` writes inputs that the models take."""

import mne
import numpy as np
import pandas
import pytest
from PIL import Image

from eegdiffusion.commands.example import command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.events.corpora import tuev
from eegdiffusion.images.epochs.epoch_store import EpochStoreDescription, subject_file, write_epoch_index, write_epochs
from tests.e2e.workspace import ROOT

CHANNELS, SAMPLES = ["Oz", "O1", "O2"], 20


def example(*words):
    """Run `eeg example`, or raise its error."""
    command.main([str(word) for word in words], standalone_mode=False)


def test_a_recording_has_tuevs_electrodes_and_its_events(tmp_path, capsys):
    path = tmp_path / "new/recording.edf"
    example("recording", path, "--seconds", 34, "--cache", ROOT / "data/cache")
    raw = mne.io.read_raw_edf(path, verbose="error")
    assert raw.times[-1] == pytest.approx(34, abs=0.01)
    assert {f"EEG {name}-REF" for name in ELECTRODES} <= set(raw.ch_names)
    windows, labels, _ = tuev.event_windows(path)
    assert windows.shape[1:] == (22, 1000)
    assert set(labels) == set(range(1, 7)), "every class happens in it"
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: surrogate recording of 34 s",
        f"{path.with_suffix('.rec')}: the {len(path.with_suffix('.rec').read_text().splitlines())} events in it",
    ]
    first = path.read_bytes()
    example("recording", path, "--seconds", 34, "--cache", ROOT / "data/cache")
    assert path.read_bytes() == first
    example("recording", path, "--seconds", 34, "--seed", 1, "--cache", ROOT / "data/cache")
    assert path.read_bytes() != first


@pytest.fixture
def store(tmp_path):
    """An epoch store of two subjects, in which each test image was seen twice."""
    folder = tmp_path / "store"
    (folder / "epochs").mkdir(parents=True)
    names = [f"image-{k}" for k in range(4)]
    for k, name in enumerate(names):
        Image.new("RGB", (40, 30), (60 * k, 0, 0)).save(tmp_path / f"{name}.png")
    files = [str(tmp_path / f"{name}.png") for name in names]
    images = pandas.DataFrame({"name": names, "concept": names, "file": files, "sha256": names})
    images["split"] = ["train", "test", "test", "test"]
    rows = []
    for subject in ("sub-01", "sub-02"):
        seen = [(image, repetition) for image in range(4) for repetition in range(2)]
        epochs = np.stack([np.full((len(CHANNELS), SAMPLES), 10 * image + r, np.float32) for image, r in seen])
        epochs[..., 0] += 1
        write_epochs(folder / "epochs" / subject_file(subject), iter([epochs]), epochs.shape[1:])
        rows += [
            {"subject": subject, "session": "1", "image": image, "repetition": r, "row": row,
             "concept": names[image], "split": images["split"][image]}
            for row, (image, r) in enumerate(seen)
        ]  # fmt: skip
    description = EpochStoreDescription(
        "surrogate images", "bids", CHANNELS, [k / 100 for k in range(SAMPLES)], 100.0, "whitened", "f", []
    )
    write_epoch_index(folder, pandas.DataFrame(rows), images, description)
    return folder


def test_epochs_are_held_out_ones_with_the_images_that_were_seen(store, tmp_path, capsys):
    path = tmp_path / "out/epochs.npy"
    example("epochs", path, "--store", store, "--count", 2)
    epochs, seen = np.load(path), np.load(path.with_suffix(".seen.npy"))
    assert epochs.shape == (2, len(CHANNELS), SAMPLES)
    assert epochs.dtype == np.float32
    assert np.allclose(epochs[:, :, 1], [[10.5] * 3, [20.5] * 3], atol=0.01), "of images 1 and 2, two trials each"
    assert seen.shape == (2, 256, 256, 3)
    assert seen[:, 0, 0, 0].tolist() == [60, 120]
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: 2 epochs of 3 electrodes and 20 samples (surrogate images: {store})",
        f"{path.with_suffix('.seen.npy')}: the images that were seen, for --seen",
    ]


def test_epochs_come_without_images_where_these_are_gone(store, tmp_path):
    (tmp_path / "image-2.png").unlink()
    example("epochs", tmp_path / "epochs.npy", "--store", store, "--count", 9)
    assert len(np.load(tmp_path / "epochs.npy")) == 3, "all test images of a subject"
    assert not (tmp_path / "epochs.seen.npy").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("recording", "x.csv"), r"x\.csv: name: must end with \.edf"),
        (("epochs", "x.edf"), r"x\.edf: name: must end with \.npy"),
        (("epochs", "x.npy", "--store", "nowhere"), r"nowhere/store\.json: no such file"),
        (("epochs", "x.npy"), "no registry is known outside of a clone"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match=message):
        example(*words)
    assert not list(tmp_path.iterdir())
