"""Two processes that share a global batch train as one process does."""

import subprocess
import sys

import numpy as np
import pandas
import pytest
from safetensors.numpy import load_file

from tests.e2e.workspace import ROOT, TINY, environment
from tests.tuev_fixture import write_corpus

AUTHOR = ["-c", "user.name=t", "-c", "user.email=t@t"]


def _run(workspace, *words):
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=workspace, env=environment(warm=False), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.timeout(900)
def test_two_processes_give_the_curves_and_weights_of_one(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    for name in ("components", "eegdiffusion", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    write_corpus(tmp_path / "edf")
    optimisation = "pretrain_ssmdp.optimisation.{}"
    changes = [optimisation.format(change) for change in ("batch_size=44", "max_epochs=2", "learning_rate=0.01")]
    tiny = [change for change in TINY if change.startswith(("pretrain", "ingest"))]
    _run(tmp_path, "eegdiffusion.commands", "params", "set", "event_corpora.tuev.root=edf", *tiny, *changes)
    for words in (["init", "-q"], ["add", "params.yaml"], [*AUTHOR, "commit", "-qm", "start"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    _run(tmp_path, "components.ingest_events", "--corpus", "tuev")
    _run(tmp_path, "components.preprocess_events", "--corpus", "tuev")
    found = {}
    for devices in (1, 2):
        _run(tmp_path, "eegdiffusion.commands", "params", "set", f"hardware.devices={devices}")
        _run(tmp_path, "components.pretrain_ssmdp", "--backbone", "base")
        out = tmp_path / "models/ssmdp/base"
        weights = load_file(out / "backbone" / "diffusion_pytorch_model.safetensors")
        found[devices] = pandas.read_csv(out / "curves.csv"), weights
    (one, weights), (two, shared) = found[1], found[2]
    assert len(one) >= 4
    assert one["train_loss"].iloc[-1] < one["train_loss"].iloc[0]
    for name in ("step", "epoch", "train_loss", "validation_loss"):
        assert np.allclose(one[name], two[name], rtol=2e-4), name
    for name, value in weights.items():
        assert np.allclose(value, shared[name], atol=2e-4), name
