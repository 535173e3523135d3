"""Pictures of the surrogate of THINGS: drawings of OpenMoji in scenes, and tangrams laid at random.

A concept is a drawing; its exemplars are the drawing in scenes that differ in ground, place, size, turn and tint.
"""

import colorsys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = 224
"""Side of a picture in pixels."""

RANGES = [
    (0x1F330, 0x1F37F), (0x1F3A0, 0x1F3BB), (0x1F3D4, 0x1F3F0), (0x1F400, 0x1F43D), (0x1F451, 0x1F462),
    (0x1F4BA, 0x1F4FC), (0x1F525, 0x1F52E), (0x1F680, 0x1F6B2), (0x1F6F0, 0x1F6FC), (0x1F94F, 0x1F96F),
    (0x1F980, 0x1F9AE), (0x1F9C0, 0x1F9CB), (0x1F9E6, 0x1F9FF), (0x1FA70, 0x1FAB8),
]  # fmt: skip
"""Plants, food, things, places, animals, clothes, vehicles: characters of emoji that show an object."""

NO_OBJECT = (
    "FACE", "SYMBOL", "HEART", "SIGN", "MARK", "CHART", "FACING", "PHONE WITH", "ONCOMING", "NO ", "BANKNOTE",
    "ENVELOPE", "MAILBOX", "MODE", "BALLOON", "BOOK", "HEAVY", "MULTIPLE",
)  # fmt: skip
"""Names that hold one of these are left out: signs, and near repeats of another drawing."""


def emoji_concepts() -> dict[str, str]:
    """Return character -> name of the concept, sorted by name."""
    names = {
        chr(code): name for first, last in RANGES for code in range(first, last + 1)
        if (name := unicodedata.name(chr(code), "")) and not any(word in name for word in NO_OBJECT)
    }  # fmt: skip
    concepts = {character: name.lower().replace(" ", "_").replace("-", "_") for character, name in names.items()}
    return dict(sorted(concepts.items(), key=lambda item: item[1]))


def draw_characters(font: Path, characters: list[str]) -> dict[str, Image.Image]:
    """Draw characters in colour: character -> RGBA, cut to what is drawn; without those that the font lacks."""
    typeface = ImageFont.truetype(str(font), 2 * SIZE)
    drawings, blank = {}, _draw(typeface, "\U0010fffd")
    for character in characters:
        image = _draw(typeface, character)
        if image is not None and (blank is None or image.tobytes() != blank.tobytes()):
            drawings[character] = image
    return drawings


def _draw(typeface: ImageFont.FreeTypeFont, character: str) -> Image.Image | None:
    image = Image.new("RGBA", (4 * SIZE, 4 * SIZE))
    ImageDraw.Draw(image).text((SIZE, SIZE), character, font=typeface, embedded_color=True)
    box = image.getbbox()
    return image.crop(box) if box else None


def draw_scene(drawing: Image.Image, rng: np.random.Generator, size: int = SIZE) -> Image.Image:
    """Put a drawing into a scene: turned, scaled and tinted, on a soft ground.

    Args:
        drawing: RGBA drawing.
        rng: source of all that varies.
        size: side of the scene in pixels.

    Returns:
        (size, size) RGB image.
    """
    ground = _ground(rng, size)
    turned = drawing.rotate(rng.uniform(-25, 25), Image.Resampling.BICUBIC, expand=True)
    if rng.random() < 0.5:
        turned = turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = size * rng.uniform(0.6, 0.92) / max(turned.size)
    turned = turned.resize([max(1, round(side * scale)) for side in turned.size], Image.Resampling.LANCZOS)
    gain = rng.uniform(0.85, 1.15, 3)
    colour = np.asarray(turned, np.float32).copy()
    colour[..., :3] = np.clip(colour[..., :3] * gain, 0, 255)
    turned = Image.fromarray(colour.astype(np.uint8), "RGBA")
    left, top = (round(rng.uniform(0, size - side)) for side in turned.size)
    ground.paste(turned, (left, top), turned)
    return ground


