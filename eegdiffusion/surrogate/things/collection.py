"""Images without EEG, for a small image generator to learn from: drawings that the corpus of objects does not use."""

from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.surrogate.things import objects, scenes
from eegdiffusion.surrogate.things.things_settings import SurrogateThings

SIZE = 112
"""Side of an image in pixels: small generators make smaller ones."""


def write_corpus(root: Path, cache: Path, options: SurrogateThings) -> None:
    """Write the images below a folder, scenes of each drawing in turn.

    Args:
        root: folder to make.
        cache: folder of downloads.
        options: settings of the corpora.

    Raises:
        InputError: the corpus of objects leaves no drawing.
    """
    names = scenes.emoji_concepts()
    # The corpus's concepts are the first of this order; see ``objects.draw_images``.
    order = np.random.default_rng([options.seed, 1]).permutation(len(names))
    others = [list(names)[k] for k in order[options.concepts + options.test_concepts :]]
    drawings = scenes.draw_characters(objects.drawings_font(cache), others)
    if not drawings:
        raise InputError(f"concepts: leave no drawing for the collection (found {options.concepts})")
    rng, characters = np.random.default_rng([options.seed, 5]), list(drawings)
    root.mkdir(parents=True)
    for drawing in drawings.values():
        drawing.thumbnail((SIZE, SIZE))
    for k in progress(range(options.pictures), "pictures", unit="picture"):
        character = characters[k % len(characters)]
        path = root / f"{names[character]}_{k // len(characters) + 1:02d}.jpg"
        scenes.draw_scene(drawings[character], rng, SIZE).save(path, quality=92)
