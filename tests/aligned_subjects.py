"""An epoch store of subjects whose heads mix one response to images each in a way of its own, and a model of some."""

from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware, Optimisation
from eegdiffusion.images.encoders.encoder_settings import Align, Classify, EncoderExperiment, RetrievalTest
from eegdiffusion.images.encoders.training_run import RunSettings, open_experiment, run_training
from eegdiffusion.images.epochs.epoch_store import (
    EpochStore,
    EpochStoreDescription,
    subject_file,
    write_epoch_index,
    write_epochs,
)
from eegdiffusion.images.epochs.protocols import Fold
from eegdiffusion.images.features.image_features import FeaturesDescription, ImageFeatures, write_features

WIDTH, ELECTRODES, SAMPLES, SFREQ = 8, 6, 10, 50.0
CHANNELS = ["O1", "Oz", "O2", "P3", "Pz", "P4"]
FINGERPRINT = "planted"


def write_store(
    root: Path, subjects: list[str], same_heads: bool = False, noise: float = 0.5, imagery: float | None = None
) -> None:
    """Write ``images`` and ``features`` below a folder: 60 training images in two sessions, 20 test images four times.

    Args:
        root: folder to write to.
        subjects: names of the subjects.
        same_heads: whether all have the same electrodes' mixture; otherwise each one's own.
        noise: standard deviation of the noise of a sample, of responses of about 1.
        imagery: strength of the responses to imagined images, a sample later; None: none are, and no task is told.
    """
    rng = np.random.default_rng(1)
    training, test = 60, 20
    features = rng.standard_normal((training + test, WIDTH)).astype(np.float32)
    split = np.array(["train"] * 50 + ["validation"] * 10 + ["test"] * test)
    names = [f"image{k:02d}" for k in range(training + test)]
    images = pandas.DataFrame({"name": names, "concept": names, "file": names, "sha256": names, "split": split})
    sources = rng.standard_normal((WIDTH, ELECTRODES, SAMPLES)) / np.sqrt(WIDTH)
    store = root / "images"
    (store / "epochs").mkdir(parents=True)
    tables = []
    for number, name in enumerate(subjects):
        own = np.random.default_rng([2, number])
        head = np.eye(ELECTRODES) if same_heads else np.linalg.qr(own.standard_normal((ELECTRODES, ELECTRODES)))[0]
        order = np.concatenate([own.permutation(training), own.permutation(training)])
        image = np.concatenate([order, np.tile(np.arange(training, training + test), 4)])
        response = head @ np.tensordot(features[image], sources, 1)
        tasks = ["perception"]
        if imagery is not None:
            later = imagery * np.roll(response, 1, axis=2)
            response, image = np.concatenate([response, later]), np.concatenate([image, image])
            tasks = ["perception", "imagery"]
        task = np.repeat(tasks, len(image) // len(tasks))
        epochs = response + noise * own.standard_normal(response.shape)
        write_epochs(store / "epochs" / subject_file(name), iter([epochs]), (ELECTRODES, SAMPLES))
        table = pandas.DataFrame({"subject": name, "image": image})
        table["session"] = np.where(np.arange(len(image)) < training, 1, 2)
        table["repetition"] = table.assign(task=task).groupby(["image", "task"]).cumcount()
        if imagery is not None:
            table["task"] = task
        table["row"] = np.arange(len(image))
        tables.append(table)
    index = pandas.concat(tables, ignore_index=True)
    index["concept"], index["split"] = index["image"].map(images["concept"]), index["image"].map(images["split"])
    times = (np.arange(SAMPLES) / SFREQ).tolist()
    description = EpochStoreDescription(
        "surrogate planted", "things_eeg2_raw", CHANNELS, times, SFREQ, "whitened", FINGERPRINT, []
    )
    write_epoch_index(store, index, images, description)
    write_features(root / "features", features, FeaturesDescription("efficientnet_lite0", "none", WIDTH, FINGERPRINT))


def train_model(root: Path, train: list[str], test: list[str], folder: Path, work: Path, **row) -> None:
    """Align an encoder with the store's features, a ridge regression where no row says otherwise."""
    hardware = Hardware(accelerator="cpu", precision="32-true")
    optimisation = Optimisation(batch_size=32, max_epochs=25, patience=25, learning_rate=1e-2)
    fields = {"corpus": "planted", "objective": "align", "encoder": "ridge", "protocols": ["joint"]} | row
    experiment = EncoderExperiment(**fields)
    align, classify = Align(optimisation=optimisation, centre_features=True), Classify(optimisation=optimisation)
    store = EpochStore(root / "images")
    data = open_experiment(store, ImageFeatures(root / "features", FINGERPRINT), experiment, align, classify)
    pairs = data.pair_epochs(Fold("new", train, test), None, 0)
    settings = RunSettings(align, classify, RetrievalTest(), hardware, device_of("cpu"))
    run_training(data, pairs, "leave_one_out", 0, settings, folder, work)
