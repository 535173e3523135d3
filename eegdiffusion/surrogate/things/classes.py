"""The surrogate of EEGCVPR40: few classes with many images each, some of which are held out; in THINGS-EEG2's layout.

Unlike EEGCVPR40 it shows the images in random order, so that nothing but the response tells the class.
"""

from pathlib import Path

import numpy as np

from eegdiffusion.surrogate.things import objects, scenes
from eegdiffusion.surrogate.things.sessions import Sessions, write_images, write_recordings
from eegdiffusion.surrogate.things.things_settings import SurrogateThings

SESSIONS = Sessions(count=4, training_repetitions=1, test_repetitions=1, step_s=0.5)
"""A training image is shown once in each of two sessions, a test image once in each of four, half a second as in
EEGCVPR40."""


def write_corpus(root: Path, cache: Path, options: SurrogateThings) -> None:
    """Write the corpus of classes in the layout of THINGS-EEG2's raw data.

    The classes are the first training concepts of the corpus of objects with the same settings.

    Args:
        root: folder to make.
        cache: folder of downloads.
        options: settings of the corpora.
    """
    names, rng = scenes.emoji_concepts(), np.random.default_rng([options.seed, 8])
    order = np.random.default_rng([options.seed, 1]).permutation(len(names))
    chosen = [list(names)[k] for k in order[options.test_concepts : options.test_concepts + options.classes]]
    drawings = scenes.draw_characters(objects.drawings_font(cache), chosen)
    counts = options.class_images, options.class_test_images
    images = [
        (names[character], scenes.draw_scene(drawings[character], rng))
        for count in counts for character in drawings for _ in range(count)
    ]  # fmt: skip
    training = len(drawings) * options.class_images
    write_images(root / "image_set", images, training)
    write_recordings(root, [image for _, image in images], training, cache, options, SESSIONS)
