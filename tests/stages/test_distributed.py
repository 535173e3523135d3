"""Processes that share a global batch, unevenly too, train as one process does."""

import contextlib
import subprocess
import sys
import time

import numpy as np
import pandas
import psutil
import pytest
from safetensors.numpy import load_file

from tests.e2e.workspace import ROOT, TINY, environment
from tests.tuev_fixture import write_corpus

AUTHOR = ["-c", "user.name=t", "-c", "user.email=t@t"]


def _run(workspace, *words):
    """Run a command, and return the addresses at which it and its processes listened."""
    command, log = [sys.executable, "-m", *words], workspace / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=workspace, env=environment(warm=False), stdout=output, stderr=output)
    heard: set[str] = set()
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            for each in (parent := psutil.Process(process.pid), *parent.children(recursive=True)):
                sockets = each.net_connections("inet")
                heard |= {found.laddr.ip for found in sockets if found.status == psutil.CONN_LISTEN}
        time.sleep(0.05)
    assert process.returncode == 0, log.read_text()[-4000:]
    return heard


@pytest.mark.timeout(900)
def test_two_and_three_processes_give_the_curves_and_weights_of_one(tmp_path):
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
    for devices in (1, 2, 3):  # 44, 22 and 22, 15 and 15 and 14
        _run(tmp_path, "eegdiffusion.commands", "params", "set", f"hardware.devices={devices}")
        heard = _run(tmp_path, "components.pretrain_ssmdp", "--backbone", "base")
        assert heard <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
        assert bool(heard) == (devices > 1)  # Gloo's own, between the processes
        out = tmp_path / "models/ssmdp/base"
        weights = load_file(out / "backbone" / "diffusion_pytorch_model.safetensors")
        found[devices] = pandas.read_csv(out / "curves.csv"), weights
    one, weights = found[1]
    assert len(one) >= 4
    assert one["train_loss"].iloc[-1] < one["train_loss"].iloc[0]
    for devices in (2, 3):
        several, shared = found[devices]
        for name in ("step", "epoch", "train_loss", "validation_loss"):
            assert np.allclose(one[name], several[name], rtol=2e-4), (devices, name)
        for name, value in weights.items():
            assert np.allclose(value, shared[name], atol=2e-4), (devices, name)
