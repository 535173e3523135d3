"""Autoencoders begin by passing pictures on, coarsely: colours are there before any training."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from eegdiffusion.core.training.settings import EMASettings, Optimisation
from eegdiffusion.images.generation.dirac_init import (
    LOG_VARIANCE,
    NOISE,
    dirac_init_,
    narrow_posterior_init_,
    zero_init_,
)
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.surrogate.text_to_image.miniature_networks import make_autoencoder
from eegdiffusion.surrogate.text_to_image.network_settings import AutoencoderSettings

OPTIMISATION = Optimisation(
    batch_size=4, max_epochs=1, patience=1, learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=0.0, clip_norm=1.0,
    ema=EMASettings(beta=0.9, update_after_step=0, update_every=1),
)  # fmt: skip


def explained(latents: torch.Tensor, colours: torch.Tensor) -> float:
    """Least share of a colour channel's variance over all places that a linear map of latents explains."""
    x, y = (values.movedim(1, -1).flatten(0, -2) for values in (latents, colours))
    x = torch.cat([x, torch.ones(len(x), 1)], 1).double()
    rest = y - x @ torch.linalg.lstsq(x, y.double()).solution
    return float((1 - rest.var(0) / y.var(0)).min())


def plain_pictures() -> torch.Tensor:
    """Pictures whose quarters have colours of their own."""
    torch.manual_seed(0)
    return functional.interpolate(2 * torch.rand(64, 3, 2, 2) - 1, (32, 32))


@pytest.mark.parametrize("copies", [1, 4])
def test_a_layer_passes_its_channels_on(copies):
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5 * copies, 3, padding=1)
    dirac_init_(layer, copies)
    given = torch.rand(2, 3, 6, 6)
    found = layer(given).unflatten(1, (5, copies))
    assert torch.allclose(found[:, :3], given[:, :, None].expand(-1, -1, copies, -1, -1), atol=4 * NOISE)
    assert found[:, 3:].abs().max() < 4 * NOISE
    assert not torch.equal(layer.weight[3], layer.weight[4])
    zero_init_(layer)
    assert layer(given).abs().max() == 0


def test_distributions_of_latents_begin_narrow():
    layer = nn.Conv2d(8, 6, 1)
    means = layer.weight[:3].clone()
    narrow_posterior_init_(layer)
    assert torch.equal(layer.weight[:3], means)
    found = layer(torch.randn(2, 8, 4, 4))[:, 3:]
    assert (found - LOG_VARIANCE).abs().max() < 1


def test_latents_of_fresh_autoencoders_know_all_three_colours():
    pictures = plain_pictures()
    coarse = functional.avg_pool2d(pictures, 8)
    settings = AutoencoderSettings(widths=[16, 32], layers=1, latent_channels=4, groups=4, kl_weight=1e-4,
                           optimisation=OPTIMISATION)  # fmt: skip
    torch.manual_seed(0)
    small, structural = make_autoencoder(settings, 32), StructuralVAE("colours", 32, latent_size=4, widths=(16, 32))
    with torch.no_grad():
        found = small.encode(pictures).latent_dist.mean, structural.encode(pictures).mean
        for layer in small.modules():
            if isinstance(layer, nn.Conv2d):
                layer.reset_parameters()
        drawn = small.encode(pictures).latent_dist.mean
    places = [functional.avg_pool2d(latents, latents.shape[-1] // 4) for latents in (*found, drawn)]
    begun = [explained(latents, coarse) for latents in places]
    assert min(begun[:2]) > 0.7, begun
    assert begun[2] < 0.4, begun
