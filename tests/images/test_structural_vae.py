"""The structural VAE: what it is supervised by, how its loss scales, which sizes it takes."""

import math

import pytest
import torch
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.settings import EMASettings, Optimisation
from eegdiffusion.images.structure.structural_vae import Posterior, StructuralVAE
from eegdiffusion.images.structure.structure_kinds import KINDS, correlation, dice, piece_iou
from eegdiffusion.images.structure.vae_training import StructuralAutoencoding, VAELoss

OPTIMISATION = Optimisation(
    batch_size=2, max_epochs=1, patience=1, learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=0.0, clip_norm=1.0,
    ema=EMASettings(beta=0.9, update_after_step=0, update_every=1),
)  # fmt: skip


def small(**sizes) -> StructuralVAE:
    torch.manual_seed(0)
    return StructuralVAE(**{"image_size": 16, "latent_size": 4, "widths": (8, 16)} | sizes)


def maps_of(kind: str, items: int, side: int) -> torch.Tensor:
    found = torch.rand(items, KINDS[kind].channels, side, side)
    return functional.one_hot(found.argmax(1), 8).movedim(-1, 1).float() if kind == "pieces" else found


def module_of(vae: StructuralVAE, beta: float = 0.1, weight: float = 0.1) -> StructuralAutoencoding:
    return StructuralAutoencoding(vae, VAELoss(beta=beta, structure_weight=weight), 0.5, OPTIMISATION, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_structure_head_is_supervised(kind):
    vae = small(structure=kind)
    batch = {"pixels": torch.rand(2, 3, 16, 16) * 2 - 1, "structure": maps_of(kind, 2, 16)}
    module = module_of(vae)
    parts = module.parts(vae, batch, torch.randn(2, *vae.latent_shape))
    parts["structure"].backward()
    assert all(p.grad is not None for p in vae.structure_head[-2].parameters())
    assert vae.structure_head[-2].weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in vae.picture_head.parameters())
    with torch.no_grad():
        for parameter in vae.structure_head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    vae.zero_grad()
    module.parts(vae, batch, torch.randn(2, *vae.latent_shape))["structure"].backward()
    assert vae.down[0].weight.grad.abs().sum() > 0, "and so are the encoder and its latents"
    weighted, plain = (module_of(vae, weight=w).parts(vae, batch, None) for w in (0.5, 0.0))
    assert torch.isclose(weighted["loss"] - plain["loss"], 0.5 * plain["structure"])


def test_the_weight_of_the_divergence_depends_on_no_size():
    torch.manual_seed(1)
    posterior = Posterior(torch.randn(3, 4, 2, 2), torch.randn(3, 4, 2, 2))
    exact = torch.distributions.kl_divergence(
        torch.distributions.Normal(posterior.mean, (0.5 * posterior.log_variance).exp()),
        torch.distributions.Normal(0.0, 1.0),
    )
    assert torch.allclose(posterior.kl(), exact.mean((1, 2, 3)), atol=1e-5)
    vae = small()
    batch = {"pixels": torch.rand(2, 3, 16, 16) * 2 - 1, "structure": maps_of("edges", 2, 16)}
    gradients = []
    for times in (1, 4):
        vae.zero_grad()
        repeated = {name: values.repeat(times, 1, 1, 1) for name, values in batch.items()}
        parts = module_of(vae, beta=1.0).parts(vae, repeated, None)
        parts["loss"].backward()
        gradients.append(vae.to_posterior.weight.grad.clone())
    assert torch.allclose(*gradients, atol=1e-5), "four times the same batch has the same gradient"
    wide = [Posterior(torch.ones(2, size, 4, 4), torch.zeros(2, size, 4, 4)).kl().mean() for size in (4, 64)]
    assert math.isclose(wide[0], wide[1], rel_tol=1e-6)
    assert math.isclose(wide[0], 0.5, rel_tol=1e-6)


