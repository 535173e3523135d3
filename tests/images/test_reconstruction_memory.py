"""Reconstruction holds a batch of pictures: its memory does not grow with arms, samples and pictures."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from numpy.lib.format import open_memmap

from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.images.encoders.registry import build_encoder
from eegdiffusion.images.generation.image_latents import Encoding, ImageLatents, write_latents
from eegdiffusion.images.generation.image_sampling import BATCH, seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.metrics.reconstruction_scores import Context
from eegdiffusion.images.metrics.score_reconstructions import score_reconstructions
from eegdiffusion.images.reconstruction.reconstruct_images import SystemImages, write_images
from eegdiffusion.images.sgdm.control_settings import ControlSettings
from eegdiffusion.images.sgdm.sgdm import SGDM, make_controlnet
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import LatentReadout, StructureFromEEG
from tests import tiny_generator
from tests.memory_growth import peaks

SIDE, SUBJECT, ARMS, SAMPLES = 256, 8, ("first", "second"), 8
CONTEXT = Context("test", "epochs", [], 1, [0, 1], [0], "", "validation")
WIDTH = 12


def _noise(rows: range) -> np.ndarray:
    """Make pictures (rows, SIDE, SIDE, 3) uint8, each from its own row."""
    return np.stack([np.random.default_rng(row).integers(0, 256, (SIDE, SIDE, 3), np.uint8) for row in rows])


def _batches(count: int, offset: int, first: int):
    for k in range(first, count, BATCH):
        yield _noise(range(offset + k, offset + min(k + BATCH, count)))


def _latents(folder: Path, count: int) -> ImageLatents:
    parts = ((np.arange(k, k + 8), _noise(range(k, k + 8)), np.zeros((8, 1, 1, 1))) for k in range(0, count, 8))
    write_latents(folder, Encoding("store", "vae", SIDE, (1, 1, 1)), np.ones(count, bool), parts)
    return ImageLatents(folder, "store")


def _items(subjects: int) -> pandas.DataFrame:
    """Tabulate items of subjects who saw the same pictures."""
    names = np.repeat([f"sub-{k:02d}" for k in range(subjects)], SUBJECT)
    return pandas.DataFrame({"subject": names, "image": np.tile(np.arange(SUBJECT), subjects)})


def write(subjects: int, folder: Path) -> None:
    """Write the pictures of all arms."""
    items = _items(subjects)
    pictures = len(items) * SAMPLES
    arms = {arm: partial(_batches, pictures, k * pictures) for k, arm in enumerate(ARMS)}
    latents = _latents(folder / "latents", SUBJECT)
    system = SystemImages(None, arms, "", 0)
    written = write_images(latents, system, items, SAMPLES, folder)
    assert {images.shape for images in written.arms.values()} == {(len(items), SAMPLES, SIDE, SIDE, 3)}
    assert np.array_equal(written.arms["second"][-1, -1], _noise(range(2 * pictures - 1, 2 * pictures))[0])


def score(subjects: int, folder: Path) -> None:
    """Score pictures that lie on the disk."""
    items = _items(subjects)
    shape = len(items), SIDE, SIDE, 3
    seen, pictures = (open_memmap(folder / f"{k}.npy", "w+", np.uint8, shape) for k in range(2))
    scores = score_reconstructions(seen, {"full": pictures[:, None]}, items, [], CONTEXT)
    assert len(scores.values) == 4 * len(items)


def test_pictures_of_all_arms_are_not_held_while_they_are_made():
    small, large = peaks(write, [1, 4])
    added = 3 * SUBJECT * SIDE * SIDE * 3 * (1 + SAMPLES * len(ARMS))
    assert large - small < 0.1 * added


def test_pictures_are_not_held_while_they_are_scored():
    small, large = peaks(score, [1, 7])
    added = 6 * SUBJECT * SIDE * SIDE * 3 * 2
    assert large - small < 0.2 * added


def tiny_sgdm(folder: Path, side: int) -> SGDM:
    """Make SGDM, untrained, with structure of colours."""
    generator = tiny_generator.make(folder / "pipeline")
    generator.source = type(generator.source)(generator.source.pipeline, None, side)
    vae = StructuralVAE("colours", 16, latent_size=3, widths=(8, 16))
    sizes = {"hidden": 4, "layers": 1, "filters": 4, "kernels": (5,), "dropout": 0.0}
    encoder = build_encoder("spatiotemporal", n_chans=5, n_times=50, n_outputs=8, n_subjects=2, **sizes)
    predictor = StructureFromEEG(LatentReadout(encoder, vae.latent_shape), vae, EpochInput(100, 50, None, [0], [1]))
    tokens = SemanticTokens(WIDTH, 4, generator.unet.config.cross_attention_dim)
    return SGDM(generator, make_controlnet(generator, 3), tokens, None, predictor, None).to(torch.device("cpu"))


def generate_from_colours(items: int, folder: Path) -> None:
    """Generate pictures that begin from colours, and let each batch go."""
    sgdm, features = tiny_sgdm(folder, 64), torch.zeros(items, WIDTH)
    structure, seeds = torch.rand(items, 3, 16, 16), seeds_for(items, 1, 0)
    control = ControlSettings(strength=0.5)
    batches = sgdm.generate_batches(features, structure, seeds, Sampling(steps=2, guidance=1.0), control)
    assert sum(len(batch) for batch in batches) == items


def test_pictures_from_which_sampling_begins_are_not_held():
    small, large = peaks(generate_from_colours, [BATCH, 9 * BATCH])
    held = 8 * BATCH * 64 * 64 * 3 * (4 + 1)
    assert large - small < 0.3 * held


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_pictures_are_the_same_wherever_they_are_begun(tmp_path, samples, strength):
    torch.manual_seed(0)
    sgdm = tiny_sgdm(tmp_path, tiny_generator.SIDE)
    items = 40 // samples
    features, structure = torch.randn(items, WIDTH), torch.rand(items, 3, 16, 16)
    seeds, sampling, control = (
        seeds_for(items, samples, 0),
        Sampling(steps=2, guidance=2.0),
        ControlSettings(strength=strength),
    )
    batches = partial(sgdm.generate_batches, features, structure, seeds, sampling, control, samples)
    whole = np.concatenate(list(batches(0)))
    assert np.array_equal(whole[BATCH:], np.concatenate(list(batches(BATCH))))
    repeated = (values.repeat_interleave(samples, 0) for values in (features, structure))
    assert np.array_equal(whole, sgdm.generate(*repeated, seeds, sampling, control))
