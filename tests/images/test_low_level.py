"""Pixel correlation and structural similarity, on pictures of the surrogate corpus and on known answers."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.functional.image import structural_similarity_index_measure

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.metrics.image_arrays import resize_images
from eegdiffusion.images.metrics.low_level import GREY, RADIUS, SIDE, low_level
from tests.scenes import scenes


def pixcorr(seen, found):
    return low_level(seen, found)["pixcorr"]


def ssim(seen, found):
    return low_level(seen, found)["ssim"]


@pytest.fixture(scope="module")
def pictures():
    return scenes(6)


def test_a_picture_is_like_itself(pictures):
    assert pixcorr(pictures, pictures) == pytest.approx(1)
    assert ssim(pictures, pictures) == pytest.approx(1)


def test_pixcorr_is_pearsons_of_the_resized_pictures(pictures):
    other = np.roll(pictures, 1, axis=0)
    found = pixcorr(pictures, other)
    for one, two, value in zip(pictures, other, found, strict=True):
        large = [resize_images(picture[None], SIDE).numpy().ravel() for picture in (one, two)]
        assert value == pytest.approx(np.corrcoef(*large)[0, 1], abs=1e-4)
    assert pixcorr(pictures, 255 - pictures) == pytest.approx(-1)
    assert pixcorr(pictures, pictures // 2) == pytest.approx(1, abs=1e-3)
    assert (pixcorr(pictures, np.full_like(pictures, 90)) == 0).all()


def test_resizing_is_bilinear_as_pillows(pictures):
    large = resize_images(pictures[:1], SIDE)[0].permute(1, 2, 0).numpy() * 255
    expected = np.asarray(Image.fromarray(pictures[0]).resize((SIDE, SIDE), Image.Resampling.BILINEAR), float)
    assert np.abs(large - expected).max() < 1.01


def test_ssim_is_that_of_another_library_without_its_margin(pictures):
    noise = np.random.default_rng(0).normal(0, 25, pictures.shape)
    noisy = np.clip(pictures + noise, 0, 255).astype(np.uint8)
    grey = [torch.einsum("nchw,c->nhw", resize_images(x, SIDE), torch.tensor(GREY))[:, None] for x in (pictures, noisy)]
    _, whole = structural_similarity_index_measure(
        *grey, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )
    inner = whole[:, 0, RADIUS:-RADIUS, RADIUS:-RADIUS].mean((1, 2)).numpy()
    assert ssim(pictures, noisy) == pytest.approx(inner, abs=1e-4)
    assert inner.max() < 0.95


def test_ssim_is_scikit_images():
    """What skimage 0.26 gives for these squares with MindEye's arguments."""
    y, x = np.mgrid[:SIDE, :SIDE]
    one = np.stack([np.where((x // 50 + y // 50 + k) % 2, 200, 40) for k in (0, 0)]).astype(np.uint8)
    two = np.stack([(x * 255 // SIDE), np.where((x // 40 + y // 60) % 2, 220, 30)]).astype(np.uint8)
    rgb = [np.repeat(array[..., None], 3, axis=-1) for array in (one, two)]
    assert ssim(*rgb) == pytest.approx([0.47473892, 0.33487388], abs=5e-5)


@pytest.mark.parametrize(
    ("seen", "found", "message"),
    [
        (
            np.zeros((3, 8, 8, 3), np.uint8),
            np.zeros((2, 8, 8, 3), np.uint8),
            "reconstructed: must have the shape of seen",
        ),
        (np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8), r"seen: .*two pictures or more \(found 1"),
        (np.zeros((3, 8, 8, 3)), np.zeros((3, 8, 8, 3)), r"seen: must be uint8 pictures .*\(found float64"),
        (np.zeros((3, 8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8), r"seen: must be uint8 pictures"),
        (np.zeros((3, 8, 8, 3), np.uint8), np.zeros((3, 8, 8, 3)), r"reconstructed: must be uint8 pictures"),
    ],
)
def test_bad_pictures_are_refused(seen, found, message):
    with pytest.raises(InputError, match=message):
        low_level(seen, found)
