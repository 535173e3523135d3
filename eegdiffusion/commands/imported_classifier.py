"""A published classifier in the form in which finetune_lft writes its own."""

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.filtering import EEGDM, EEGDM_CHBMIT, Filtering
from eegdiffusion.core.signal.montages import Montage, choose_montage
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.signal.units import UNIT
from eegdiffusion.events.corpora import chbmit, tuev
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.ssmdp import WINDOW
from eegdiffusion.events.published.checkpoints import PublishedClassifier
from eegdiffusion.events.results.lft_folder import write_recipe
from eegdiffusion.events.results.window_input import write_window_input

PUBLISHED: dict[str, tuple[Filtering, list[str]]] = {
    "tcp22": (EEGDM, list(tuev.CLASSES)),
    "double_banana_16": (EEGDM_CHBMIT, list(chbmit.LABELS.classes)),
}
"""Montages that EEGDM's classifiers were published for, TUEV's and CHB-MIT's: filters of their windows, classes."""


def _montage(channels: list[int]) -> Montage:
    """Return the montage whose channels have these numbers.

    Raises:
        InputError: none has.
    """
    montages = {name: choose_montage(name) for name in PUBLISHED}
    for montage in montages.values():
        if montage.ids == channels:
            return montage
    listed = "; ".join(f"{', '.join(map(str, montage.ids))} ({name})" for name, montage in montages.items())
    given = ", ".join(map(str, channels))
    raise InputError(f"checkpoint: channels: must be the numbers of a montage in order, {listed} (found {given})")


def write_classifier(folder: Path, classifier: PublishedClassifier, backbone: Path, corpus: str) -> None:
    """Write LFT, backbone, latents, preprocessing and an input example.

    Args:
        folder: folder to write to.
        classifier: the published classifier.
        backbone: folder of its backbone, which is copied.
        corpus: name of the corpus that it was trained on.

    Raises:
        InputError: it takes its tokens in a way that this project's classifiers do not.
    """
    channels, steps = classifier.channels.tolist(), set(classifier.steps.tolist())
    rules = {
        "diffusion_steps": (len(steps) == 1, "the same for every channel", sorted(steps)),
        "window_size": (classifier.window == WINDOW, WINDOW, classifier.window),
        "rescale": (not classifier.rescale, False, classifier.rescale),
    }
    for field, (holds, rule, value) in rules.items():
        if not holds:
            raise InputError(f"checkpoint: {field}: must be {rule} (found {value})")
    montage = _montage(channels)
    recipe = {
        "backbone": "published",
        "corpus": corpus,
        "step": steps.pop(),
        "noise": classifier.noise,
        "kind": classifier.kind,
        "statistic": classifier.statistic,
        "codec": "float32",
    }
    latents = validate(recipe, Latents, "checkpoint: latents")
    classifier.lft.save_pretrained(folder / "lft")
    shutil.copytree(backbone, folder / "backbone")
    write_recipe(folder, asdict(latents) | {"channel_ids": channels}, classifier.parts)
    samples = WINDOW * classifier.lft.config.n_pool
    noise = np.random.default_rng(0).standard_normal((2, len(channels), samples), dtype=np.float32)
    n_class = max(2, classifier.lft.config.n_class)  # one logit tells two classes apart
    filtering, classes = PUBLISHED[montage.name]
    preprocessing = Preprocessing(
        filtering=filtering,
        channels=montage.names,
        window=samples,
        unit=UNIT,
        classes=classes if n_class == len(classes) else [f"class {k}" for k in range(n_class)],
        corpus=corpus,
    )
    write_window_input(folder, 0.2 * noise, preprocessing)
