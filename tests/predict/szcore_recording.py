"""A recording as SzCORE has it, a tiny model of its seizures, and what SzCORE takes as a table."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import edfio
import mne
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from eegdiffusion import LFT
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.prediction.derived_signals import derive
from eegdiffusion.events.results.tested_subsets import write_tested_subsets
from eegdiffusion.surrogate.chbmit.seizures import Person, Seizure, add_seizure
from eegdiffusion.surrogate.tuev.tuev_recordings import ELECTRODES as PLACES
from tests.predict import tiny_model
from tests.tuev_fixture import signals

NAMES = [
    "Fp1",
    "F3",
    "C3",
    "P3",
    "O1",
    "F7",
    "T3",
    "T5",
    "Fz",
    "Cz",
    "Pz",
    "Fp2",
    "F4",
    "C4",
    "P4",
    "O2",
    "F8",
    "T4",
    "T6",
]
"""SzCORE's 19 electrodes in its order."""

RATE, SECONDS = 256, 120
SEIZURE = Seizure(50, 80)
PREPROCESSING = replace(tiny_model.PREPROCESSING, classes=["bckg", "sz"])


def write_recording(path: Path, seed: int) -> None:
    """Write EEG with a surrogate's seizure, against the common average, as SzCORE's recordings are."""
    places = mne.channels.make_standard_montage("standard_1020").get_positions()["ch_pos"]
    positions = np.stack([places[PLACES.get(name.upper(), name)] for name in NAMES])
    person = replace(Person.draw(np.random.default_rng(7)), focus="T7")
    volts = signals(NAMES, SECONDS, RATE, seed) * 1e-6
    add_seizure(volts, positions, places[person.focus], SEIZURE, person, RATE, 150e-6)
    volts -= volts.mean(axis=0)
    channels = [
        edfio.EdfSignal(row * 1e6, RATE, label=f"{name}-Avg", physical_dimension="uV", physical_range=(-3000, 3000))
        for name, row in zip(NAMES, volts, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    edfio.Edf(channels).write(path)


def write_model(folder: Path) -> Path:
    """Write a tiny LFT of seizures whose last layer is fitted to another recording of the surrogate."""
    tiny_model.write(folder, PREPROCESSING)
    write_tested_subsets(folder, tiny_model.made_up_scores({"least": 4}))
    write_recording(folder / "train.edf", seed=5)
    stored, _ = derive(open_recording(folder / "train.edf", {}), PREPROCESSING, fewest=4)
    starts = stored.pieces[0].starts
    windows = torch.from_numpy(np.stack([stored.read(k, k + 1000) for k in starts]).astype(np.float32))
    middle = starts / 200 + 2
    labels = (middle >= SEIZURE.start_s) & (middle < SEIZURE.stop_s)
    lft, saved = LFT.from_pretrained(folder / "lft").eval(), signal_transform.load(folder / "backbone")
    latents = Latents(
        backbone="base", corpus="tuev", step=1, noise="none", kind="gate", statistic="std", codec="float32"
    )
    ids = [PREPROCESSING.channels.index(name) for name in stored.channels]
    with torch.inference_mode():
        features = lft.features(signal_transform.tokens(*saved, latents, windows, channels=ids)).numpy()
    fitted = LogisticRegression(C=1e4, max_iter=5000, class_weight="balanced").fit(features, labels)
    with torch.no_grad():
        linear = lft.classifier.linear
        linear.weight.copy_(torch.from_numpy(np.stack([-fitted.coef_[0], fitted.coef_[0]]) / 2))
        linear.bias.copy_(torch.tensor([-fitted.intercept_[0], fitted.intercept_[0]]) / 2)
    lft.save_pretrained(folder / "lft")
    (folder / "train.edf").unlink()
    return folder


def check_table(path: Path) -> None:
    """Check a table by SzCORE's format."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    assert header == ["onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration"]
    assert rows
    for onset, duration, event, confidence, channels, clock, recorded in rows:
        assert 0 <= float(onset) < float(onset) + float(duration) <= float(recorded) == SECONDS
        assert event == "bckg" or event.startswith("sz")
        assert confidence == "n/a" or 0 <= float(confidence) <= 1
        assert re.fullmatch(r"n/a|all|[^\t,]+(,[^\t,]+)*", channels)
        assert clock == "n/a" or re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", clock)