def test_samples_follow_the_posterior():
    posterior = Posterior(torch.full((20_000, 1), 2.0), torch.full((20_000, 1), math.log(9.0)))
    found = posterior.sample(torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0)))
    assert abs(found.mean() - 2) < 0.1
    assert abs(found.std() - 3) < 0.1


@pytest.mark.parametrize("side", [4, 16, 24, 52])
def test_any_side_that_the_factor_divides(side):
    vae = small(image_size=side)
    pictures, logits, posterior = vae(torch.zeros(2, 3, side, side))
    assert pictures.shape == (2, 3, side, side)
    assert logits.shape == (2, 1, side, side)
    assert posterior.mean.shape[1:] == vae.latent_shape == (4, side // 4, side // 4)


def test_a_spatial_latent_takes_other_sizes_and_a_vector_does_not():
    pictures, logits, _ = small()(torch.zeros(1, 3, 8, 20))
    assert pictures.shape == (1, 3, 8, 20)
    assert logits.shape == (1, 1, 8, 20)
    vae = small(latent="vector")
    assert vae(torch.zeros(2, 3, 16, 16))[2].mean.shape == (2, 4) == (2, *vae.latent_shape)
    with pytest.raises(InputError, match="vector latent, must be 16 x 16"):
        vae(torch.zeros(1, 3, 8, 20))


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_as_the_mean_field(kind):
    vae = small(structure=kind)
    mean = maps_of(kind, 50, 16).mean(0).clamp(0.01, 0.99)
    if kind == "pieces":
        mean = mean / mean.sum(0)
    vae.centre(mean)
    found = vae.structure(torch.randn(2, *vae.latent_shape))
    assert torch.allclose(found, mean.expand_as(found), atol=1e-4)


@pytest.mark.parametrize("latent", ["spatial", "vector"])
def test_it_is_saved_with_its_mean_field(tmp_path, latent):
    vae = small(structure="pieces", latent=latent)
    vae.centre(torch.rand(8, 16, 16))
    vae.save_pretrained(tmp_path)
    again = StructuralVAE.from_pretrained(tmp_path)
    pictures = torch.rand(2, 3, 16, 16)
    for one, other in zip(vae(pictures)[:2], again(pictures)[:2], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("sizes", "rule"),
    [
        ({"structure": "canny"}, "structure: must be one of edges, hed, pieces, depth"),
        ({"latent": "scalar"}, "latent: must be one of spatial, vector"),
        ({"image_size": 18}, "sides must be multiples of 4"),
        ({"widths": (8, 12)}, "widths: must be multiples of 8"),
        ({"widths": ()}, "widths"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, rule):
    with pytest.raises(InputError, match=rule):
        small(**sizes)


def test_pictures_that_do_not_fit_are_refused():
    vae = small()
    for shape, rule in (((2, 1, 16, 16), "batch, 3"), ((3, 16, 16), "batch, 3"), ((2, 3, 16, 18), "multiples of 4")):
        with pytest.raises(InputError, match=rule):
            vae(torch.zeros(shape))
    with pytest.raises(InputError, match="structure maps: must be"):
        vae.centre(torch.zeros(1, 8, 8))


def test_scores_on_known_maps():
    half = torch.zeros(1, 1, 4, 4)
    half[..., :2] = 1
    shifted = half.roll(1, -1)
    assert dice(half, half) == 1
    assert dice(half, 1 - half) == 0
    assert dice(half, shifted) == 0.5
    assert math.isclose(correlation(half, 0.3 * half + 0.1), 1, abs_tol=1e-6)
    assert math.isclose(correlation(half, 1 - half), -1, abs_tol=1e-6)
    assert correlation(half, torch.ones_like(half)) == 0
    pieces = functional.one_hot(torch.arange(16).view(1, 4, 4) // 2, 8).movedim(-1, 1).float()
    assert piece_iou(pieces, pieces) == 1
    assert piece_iou(torch.eye(8)[0].view(1, 8, 1, 1) * torch.ones(4, 4), pieces) == 0
