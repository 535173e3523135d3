"""Opens an image generator, and encodes the images of a corpus to its latents, once."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from components.prepare_generator.settings import PrepareGenerator
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.generation.generator import Generator, Source, open_generator, weights_digest
from eegdiffusion.images.generation.generator_images import image_pixels, images_with_files, latent_parts
from eegdiffusion.images.generation.generator_previews import PREVIEWED, generator_previews
from eegdiffusion.images.generation.image_latents import Encoding, write_latents
from eegdiffusion.images.generation.previews import SHEET_FILE, write_previews
from eegdiffusion.images.generation.prompts import class_prompts

CAPTION_SCORES, CAPTION_SHEET = "scores.json", "held_out_captions.png"
"""What the miniature's folder has of pictures of captions that were held out of its training."""


def compute(
    store: EpochStore, pipeline: Path, settings: PrepareGenerator, device: torch.device, out: Path, latents_path: Path
) -> None:
    """Open a generator; write where it lies, its previews, and the latents of the store's images.

    Args:
        store: epoch store whose images are encoded.
        pipeline: folder of a pipeline of diffusers.
        settings: settings of the stage.
        device: device to compute on.
        out: folder to make for ``generator.json``, previews and ``metrics.json``.
        latents_path: folder to make for images and latents.

    Raises:
        InputError: the pipeline cannot be opened, its images have another size, or the store has no images.
    """
    keep_freed_memory()
    known = images_with_files(store)
    source = Source(pipeline.as_posix(), settings.ip_adapter, settings.image_size)
    generator = open_generator(source).to(device)
    require_size(generator)
    source.write(out)
    encode_images(generator, store, known, latents_path)
    held_out = np.flatnonzero(known & (store.images["split"] != "train").to_numpy())
    rows = held_out[np.linspace(0, len(held_out) - 1, min(PREVIEWED, len(held_out))).round().astype(int)]
    images = image_pixels(store.images, rows, settings.image_size)
    prompts = class_prompts(store.images["concept"].iloc[rows].tolist(), settings.prompt, {})
    write_previews(out, **generator_previews(generator, images, prompts, settings.sampling, settings.seed))
    facts = {"corpus": store.description.corpus, "pipeline": pipeline.as_posix(), "image_size": settings.image_size}
    facts["prompts"] = prompts
    facts["parameters"] = {type(m).__name__: sum(p.numel() for p in m.parameters()) for m in generator.modules()}
    (out / "metrics.json").write_text(json.dumps(facts | caption_scores(pipeline), indent=2))
    if (pipeline / CAPTION_SHEET).is_file():
        np.save(out / SHEET_FILE, np.asarray(Image.open(pipeline / CAPTION_SHEET)), allow_pickle=False)


def caption_scores(pipeline: Path) -> dict[str, float]:
    """Read what a judge saw in pictures of captions that were held out, with intervals; of other pipelines nothing.

    Returns:
        ``caption_<what>`` of generated pictures, ``true_caption_<what>`` of true ones, and their ``_low``, ``_high``,
        where ``what`` is ``concept`` or ``colour``.
    """
    path, scores = pipeline / CAPTION_SCORES, {}
    if path.is_file():
        for kind, shares in json.loads(path.read_text()).items():
            for what, share in shares.items():
                name = f"caption_{what}" if kind == "generated" else f"true_caption_{what}"
                scores |= {name: share["share"], f"{name}_low": share["low"], f"{name}_high": share["high"]}
    return scores


def require_size(generator: Generator) -> None:
    """Check that images have a whole number of latent steps, and the size and latents that the UNet was trained for.

    Raises:
        InputError: they have not.
    """
    source, taken, given = generator.source, generator.unet.config.in_channels, generator.vae.config.latent_channels
    if taken != given:
        rule = f"must denoise the {given} channels of its autoencoder's latents"
        raise InputError(f"prepare_generator.pipeline: {source.pipeline}: {rule} (found unet: in_channels {taken})")
    side, factor = source.image_size, generator.downscale
    trained = generator.unet.config.sample_size
    if side % factor or (trained and side != trained * factor):
        wanted = f"{trained * factor}, as {generator.source.pipeline}" if trained else f"a multiple of {factor}"
        raise InputError(f"prepare_generator.image_size: must be {wanted} (found {side})")


def encode_images(generator: Generator, store: EpochStore, known: np.ndarray, path: Path) -> None:
    """Encode the images of a store and write their latents.

    Args:
        generator: generator whose autoencoder encodes.
        store: epoch store of the corpus.
        known: (images,) bool, which images have a file.
        path: folder to make.
    """
    encoding = Encoding(
        store.description.fingerprint,
        weights_digest(generator.vae),
        generator.source.image_size,
        generator.latent_shape,
    )
    write_latents(path, encoding, known, latent_parts(generator, store.images, known))
