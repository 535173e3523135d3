"""A classifier of EEG that train_eeg_encoder has trained, and the epochs that it was trained and tested on."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.registry import load_encoder
from eegdiffusion.images.encoders.training_folders import ENCODER
from eegdiffusion.images.epochs.classes import classes_of
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import Pairs
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.epochs.protocols import Fold


@dataclass(frozen=True)
class TrainedClassifier:
    """A trained classifier.

    Attributes:
        folder: folder of the training.
        facts: what ``metrics.json`` says.
        encoder: classifier in evaluation mode.
        input: filter and scale of its epochs.
        pairs: epochs of the training; values and truth are ``label``.
    """

    folder: Path
    facts: dict
    encoder: EEGEncoder
    input: EpochInput
    pairs: Pairs

    def part(self, split: str) -> PairedEpochs:
        """Return the epochs of a split as they are stored, averaged as in the classifier's training."""
        return self.pairs.part(split, self.facts["repetitions"], as_stored=True)


def open_classifier(folder: Path, store: EpochStore, wanted: np.ndarray) -> TrainedClassifier:
    """Open a folder of one protocol, band, fold and seed.

    Args:
        folder: folder of the training.
        store: epoch store that the classifier was trained on.
        wanted: (images,) bool, which images are used.

    Raises:
        InputError: the folder holds no classifier, or one of other epochs.
    """
    path = folder / "metrics.json"
    if not path.is_file():
        raise InputError(f"{path}: no such file; train_eeg_encoder writes it for protocol joint and the first seed")
    facts = json.loads(path.read_text())
    rules = {"objective": "classify", "pairs": "recorded", "preprocessing": store.description.fingerprint}
    for name, value in rules.items():
        if facts[name] != value:
            raise InputError(f"{path}: {name}: must be {value!r} (found {facts[name]!r})")
    classes = classes_of(store.images, len(facts["concepts"]), seed=0)
    if classes.names != facts["concepts"]:
        raise InputError(f"{path}: concepts: must be those of {store.path}; run `dvc repro train_eeg_encoder`")
    split = np.where(wanted, classes.split, "")
    label = {"label": classes.label}
    band = facts["band"] and tuple(facts["band"])
    tasks = facts.get("train_task"), facts.get("test_task")
    pairs = Pairs(store, split, label, label, Fold(**facts["fold"]), band, *tasks)
    return TrainedClassifier(folder, facts, load_encoder(folder / ENCODER), EpochInput.load(folder), pairs)
