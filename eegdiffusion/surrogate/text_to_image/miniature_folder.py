"""The miniature of Stable Diffusion as a folder in diffusers' layout, with a card, a sheet of pictures and a judge."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from PIL import Image

from eegdiffusion.surrogate.text_to_image.caption_scores import Share
from eegdiffusion.surrogate.text_to_image.captioned_scenes import GROUNDS, HUES, PLACES
from eegdiffusion.surrogate.text_to_image.icon_sets import ICON_SETS
from eegdiffusion.surrogate.text_to_image.miniature_training import TextToImage
from eegdiffusion.surrogate.text_to_image.scene_judge import SceneJudge

SCORES = "scores.json"
"""File with the scores of held-out captions."""

SHEET = "held_out_captions.png"
"""Picture with images of held-out captions."""


@dataclass(frozen=True)
class HeldOutCaptions:
    """Pictures of captions that were held out.

    Attributes:
        captions: (n,) captions.
        images: (n, side, side, 3) uint8, one of each caption.
        scores: shares by what was asked for, ``concept`` and ``colour``.
        true_scores: the same for true scenes with these captions, which bound them from above.
    """

    captions: list[str]
    images: np.ndarray
    scores: dict[str, Share]
    true_scores: dict[str, Share]


def save_miniature(
    folder: Path, pipeline: TextToImage, judge: SceneJudge, held_out: HeldOutCaptions, facts: dict[str, Any]
) -> None:
    """Write the folder: the pipeline's parts as float16 safetensors, the judge, scores, sheet, card and notice.

    Args:
        folder: folder to make.
        pipeline: parts of the pipeline.
        judge: what judged its pictures.
        held_out: pictures of captions that were held out.
        facts: what the card says of the training: ``command``, ``revision``, ``concepts``, ``pictures``,
            ``image_size``.
    """
    folder.mkdir(parents=True)
    index: dict[str, Any] = {"_class_name": "StableDiffusionPipeline"}
    for name, library in _PARTS.items():
        part = getattr(pipeline, name)
        index[name] = [library, type(part).__name__]
        if isinstance(part, torch.nn.Module):
            part = part.half()
        part.save_pretrained(folder / name)
    index |= {"safety_checker": [None, None], "feature_extractor": [None, None], "requires_safety_checker": False}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    judge.half().save_pretrained(folder / "judge")
    scores = {"generated": held_out.scores, "true": held_out.true_scores}
    numbers = {kind: {name: asdict(share) for name, share in shares.items()} for kind, shares in scores.items()}
    (folder / SCORES).write_text(json.dumps(numbers, indent=2) + "\n")
    captions = "\n".join(held_out.captions[:SHOWN])
    (folder / "held_out_captions.txt").write_text(captions + "\n")
    sheet(held_out.images[:SHOWN]).save(folder / SHEET)
    (folder / "README.md").write_text(card(pipeline, held_out, facts))
    (folder / "NOTICE").write_text(notice())


_PARTS = {
    "vae": "diffusers", "text_encoder": "transformers", "tokenizer": "transformers", "unet": "diffusers",
    "scheduler": "diffusers",
}  # fmt: skip

SHOWN = 40
"""Number of pictures on the sheet."""

ACROSS = 10
"""Number of pictures in a row of the sheet."""


def sheet(images: np.ndarray, enlarged: int = 2) -> Image.Image:
    """Lay images (n, side, side, 3) uint8 out in rows, each pixel ``enlarged`` times, with a margin between them."""
    side = enlarged * images.shape[1]
    rows = -(-len(images) // ACROSS)
    page = Image.new("RGB", (ACROSS * (side + 4), rows * (side + 4)), "white")
    for k, image in enumerate(images):
        row, column = divmod(k, ACROSS)
        picture = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        page.paste(picture, (column * (side + 4), row * (side + 4)))
    return page


def card(pipeline: TextToImage, held_out: HeldOutCaptions, facts: dict[str, Any]) -> str:
    """Write the model card.

    Args:
        pipeline: parts of the pipeline.
        held_out: pictures of captions that were held out.
        facts: see :func:`save_miniature`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), undefined=jinja2.StrictUndefined, autoescape=False,
        keep_trailing_newline=True,
    )  # fmt: skip
    networks = {name: getattr(pipeline, name) for name in ("vae", "unet", "text_encoder")}
    sizes = {n: (type(m).__name__, sum(p.numel() for p in m.parameters())) for n, m in networks.items()}
    known = [name.replace("_", " ") for name in facts["concepts"]]
    return environment.get_template("miniature_card.md.j2").render(
        facts, networks=sizes, known=known, held_out=held_out, colours=len(HUES), grounds=len(GROUNDS),
        places=len(PLACES),
    )  # fmt: skip


def notice() -> str:
    """Write whose drawings the scenes were made of, and under which licences."""
    lines = [
        f"* {icons.name} {icons.version} (package @iconify-json/{icons.name}), drawings by {icons.author}: "
        f"{icons.licence}"
        for icons in ICON_SETS
    ]
    return (
        "The weights in this folder were trained on scenes made of drawings from these sets, which were cut, turned,\n"
        "scaled and, in part, painted in other colours:\n\n" + "\n".join(lines) + "\n\n"
        "The weights and the pictures in this folder are under CC-BY-4.0: name the sets above and this project.\n"
    )
