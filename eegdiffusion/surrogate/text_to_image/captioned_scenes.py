"""Scenes with captions: a drawing in a colour, at a place and of a size, on a ground of a colour."""

import colorsys
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HUES = {
    "red": (0.0, 0.9), "orange": (0.075, 0.95), "yellow": (0.145, 0.9), "green": (0.34, 0.75),
    "turquoise": (0.49, 0.75), "blue": (0.61, 0.85), "violet": (0.76, 0.7), "pink": (0.90, 0.6),
}  # fmt: skip
"""Colours that drawings are painted in, with hue and saturation, both from 0 to 1."""

GROUNDS = (*HUES, "white", "grey")
"""Colours of grounds."""

PLACES = {"left": (0.0, 0.5), "right": (1.0, 0.5), "top": (0.5, 0.0), "bottom": (0.5, 1.0), "middle": (0.5, 0.5)}
"""Where a small drawing lies: shares of the free width and height that are left of it and above it."""


@dataclass(frozen=True)
class Scene:
    """What a scene shows.

    Attributes:
        concept: name of the concept, an entry of ``emoji_concepts``.
        colour: colour of the drawing, of :data:`HUES`; None: the artist's own colours.
        ground: colour of the ground, of :data:`GROUNDS`.
        place: place of a small drawing, of :data:`PLACES`; None: the drawing is large and lies anywhere.
    """

    concept: str
    colour: str | None
    ground: str
    place: str | None

    @property
    def caption(self) -> str:
        """The scene in words: "a small green fish on violet at the left"."""
        name = self.concept.replace("_", " ")
        size = "small" if self.place else "large"
        words = ["a", size, *([self.colour] if self.colour else []), name, "on", self.ground]
        return " ".join(words + (["at", "the", self.place] if self.place else []))


def is_held_out(concept: int, colour: str) -> bool:
    """Tell whether a concept's number and a colour are a pair kept for testing captions: one colour of each concept."""
    return list(HUES).index(colour) == concept % len(HUES)


def draw_scene_of(concept: str, number: int, rng: np.random.Generator, held_out: bool = False) -> Scene:
    """Draw at random what a scene of a concept shows.

    Args:
        concept: name of the concept.
        number: number of the concept, on which the held-out colours depend.
        rng: source of the scene.
        held_out: whether the colour is one that is held out for the concept, or one that is not.
    """
    colours = [colour for colour in HUES if is_held_out(number, colour) == held_out]
    colour = str(rng.choice(colours)) if held_out or rng.random() < 0.6 else None
    ground = str(rng.choice([name for name in GROUNDS if name != colour]))
    place = str(rng.choice(list(PLACES))) if rng.random() < 0.5 else None
    return Scene(concept, colour, ground, place)


def words() -> list[str]:
    """Return every word of captions that is not of a concept's name, sorted."""
    return sorted({"a", "small", "large", "on", "at", "the", *HUES, *GROUNDS, *PLACES})


def paint(drawing: Image.Image, colour: str, rng: np.random.Generator) -> Image.Image:
    """Paint an RGBA drawing in shades of one colour, from dark to light as the drawing is."""
    hue, saturation = HUES[colour]
    hue = (hue + rng.uniform(-0.02, 0.02)) % 1
    levels = np.linspace(0, 1, 256)
    # Dark parts stay dark and light parts become pale, so that the drawing can still be read.
    value = 0.25 + 0.75 * levels**0.8
    pale = saturation * (1 - 0.65 * np.clip((levels - 0.55) / 0.45, 0, 1))
    shades = np.array([colorsys.hsv_to_rgb(hue, s, v) for s, v in zip(pale, value, strict=True)])
    pixels = np.asarray(drawing)
    grey = np.asarray(drawing.convert("RGB").convert("L"))
    inked = pixels[..., 3] > 128
    low, high = np.percentile(grey[inked], [2, 98]) if inked.any() else (0, 255)
    stretched = np.clip((grey.astype(float) - low) / max(high - low, 32), 0, 1)
    painted = (255 * shades[(255 * stretched).astype(int)]).astype(np.uint8)
    return Image.fromarray(np.dstack([painted, pixels[..., 3]]), "RGBA")


def draw_ground(colour: str, rng: np.random.Generator, side: int) -> Image.Image:
    """Draw a soft gradient of shades of a colour, with blurred blots: (side, side) RGB."""
    first, last = (_shade(colour, rng) for _ in range(2))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-0.5 : 0.5 : side * 1j, -0.5 : 0.5 : side * 1j]
    mix = np.clip(0.5 + np.cos(angle) * x + np.sin(angle) * y, 0, 1)[..., None]
    image = Image.fromarray((255 * ((1 - mix) * first + mix * last)).astype(np.uint8), "RGB")
    blots = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 3)):
        left, top = rng.uniform(-0.2, 0.9, 2) * side
        width = rng.uniform(0.2, 0.5) * side
        fill = tuple(int(value) for value in 255 * (first if rng.random() < 0.5 else last))
        blots.ellipse([left, top, left + width, top + width], fill=fill)
    return image.filter(ImageFilter.GaussianBlur(side / 37))


def _shade(colour: str, rng: np.random.Generator) -> np.ndarray:
    if colour == "white":
        return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.04), rng.uniform(0.95, 1.0)))
    if colour == "grey":
        return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.06), rng.uniform(0.5, 0.75)))
    hue = (HUES[colour][0] + rng.uniform(-0.02, 0.02)) % 1
    return np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.2, 0.5), rng.uniform(0.7, 1.0)))


def draw(scene: Scene, drawing: Image.Image, rng: np.random.Generator, side: int) -> Image.Image:
    """Draw a scene.

    Args:
        scene: what is shown.
        drawing: RGBA drawing of its concept.
        rng: source of turn, exact place, size and shades.
        side: side of the scene in pixels.

    Returns:
        (side, side) RGB image.
    """
    ground = draw_ground(scene.ground, rng, side)
    figure = paint(drawing, scene.colour, rng) if scene.colour else drawing
    figure = figure.rotate(rng.uniform(-20, 20), Image.Resampling.BICUBIC, expand=True)
    if rng.random() < 0.5:
        figure = figure.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    share = rng.uniform(0.42, 0.58) if scene.place else rng.uniform(0.66, 0.94)
    scale = side * share / max(figure.size)
    figure = figure.resize([max(1, round(length * scale)) for length in figure.size], Image.Resampling.LANCZOS)
    near = PLACES[scene.place] if scene.place else None
    shares = rng.random(2) if near is None else np.clip(np.array(near) + rng.uniform(-0.1, 0.1, 2), 0, 1)
    left, top = (round(part * (side - length)) for part, length in zip(shares, figure.size, strict=True))
    ground.paste(figure, (left, top), figure)
    return ground
