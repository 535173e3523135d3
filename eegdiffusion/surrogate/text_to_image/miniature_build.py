"""Builds the miniature of Stable Diffusion: draws scenes, trains, judges pictures of captions, writes a folder."""

import logging
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.generation.generator_previews import images_of_prompts
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.surrogate.text_to_image.caption_scores import caption_scores
from eegdiffusion.surrogate.text_to_image.miniature_folder import HeldOutCaptions, save_miniature
from eegdiffusion.surrogate.text_to_image.miniature_settings import Miniature
from eegdiffusion.surrogate.text_to_image.miniature_training import TextToImage, as_generator, train_miniature
from eegdiffusion.surrogate.text_to_image.scene_collection import SceneCollection, collect_scenes
from eegdiffusion.surrogate.text_to_image.scene_judge import SceneJudge, train_judge

log = logging.getLogger(__name__)

JUDGED_CONCEPTS = 40
"""Number of concepts whose held-out captions are judged: the first of the miniature's."""

JUDGED = 480
"""Number of held-out captions that are judged."""

SAMPLING = Sampling(steps=20, guidance=3.0)
"""How pictures of held-out captions are sampled."""


def build(out: Path, cache: Path, work: Path, settings: Miniature, hardware: Hardware, command: str, revision: str):
    """Train the miniature and write its folder.

    Args:
        out: folder to make.
        cache: folder that keeps the icon sets.
        work: folder for checkpoints, from which an interrupted training goes on.
        settings: sizes and settings.
        hardware: devices to train on.
        command: the command that made it, for the card.
        revision: revision of the code, for the card.

    Raises:
        InputError: the folder exists, or icon sets cannot be had.
    """
    if out.exists():
        raise InputError(f"{out}: exists; remove it to make it anew")
    device = device_of(hardware.accelerator)
    size = settings.image_size
    collection = collect_scenes(cache, settings.seed, settings.concepts, settings.pictures, size)
    chosen = np.random.default_rng(settings.seed).random(len(collection.images)) < settings.validation_fraction
    judge, _ = train_judge(collection, chosen, hardware, work / "judge", settings.seed, settings.judge)
    trained = train_miniature(collection, chosen, settings, hardware, work, device)
    held_out = judge_captions(trained.pipeline, judge.to(device), cache, settings, device)
    for name, share in held_out.scores.items():
        log.info("held-out captions: %s %.3f (%.3f to %.3f)", name, share.share, share.low, share.high)
    facts = {
        "command": command, "revision": revision, "concepts": collection.concepts,
        "pictures": len(collection.images), "image_size": size,
    }  # fmt: skip
    save_miniature(out, trained.pipeline, judge, held_out, facts)


def judge_captions(
    pipeline: TextToImage, judge: SceneJudge, cache: Path, settings: Miniature, device
) -> HeldOutCaptions:
    """Draw true scenes of held-out captions, sample pictures of the captions, and have both judged."""
    concepts = min(JUDGED_CONCEPTS, settings.concepts)
    known = collect_scenes(cache, settings.seed, concepts, min(JUDGED, settings.pictures), settings.image_size, True)
    # The judge's names of concepts go beyond those that are asked for.
    true = SceneCollection(list(judge.config["concepts"]), known.images, known.scenes)
    generator = as_generator(pipeline, settings.image_size).to(device)
    images = images_of_prompts(generator, true.captions, SAMPLING, settings.seed, desc="pictures of captions")
    scores, true_scores = caption_scores(judge, true, images), caption_scores(judge, true, true.images)
    return HeldOutCaptions(true.captions, images, scores, true_scores)
