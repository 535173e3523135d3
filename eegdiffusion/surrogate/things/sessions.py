"""Folders and files of THINGS-EEG2's raw data: pictures with their list, and recordings of subjects who see them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.corpora.things_eeg2 import CHANNELS, TARGET
from eegdiffusion.surrogate.things.responses import HIGH_PASS_HZ, simulate_recording
from eegdiffusion.surrogate.things.simulation import simulate_subjects
from eegdiffusion.surrogate.things.things_settings import SurrogateThings

MARGIN_S = 1.5
SEQUENCE = 20
"""Images between two catch trials."""


@dataclass(frozen=True)
class Sessions:
    """How often images are shown.

    Attributes:
        count: number of sessions of a subject; half of the training images are shown in each, the others in the next.
        training_repetitions: number of times that a session shows each of its training images.
        test_repetitions: number of times that a session shows each test image.
        step_s: time from an image to the next in seconds; responses, which are longer than 0.2 s, overlap more the
            shorter it is.
    """

    count: int
    training_repetitions: int
    test_repetitions: int
    step_s: float = 0.2


def write_images(root: Path, images: list[tuple[str, Image.Image]], training: int) -> None:
    """Write folders of training and test images, and ``image_metadata.npy``, as THINGS-EEG2's ``image_set`` has them.

    Args:
        root: folder to write to.
        images: concept and image, the training images first.
        training: number of training images.
    """
    numbers = {name: k + 1 for k, name in enumerate(sorted({name for name, _ in images}))}
    document: dict[str, list[str]] = {}
    for part, folder, chosen in (("train", "training", images[:training]), ("test", "test", images[training:])):
        local: dict[str, int] = {}
        lists = {kind: document.setdefault(f"{part}_{kind}", []) for kind in _KINDS}
        counts: dict[str, int] = {}
        for name, image in chosen:
            concept_folder = f"{local.setdefault(name, len(local) + 1):05d}_{name}"
            counts[name] = counts.get(name, 0) + 1
            file = f"{name}_{counts[name]:02d}s.jpg"
            path = root / f"{folder}_images" / concept_folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, quality=92)
            for kind, value in zip(_KINDS, (concept_folder, f"{numbers[name]:05d}_{name}", file), strict=True):
                lists[kind].append(value)
    np.save(root / "image_metadata.npy", np.array(document, object))


_KINDS = ("img_concepts", "img_concepts_THINGS", "img_files")


def session_trials(images: np.ndarray, repetitions: int, rng: np.random.Generator) -> np.ndarray:
    """Order the trials of a session at random, with a catch trial in the middle of each sequence.

    Args:
        images: (n,) rows of the images that the session shows.
        repetitions: number of trials of each image.
        rng: source of the order.

    Returns:
        (trials,) row of the image of each trial, -1 for a catch trial.
    """
    order = rng.permutation(np.repeat(images, repetitions))
    catch_positions = np.arange(SEQUENCE // 2, len(order) + 1, SEQUENCE)
    return np.insert(order, catch_positions, -1)


def write_recordings(
    root: Path, images: list[Image.Image], training: int, cache: Path, options: SurrogateThings, sessions: Sessions
) -> None:
    """Simulate the subjects and write their recordings, ``eeg_dataset/raw_data`` of THINGS-EEG2.

    Args:
        root: folder of the corpus.
        images: all images, those of the training set first.
        training: number of training images.
        cache: folder of downloads.
        options: settings of the corpora.
        sessions: how often images are shown.
    """
    fitted = np.arange(len(images)) < training
    simulated = simulate_subjects(images, fitted, cache, options)
    for number, (background, responses) in enumerate(
        progress(simulated, "surrogate subjects", options.subjects, "subject"), start=1
    ):
        own = np.random.default_rng([options.seed, 2, number])
        halves = own.permutation(training) % 2
        for session in range(1, sessions.count + 1):
            shown = {
                "training": (np.flatnonzero(halves == session % 2), sessions.training_repetitions, 0),
                "test": (np.arange(training, len(images)), sessions.test_repetitions, training),
            }
            for part, (rows, repetitions, first) in shown.items():
                trials = session_trials(rows, repetitions, own)
                onsets = np.round((MARGIN_S + sessions.step_s * np.arange(len(trials))) * options.sfreq).astype(int)
                samples = onsets[-1] + round(MARGIN_S * options.sfreq)
                signals = np.zeros((64, samples))
                signals[:63] = 1e-6 * simulate_recording(background, onsets, trials, responses, samples, own)
                signals[63, onsets] = np.where(trials < 0, TARGET, trials - first + 1)
                folder = root / f"eeg_dataset/raw_data/sub-{number:02d}/ses-{session:02d}"
                folder.mkdir(parents=True, exist_ok=True)
                # The published layout is a pickled dict; this one holds text, numbers and an array.
                np.save(folder / f"raw_eeg_{part}.npy", np.array(_raw(signals, options.sfreq), object))


def _raw(signals: np.ndarray, sfreq: float) -> dict:
    return {
        "raw_eeg_data": signals,
        "ch_names": [*CHANNELS, "stim"],
        "ch_types": ["eeg"] * 63 + ["stim"],
        "sfreq": float(sfreq),
        "highpass": HIGH_PASS_HZ,
        "lowpass": 0.4 * float(sfreq),
    }
