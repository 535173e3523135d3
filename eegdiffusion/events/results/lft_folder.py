"""What a trained LFT needs to classify windows by itself: its weights, its backbone, and how windows are made."""

import shutil
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
    shutil.copy(cache / "cache.json", folder / "latents.json")
    shutil.copytree(cache / "backbone", folder / "backbone")
    write_window_input(folder, first_inputs(windows, "signal"), preprocessing)