def _ground(rng: np.random.Generator, size: int) -> Image.Image:
    """Draw a soft two-colour gradient with blurred blots: (size, size) RGB."""
    first, last = (
        np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.45), rng.uniform(0.55, 1.0))) for _ in range(2)
    )
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-0.5 : 0.5 : size * 1j, -0.5 : 0.5 : size * 1j]
    mix = np.clip(0.5 + np.cos(angle) * x + np.sin(angle) * y, 0, 1)[..., None]
    image = Image.fromarray((255 * ((1 - mix) * first + mix * last)).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 4)):
        left, top = rng.uniform(-0.2, 0.9, 2) * size
        side = rng.uniform(0.2, 0.5) * size
        shade = tuple(int(value) for value in 255 * (first if rng.random() < 0.5 else last))
        draw.ellipse([left, top, left + side, top + side], fill=shade)
    return image.filter(ImageFilter.GaussianBlur(6 * size / SIZE))


_TRIANGLE = np.array([[0, 0], [1, 0], [0, 1]], float)
PIECES = [
    2 * _TRIANGLE, 2 * _TRIANGLE, np.sqrt(2) * _TRIANGLE, _TRIANGLE, _TRIANGLE,
    np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float), np.array([[0, 0], [1, 0], [2, 1], [1, 1]], float),
]  # fmt: skip
"""The seven pieces of a tangram, in units of the square's side."""


@dataclass(frozen=True)
class TangramPieces:
    """Seven polygons (corners, 2), as they lie."""

    pieces: list[np.ndarray]


def lay_tangram(rng: np.random.Generator) -> TangramPieces:
    """Lay the seven pieces edge to edge without overlap, each turned by a multiple of 45 degrees."""
    while True:
        order = rng.permutation(len(PIECES))
        placed: dict[int, np.ndarray] = {}
        for k in order:
            for _ in range(200):
                piece = _turned(PIECES[k], rng)
                if placed:
                    other = placed[int(rng.choice(list(placed)))]
                    piece = piece - piece[rng.integers(len(piece))] + other[rng.integers(len(other))]
                if all(_apart(piece, other) for other in placed.values()) and (not placed or _touches(piece, placed)):
                    placed[int(k)] = piece
                    break
        if len(placed) == len(PIECES):
            return TangramPieces([placed[k] for k in range(len(PIECES))])


def _turned(piece: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angle = np.pi / 4 * rng.integers(8)
    turned = piece @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return turned * [-1, 1] if rng.random() < 0.5 else turned


def _axes(piece: np.ndarray) -> np.ndarray:
    edges = np.roll(piece, -1, axis=0) - piece
    normals = np.c_[-edges[:, 1], edges[:, 0]]
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _apart(piece: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two convex pieces do not overlap (separating axes); edges may touch."""
    axes = np.concatenate([_axes(piece), _axes(other)])
    first, second = piece @ axes.T, other @ axes.T
    return bool(np.any(np.maximum(first.min(0) - second.max(0), second.min(0) - first.max(0)) > -1e-6))


def _touches(piece: np.ndarray, placed: dict[int, np.ndarray]) -> bool:
    """Tell whether an edge of the piece lies along one of the others', for half a unit or more."""
    for other in placed.values():
        for a, b in zip(piece, np.roll(piece, -1, axis=0), strict=True):
            along = (b - a) / np.linalg.norm(b - a)
            for c, d in zip(other, np.roll(other, -1, axis=0), strict=True):
                off = np.abs(np.cross(np.array([*along, 0]), np.c_[np.array([c - a, d - a]), [0, 0]])[:, 2])
                low, high = sorted([(c - a) @ along, (d - a) @ along])
                if off.max() < 1e-6 and min(high, np.linalg.norm(b - a)) - max(low, 0) > 0.5:
                    return True
    return False


def write_svg(figure: TangramPieces, path: Path) -> None:
    """Write a figure as Kilogram writes its drawings: seven polygons with ids, in a view box of their own."""
    corners = np.concatenate(figure.pieces)
    low, scale = corners.min(0), 50.0
    width, height = (corners.max(0) - low) * scale
    polygons = "\n".join(
        f'<polygon id="{k}" points="{" ".join(f"{x:.2f},{y:.2f}" for x, y in (piece - low) * scale)}" '
        'fill="lightgray" stroke="white" strokewidth="1"/>'
        for k, piece in enumerate(figure.pieces, start=1)
    )
    box = f"0 0 {width:.1f} {height:.1f}"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">\n{polygons}\n</svg>\n')
