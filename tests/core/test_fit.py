"""A fit that is killed and started again ends with the weights of one that was not."""

import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

from eegdiffusion.core.runtime import progress
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.classification_metrics import classification_metrics
from eegdiffusion.core.training.checkpoint_io import SafetensorsCheckpointIO
from eegdiffusion.core.training.classification import Classification, probabilities
from eegdiffusion.core.training.device import require_devices
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.settings import EMASettings, Hardware, Optimisation

HARDWARE = Hardware(accelerator="cpu", devices=1, nodes=1, precision="32-true", loader_workers=0)


def optimisation(**changes) -> Optimisation:
    settings = {
        "batch_size": 8,
        "max_epochs": 6,
        "patience": 6,
        "learning_rate": 0.01,
        "one_cycle": True,
        "betas": (0.9, 0.98),
        "weight_decay": 0.01,
        "clip_norm": 1.0,
        "ema": EMASettings(beta=0.9, update_after_step=2, update_every=2),
    }
    return Optimisation(**(settings | changes))


class Clouds:
    """Two Gaussian clouds; sends its process a signal at a given read when told to."""

    def __init__(self, samples: int, kill_at: int = 0, number: int = signal.SIGKILL):
        self.label = np.arange(samples) % 2
        noise = np.random.default_rng(samples).standard_normal((samples, 4), dtype=np.float32)
        self.signal = noise + self.label[:, None].astype(np.float32)
        self.left, self.number = kill_at, number

    def __len__(self):
        return len(self.label)

    def __getitems__(self, indices):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)
        return {"signal": self.signal[indices], "label": self.label[indices]}


def train(work, kill_at=0, hardware=HARDWARE, number=signal.SIGKILL, **changes):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 2))
    module = Classification(model, optimisation(**changes), seed=3, inputs="signal")
    data = Clouds(64, kill_at, number), Clouds(32)
    return module, fit(module, *data, monitor="validation_cohen_kappa", mode="max", hardware=hardware, work=work)


def train_adapter(work, **changes):
    """Train a small part of a large network, the rest of which is frozen."""
    torch.manual_seed(0)
    frozen = nn.Sequential(nn.Linear(4, 5000), nn.Linear(5000, 8)).requires_grad_(False)
    model = nn.Sequential(frozen, nn.BatchNorm1d(8), nn.Linear(8, 2))
    module = Classification(model, optimisation(**changes), seed=3, inputs="signal")
    data = Clouds(64), Clouds(32)
    fit(module, *data, monitor="validation_cohen_kappa", mode="max", hardware=HARDWARE, work=work)
    return module


def test_what_is_frozen_is_in_no_checkpoint(tmp_path):
    module = train_adapter(tmp_path)
    names = set(SafetensorsCheckpointIO().load_checkpoint(tmp_path / "last.safetensors")["state_dict"])
    assert {"model.1.running_mean", "model.2.weight", "ema.ema_model.2.weight"} <= names
    assert not any(".0.0." in name or ".0.1." in name for name in names)
    assert (tmp_path / "best.safetensors").stat().st_size < 50_000
    first, again = ({k: v.clone() for k, v in each.state_dict().items()} for each in (module, train_adapter(tmp_path)))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_weight_that_is_trained_may_not_be_missing(tmp_path):
    module = train_adapter(tmp_path, max_epochs=1)
    state = module.state_dict()
    del state["model.2.weight"]
    with pytest.raises(RuntimeError, match=r"model\.2\.weight"):
        module.load_state_dict(state)


def test_the_best_checkpoint_and_the_last_are_one_file_where_they_are_the_same(tmp_path):
    train(tmp_path, max_epochs=1)
    assert (tmp_path / "best.safetensors").samefile(tmp_path / "last.safetensors")


def test_an_interrupted_fit_is_an_interruption_for_its_caller_and_goes_on(tmp_path):
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, 21, number=signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert train(tmp_path)[1].resumed


