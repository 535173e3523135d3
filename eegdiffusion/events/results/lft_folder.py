"""What a trained LFT needs to classify windows by itself: its weights, its backbone, and how windows are made."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.storage.batched_dataset import BatchedDataset
from eegdiffusion.core.storage.input_example import first_inputs
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.results.window_input import write_window_input


def write_lft(folder: Path, lft: LFT, cache: Path, windows: BatchedDataset, preprocessing: Preprocessing) -> None:
    """Write ``lft/``, ``backbone/``, ``latents.json``, ``example.npy`` and ``preprocessing.json`` to a folder.

    Args:
        folder: folder of the classifier, which exists.
        lft: the trained LFT; it is moved to the CPU.
        cache: folder of the latent cache that it was trained on.
        windows: windows of the corpus, whose first are the example.
        preprocessing: how recordings become such windows, and the classes' names.
    """
    lft.cpu().save_pretrained(folder / "lft")
    recipe = json.loads((cache / "cache.json").read_text())["recipe"]
    write_recipe(folder, recipe, "physical")
    shutil.copytree(cache / "backbone", folder / "backbone")
    write_window_input(folder, first_inputs(windows, "signal"), preprocessing)


def write_recipe(folder: Path, recipe: Mapping[str, object], parts: str) -> None:
    """Write ``latents.json``: how a classifier's tokens are made.

    Args:
        folder: folder of the classifier, which exists.
        recipe: fields of ``Latents``, and the numbers of the channels.
        parts: order of the 5-s parts of longer windows in which it was trained, see :func:`.latents.order_parts`.
    """
    (folder / "latents.json").write_text(json.dumps({"recipe": {**recipe, "parts": parts}}, indent=2, sort_keys=True))
