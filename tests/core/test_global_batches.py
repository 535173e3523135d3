"""The gradient of a global batch is the same however many processes share it, and however unevenly."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.e2e.workspace import ROOT

FIT = """
import json, sys
from pathlib import Path
import numpy as np, torch
from torch import nn
from eegdiffusion.core.training.classification import Classification
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.settings import EMASettings, Hardware, Optimisation
from eegdiffusion.images.encoders.alignment import Alignment

kind, devices, work = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
generator = np.random.default_rng(0)
# A mean of means would be far off: the samples of a batch differ by much.
eeg = (generator.standard_normal((70, 5)) * generator.exponential(2, (70, 1))).astype(np.float32)
features = eeg @ generator.standard_normal((5, 4)).astype(np.float32)
columns = {"eeg": eeg, "subject": np.zeros(70, np.int64), "features": features, "identity": np.arange(70) // 2,
           "label": (eeg[:, 0] > 0).astype(np.int64)}

class Data:
    def __init__(self, part): self.part = part
    def __len__(self): return len(self.part)
    def __getitems__(self, indices): return {name: values[self.part[indices]] for name, values in columns.items()}

class Encoder(nn.Linear):
    def forward(self, eeg, subject): return super().forward(eeg)

optimisation = Optimisation(batch_size=11, max_epochs=3, patience=9, learning_rate=0.02, accumulate_batches=2,
                            ema=EMASettings(beta=0.5, update_after_step=0, update_every=1))
torch.manual_seed(0)
if kind == "classify":
    module = Classification(nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2)), optimisation, 1, "eeg")
else:
    module = Alignment(Encoder(5, 4), optimisation, 1, temperature=0.2, mse_weight=0.1)
hardware = Hardware(accelerator="cpu", devices=devices, precision="32-true")
fitted = fit(module, Data(np.arange(55)), Data(np.arange(55, 70)), monitor="validation_loss", mode="min",
             hardware=hardware, work=work)
if module.global_rank == 0:
    weights = {name: values.tolist() for name, values in module.model.state_dict().items()}
    (work / "result.json").write_text(json.dumps({"curves": fitted.curves, "weights": weights}))
"""


def fit_on(devices, folder, kind, *launcher):
    """Fit with a number of processes, and return the curves and the weights."""
    script, work = folder / "fit.py", folder / str(devices)
    script.write_text(FIT)
    words = [sys.executable, *launcher, str(script), kind, str(devices), str(work)]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((work / "result.json").read_text())


def assert_same(one, several):
    """Check that two fits have the same losses, and the same weights."""
    for row, other in zip(one["curves"], several["curves"], strict=True):
        named = {name: value for name, value in row.items() if "loss" in name or name == "step"}
        assert {name: other[name] for name in named} == pytest.approx(named, rel=1e-4)
    assert one["weights"].keys() == several["weights"].keys()
    for name, values in one["weights"].items():
        assert np.allclose(values, several["weights"][name], atol=1e-4), name


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["classify", "align"])
def test_one_two_and_three_processes_have_one_loss_curve_and_one_set_of_weights(tmp_path, kind):
    """Batches of 11: shares of 6 and 5, of 4, 4 and 3; losses of single samples, and of samples beside each other."""
    results = {devices: fit_on(devices, tmp_path, kind) for devices in (1, 2, 3)}
    losses = [row["train_loss"] for row in results[1]["curves"]]
    assert losses[-1] < losses[0]
    for devices in (2, 3):
        assert_same(results[1], results[devices])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_processes_that_torchrun_starts_train_as_one(tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert_same(fit_on(1, tmp_path, "classify"), fit_on(2, tmp_path, "classify", *launcher))
