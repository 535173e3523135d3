"""Thousands of scenes with captions, drawn once and kept as arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.surrogate.text_to_image.captioned_scenes import Scene, draw, draw_scene_of, words
from eegdiffusion.surrogate.text_to_image.icon_sets import draw_icons
from eegdiffusion.surrogate.things.scenes import emoji_concepts

DRAWING_SIDE = 128
"""Side of drawings in pixels before they are put into scenes."""


@dataclass(frozen=True)
class SceneCollection:
    """Scenes of concepts.

    Attributes:
        concepts: names of the concepts.
        images: (scenes, side, side, 3) uint8.
        scenes: what each of them shows.
    """

    concepts: list[str]
    images: np.ndarray
    scenes: list[Scene]

    @property
    def captions(self) -> list[str]:
        """Caption of each scene."""
        return [scene.caption for scene in self.scenes]

    @property
    def words(self) -> list[str]:
        """Every word that a caption of these concepts may hold, sorted."""
        return sorted({*words(), *(word for name in self.concepts for word in name.split("_"))})


def concepts_in_order(seed: int) -> list[str]:
    """Return the characters of all concepts in the order in which the corpora of a seed take theirs."""
    names = list(emoji_concepts())
    return [names[k] for k in np.random.default_rng([seed, 1]).permutation(len(names))]


def collect_scenes(
    cache: Path, seed: int, concepts: int, pictures: int, side: int, held_out: bool = False
) -> SceneCollection:
    """Draw scenes, of each concept in turn by each artist in turn.

    Args:
        cache: folder that keeps the sets of drawings.
        seed: seed of concepts and scenes.
        concepts: number of concepts.
        pictures: number of scenes.
        side: side of a scene in pixels.
        held_out: whether the scenes show pairs of a concept and a colour that are held out, or only others.
    """
    names, characters = emoji_concepts(), concepts_in_order(seed)[:concepts]
    drawings = draw_icons(cache, characters, DRAWING_SIDE)
    # Some concept in the order of characters may have no drawing in any set.
    drawn = [character for character in characters if drawings[character]]
    rng = np.random.default_rng([seed, 7, held_out])
    images, scenes = np.empty((pictures, side, side, 3), np.uint8), []
    for k in progress(range(pictures), "scenes", unit="scene"):
        number = k % len(drawn)
        by_artist = drawings[drawn[number]]
        scenes.append(draw_scene_of(names[drawn[number]], number, rng, held_out))
        images[k] = np.asarray(draw(scenes[-1], by_artist[k // len(drawn) % len(by_artist)][1], rng, side))
    return SceneCollection([names[character] for character in drawn], images, scenes)
