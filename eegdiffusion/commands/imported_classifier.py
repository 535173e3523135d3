"""A published classifier in the form in which finetune_lft writes its own."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.signal.units import UNIT
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.ssmdp import WINDOW
from eegdiffusion.events.published.checkpoints import PublishedClassifier
from eegdiffusion.events.results.window_input import write_window_input


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
        "channels": (channels == list(range(len(channels))), "the montage in order", channels),
        "diffusion_steps": (len(steps) == 1, "the same for every channel", sorted(steps)),
        "window_size": (classifier.window == WINDOW, WINDOW, classifier.window),
        "rescale": (not classifier.rescale, False, classifier.rescale),
    }
    for field, (holds, rule, value) in rules.items():
        if not holds:
            raise InputError(f"checkpoint: {field}: must be {rule} (found {value})")
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
    (folder / "latents.json").write_text(json.dumps({"recipe": asdict(latents)}, indent=2))
    samples = WINDOW * classifier.lft.config.n_pool
    noise = np.random.default_rng(0).standard_normal((2, len(channels), samples), dtype=np.float32)
    n_class = classifier.lft.config.n_class
    preprocessing = Preprocessing(
        filtering=EEGDM,
        channels=list(BIPOLAR),
        window=samples,
        unit=UNIT,
        classes=tuev.CLASSES if n_class == len(tuev.CLASSES) else [f"class {k}" for k in range(n_class)],
        corpus=corpus,
    )
    write_window_input(folder, 0.2 * noise, preprocessing)
