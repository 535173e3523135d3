"""Structure predicted from EEG: where it begins, what is trained, and that it takes epochs as they are stored."""

import numpy as np
import pytest
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import fit_input
from eegdiffusion.core.training.settings import EMASettings, Optimisation
from eegdiffusion.images.encoders.registry import build_encoder
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import LatentReadout, StructureFromEEG, load_structure_predictor
from eegdiffusion.images.structure.structure_prediction import StructurePrediction

OPTIMISATION = Optimisation(
    batch_size=2, max_epochs=1, patience=1, learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=0.0, clip_norm=1.0,
    ema=EMASettings(beta=0.9, update_after_step=0, update_every=1),
)  # fmt: skip


@pytest.fixture
def eeg():
    return 3 + 5 * np.random.default_rng(0).standard_normal((6, 5, 50)).astype(np.float32)


@pytest.fixture
def predictor(eeg):
    torch.manual_seed(0)
    vae = StructuralVAE("edges", 16, latent_size=3, widths=(8, 16))
    torch.nn.init.normal_(vae.structure_head[-2].weight, std=0.1)
    sizes = {"hidden": 4, "layers": 1, "filters": 4, "kernels": (5,), "dropout": 0.0}
    encoder = build_encoder("spatiotemporal", n_chans=5, n_times=50, n_outputs=8, n_subjects=2, **sizes)
    readout = LatentReadout(encoder, vae.latent_shape)
    readout.fit_scale(2 + 3 * torch.randn(40, *vae.latent_shape))
    return StructureFromEEG(readout, vae, fit_input(eeg, 100.0, (2.0, 30.0))).eval()


def test_it_begins_at_the_mean_latent(predictor, eeg):
    found = predictor.latents(torch.from_numpy(eeg))
    assert torch.allclose(found, predictor.readout.mean.expand_as(found))
    latents = torch.randn(5, *predictor.vae.latent_shape)
    assert torch.allclose(predictor.readout.latents(predictor.readout.centred(latents)), latents, atol=1e-5)
    assert 2.5 < predictor.readout.scale < 3.5


def test_epochs_pass_filter_and_scale_as_in_training(predictor, eeg):
    torch.nn.init.normal_(predictor.readout.linear.weight)
    passed = torch.from_numpy(predictor.epoch_input(eeg).astype(np.float32))
    plain = predictor.readout.latents(predictor.readout(passed, torch.zeros(6, dtype=torch.int64)))
    found = predictor.latents(torch.from_numpy(eeg), torch.zeros(6, dtype=torch.int64))
    assert torch.allclose(found, plain, atol=1e-3)
    louder = predictor.latents(2 * torch.from_numpy(eeg), torch.zeros(6, dtype=torch.int64))
    assert not torch.allclose(found, louder, atol=1e-2)


def test_only_encoder_and_readout_are_trained(predictor, eeg):
    vae = predictor.vae.requires_grad_(False)
    module = StructurePrediction(predictor.readout, vae, 0.5, 0.7, OPTIMISATION, 0)
    assert not any(".down." in name or "structure_head" in name for name in module.state_dict())
    torch.manual_seed(1)
    batch = {
        "eeg": torch.from_numpy(eeg), "subject": torch.zeros(6, dtype=torch.int64),
        "latent": torch.randn(6, *vae.latent_shape), "structure": torch.rand(6, 1, 16, 16),
    }  # fmt: skip
    parts = module.parts(predictor.readout, batch)
    assert torch.isclose(parts["loss"], parts["error"] + 0.5 * parts["structure"])
    parts["structure"].backward()
    assert predictor.readout.linear.weight.grad.abs().sum() > 0, "through the decoder"
    assert all(p.grad is None for p in vae.parameters())
    optimiser = torch.optim.Adam(predictor.readout.parameters(), 0.01)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = module.parts(predictor.readout, batch)["loss"]
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_it_is_loaded_as_it_was_saved(predictor, eeg, tmp_path):
    torch.nn.init.normal_(predictor.readout.linear.weight)
    torch.nn.init.normal_(predictor.readout.encoder.subject_layer.mixing)  # they begin as one
    predictor.save(tmp_path / "predictor")
    assert not list(tmp_path.rglob("*.p*k*l*"))
    assert not list(tmp_path.rglob("*.bin"))
    again = load_structure_predictor(tmp_path / "predictor")
    numbers = torch.tensor([0, 1, -1, 0, 1, -1])
    found = again(torch.from_numpy(eeg), numbers)
    assert torch.allclose(found, predictor(torch.from_numpy(eeg), numbers), atol=1e-5)
    assert found.shape == (6, 1, 16, 16)
    assert 0 <= found.min() < found.max() <= 1
    unseen = again(torch.from_numpy(eeg))
    assert torch.allclose(unseen[2], found[2], atol=1e-6)
    assert not torch.allclose(unseen[0], found[0], atol=1e-6)
    assert not any(p.requires_grad for p in again.parameters())
    assert not again.training


def test_what_does_not_fit_is_refused(predictor, tmp_path):
    with pytest.raises(InputError, match=r"eeg: must be \(batch, 5, 50\)"):
        predictor(torch.zeros(2, 5, 40))
    with pytest.raises(InputError, match="subject: must be -1"):
        predictor(torch.zeros(1, 5, 50), torch.tensor([2]))
    with pytest.raises(InputError, match="no such file; train_structural_vae"):
        load_structure_predictor(tmp_path)
