"""Drawings of emoji by several artists, from packages of npm, under licences that let everybody use them."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from eegdiffusion.core.runtime.errors import InputError


@dataclass(frozen=True)
class IconSet:
    """A package of drawings, pinned by version and the SHA-256 of its archive.

    Attributes:
        name: name below the scope ``@iconify-json``.
        version: version of the package.
        sha256: SHA-256 of the archive that ``npm pack`` brings.
        licence: SPDX identifier of the drawings' licence.
        author: whose drawings they are.
    """

    name: str
    version: str
    sha256: str
    licence: str
    author: str

    @property
    def archive(self) -> str:
        """Name of the archive that ``npm pack`` writes."""
        return f"iconify-json-{self.name}-{self.version}.tgz"


ICON_SETS = (
    IconSet(
        "noto", "1.2.9", "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad", "Apache-2.0", "Google"
    ),
    IconSet(
        "noto-v1", "1.2.5", "2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37", "Apache-2.0", "Google"
    ),
    IconSet(
        "fxemoji", "1.2.2", "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef", "Apache-2.0", "Mozilla"
    ),
    IconSet(
        "twemoji", "1.2.5", "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7", "CC-BY-4.0",
        "Twitter and contributors",
    ),
    IconSet(
        "emojione", "1.2.3", "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e", "CC-BY-4.0",
        "Emoji One and EmojiTwo",
    ),
    IconSet(
        "fluent-emoji-flat", "1.2.6", "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175", "MIT",
        "Microsoft",
    ),
)  # fmt: skip
"""The sets that are drawn from; OpenMoji, which the corpora with EEG show, is not among them."""


def fetch_icons(icon_set: IconSet, cache: Path) -> dict[str, Any]:
    """Return the documents ``icons.json`` and ``chars.json`` of a set, from the cache or by ``npm pack``.

    Args:
        icon_set: the package.
        cache: folder that keeps the archive.

    Returns:
        the two documents by the names ``icons`` and ``chars``.

    Raises:
        InputError: npm is missing or brings nothing, or the archive is not the pinned one.
    """
    path = cache / icon_set.archive
    if not path.is_file():
        _pack(icon_set, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != icon_set.sha256:
        raise InputError(f"{path}: its sha256 must be {icon_set.sha256} (found {digest}); remove it and run again")
    with tarfile.open(path) as archive:
        members = {name: archive.extractfile(f"package/{name}.json") for name in ("icons", "chars")}
        return {name: json.load(member) for name, member in members.items() if member is not None}


def _pack(icon_set: IconSet, path: Path) -> None:
    """Have npm download the archive of a set, whole or not at all."""
    if shutil.which("npm") is None:
        raise InputError(f"{path}: no such file, and npm, which would fetch it, is not installed")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as partial:
        package = f"@iconify-json/{icon_set.name}@{icon_set.version}"
        outcome = subprocess.run(
            ["npm", "pack", "--silent", "--ignore-scripts", package], cwd=partial, capture_output=True, text=True
        )
        if outcome.returncode:
            reason = (outcome.stderr.strip() or "no message").splitlines()[-1]
            raise InputError(f"{package}: npm could not download it: {reason}")
        (Path(partial) / icon_set.archive).replace(path)


def draw_icons(cache: Path, characters: list[str], side: int) -> dict[str, list[tuple[str, Image.Image]]]:
    """Draw characters by every artist who drew them.

    A set lists a drawing by its code point, or by the name that another set gives to that code point.

    Args:
        cache: folder that keeps the sets.
        characters: characters of one code point each.
        side: side of the drawings in pixels.

    Returns:
        by character, the set's name and an RGBA drawing, cut to what is drawn, in the order of :data:`ICON_SETS`.
    """
    documents = {icons.name: fetch_icons(icons, cache) for icons in ICON_SETS}
    drawings: dict[str, list[tuple[str, Image.Image]]] = {}
    for character in characters:
        code = f"{ord(character):x}"
        listed = {
            name: document["chars"].get(code) or document["chars"].get(f"{code}-fe0f")
            for name, document in documents.items()
        }
        names = {name for name in listed.values() if name}
        drawings[character] = []
        for set_name, document in documents.items():
            candidates = [listed[set_name], *sorted(names), *sorted(name.replace("-", "") for name in names)]
            icon = next((icon for name in candidates if name and (icon := _icon(document["icons"], name))), None)
            if icon is not None:
                drawings[character].append((set_name, _render(icon, side)))
    return drawings


def _icon(document: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return the body and the size of an icon of this name, also by an alias that changes nothing but the name."""
    alias = document.get("aliases", {}).get(name)
    icon = document["icons"].get(alias["parent"] if alias and set(alias) == {"parent"} else name)
    if icon is None:
        return None
    size = {axis: icon.get(axis, document.get(axis, 16)) for axis in ("width", "height")}
    return size | {"body": icon["body"]}


def _render(icon: dict[str, Any], side: int) -> Image.Image:
    # Only who builds the generator needs it.
    import resvg_py

    box = f"0 0 {icon['width']} {icon['height']}"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'
    image = Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))).convert("RGBA")
    return image.crop(image.getbbox())