@pytest.mark.parametrize(
    ("found", "devices", "message"),
    [
        (0, 1, "hardware.accelerator: is gpu, and PyTorch finds no GPU here"),
        (2, 4, "hardware.devices: must be at most the 2 GPUs here \\(found 4\\)"),
    ],
)
def test_gpus_that_are_not_there_are_refused(tmp_path, monkeypatch, found, devices, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
    asked = Hardware(accelerator="gpu", devices=devices, precision="32-true")
    with pytest.raises(InputError, match=message):
        train(tmp_path, hardware=asked)
    require_devices("auto", devices)
    require_devices("cpu", devices)


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_killed_fit_resumes_to_the_same_weights(tmp_path, rounds):
    whole, outcome = train(tmp_path / "whole", validations_per_epoch=rounds)
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([__name__])
    killed = server.Process(target=train, args=(tmp_path / "killed", 21), kwargs={"validations_per_epoch": rounds})
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert (tmp_path / "killed" / "last.safetensors").exists()
    resumed, again = train(tmp_path / "killed", validations_per_epoch=rounds)
    assert again.resumed
    assert not outcome.resumed
    assert again.curves == outcome.curves
    assert again.best_epoch == outcome.best_epoch
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_an_ended_fit_is_not_trained_further(tmp_path):
    _, first = train(tmp_path, max_epochs=30, patience=2)
    assert len(first.curves) < 30  # stopped early
    _, second = train(tmp_path, max_epochs=30, patience=2)
    assert second.curves == first.curves
    assert second.best_score == first.best_score


def test_it_learns_and_keeps_the_best_weights(tmp_path):
    module, outcome = train(tmp_path, max_epochs=20, patience=20)
    assert outcome.best_score == max(row["validation_cohen_kappa"] for row in outcome.curves) > 0.5
    data = Clouds(32)
    found = probabilities(module.ema_model, data, "signal", 8, torch.device("cpu"))
    metrics = classification_metrics(data.label, found.numpy())
    assert metrics["cohen_kappa"] == pytest.approx(outcome.best_score)


class Scripted(Classification):
    """Reports validation scores that are written down, one a round."""

    def __init__(self, scores, **changes):
        changes = {"max_epochs": len(scores), "learning_rate": 1e-3} | changes
        super().__init__(nn.Linear(4, 2), optimisation(**changes), seed=0, inputs="signal")
        self.scores = scores

    def on_validation_epoch_end(self):
        self._validated.clear()
        self.log("validation_cohen_kappa", self.scores[self.current_epoch])


PLATEAU = [0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.95, 0.95, 0.95, 0.95, 0.95]
"""Sinks, stays for longer than the patience, rises again, and stays."""


@pytest.mark.parametrize(
    ("scores", "changes", "rounds", "best"),
    [
        (PLATEAU, {"min_epochs": 6, "patience": 3}, 13, 10),
        (PLATEAU, {"min_epochs": 0, "patience": 3}, 4, 1),
        # Epoch 4 is the first that is watched, and is the best of those that are: three more follow it.
        ([0.9, *[0.5] * 9], {"min_epochs": 3, "patience": 3}, 7, 1),
        ([0.9, *[0.5] * 9], {"min_epochs": 3, "patience": 3, "validations_per_epoch": 2, "max_epochs": 5}, 10, 0.5),
        ([0.9, *[0.5] * 9], {"min_epochs": 2, "patience": 3, "validations_per_epoch": 2, "max_epochs": 5}, 8, 0.5),
        ([0.1, 0.2, 0.3], {"min_epochs": 20, "patience": 1}, 3, 3),
        (np.linspace(0, 1, 12).tolist(), {"min_epochs": 4, "patience": 1}, 12, 12),
    ],
    ids=["plateau before", "watched from the start", "high before", "half epochs", "half epochs, earlier", "never",
         "always rising"],
)  # fmt: skip
def test_early_stopping_watches_from_min_epochs_on(tmp_path, scores, changes, rounds, best):
    module = Scripted(scores, **changes)
    fitted = fit(
        module,
        Clouds(32),
        Clouds(8),
        monitor="validation_cohen_kappa",
        mode="max",
        hardware=HARDWARE,
        work=tmp_path,
    )
    assert [row["validation_cohen_kappa"] for row in fitted.curves] == pytest.approx(scores[:rounds])
    assert fitted.best_epoch == best, "the best of any epoch is kept"


def test_another_seed_gives_other_weights(tmp_path):
    torch.manual_seed(0)
    weights = []
    for seed in (1, 2):
        torch.manual_seed(0)
        module = Classification(nn.Linear(4, 2), optimisation(max_epochs=1), seed=seed, inputs="signal")
        fit(
            module,
            Clouds(64),
            Clouds(32),
            monitor="validation_cohen_kappa",
            mode="max",
            hardware=HARDWARE,
            work=tmp_path / str(seed),
        )
        weights.append(module.model.weight)
    assert not torch.equal(*weights)


class Regression(EMALightningModule):
    """Predicts the label through a frozen network, and logs means over the validation."""

    def __init__(self, model, frozen):
        super().__init__(model, optimisation(max_epochs=1, one_cycle=False), 0)
        self.hold_frozen(frozen)
        self.average_over_validation("loss", "size", prefix="checked_")

    def error(self, network, batch):
        return (self.frozen[0](network(batch["signal"]))[:, 0] - batch["label"]).square().mean()

    def training_step(self, batch, batch_idx):
        return self.error(self.model, batch)

    def validation_step(self, batch, batch_idx):
        size = torch.tensor(float(len(batch["label"])))
        self.update_validation({"loss": self.error(self.ema_model, batch), "size": size}, len(batch["label"]))


def test_frozen_networks_stay_and_validation_means_are_over_samples(tmp_path):
    torch.manual_seed(0)
    frozen = nn.Linear(3, 1).requires_grad_(False)
    before = frozen.weight.clone()
    module = Regression(nn.Linear(4, 3), frozen)
    fitted = fit(module, Clouds(64), Clouds(12), monitor="checked_loss", mode="min", hardware=HARDWARE, work=tmp_path)
    assert torch.equal(frozen.weight, before)
    assert not any("frozen" in name for name in module.state_dict())
    (row,) = fitted.curves
    whole = {name: torch.from_numpy(values) for name, values in Clouds(12).__getitems__(list(range(12))).items()}
    assert row["checked_loss"] == pytest.approx(module.error(module.ema_model, whole).item(), rel=1e-5)
    assert row["checked_size"] == pytest.approx((8 * 8 + 4 * 4) / 12), "batches of 8 and 4 samples weigh by their size"


def test_a_log_gets_whole_lines_of_the_whole_training(tmp_path, capfd, monkeypatch):
    train(tmp_path / "quick")
    assert capfd.readouterr().err == "", "half a minute has not gone"
    monkeypatch.setattr(progress, "PERIOD_S", 0)
    train(tmp_path / "long", validations_per_epoch=2, patience=12)
    lines = capfd.readouterr().err.splitlines()
    assert [line.startswith(f"training: batch {k} of 48, ") for k, line in enumerate(lines)] == [True] * 49
    assert "validation_cohen_kappa" in lines[-1]
