from pathlib import Path

import pytest
import torch

from eegdiffusion.core.training.checkpoint_io import SafetensorsCheckpointIO


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    shared = torch.arange(6.0)
    checkpoint = {
        "epoch": 3,
        "state_dict": {"a": shared, "b": shared.view(2, 3).T, "half": torch.ones(2, dtype=torch.bfloat16)},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(4.0)}}, "param_groups": [{"betas": (0.9, 0.99)}]}],
        "callbacks": {"best": None, "score": float("inf"), "path": Path("x/best"), "flag": True},
    }
    path = tmp_path / "deep" / "last.safetensors"
    io = SafetensorsCheckpointIO()
    io.save_checkpoint(checkpoint, path)
    found = io.load_checkpoint(path)
    assert torch.equal(found["state_dict"]["b"], shared.view(2, 3).T)
    assert found["state_dict"]["half"].dtype == torch.bfloat16
    assert found["optimizer_states"][0]["param_groups"][0]["betas"] == (0.9, 0.99)
    assert found["optimizer_states"][0]["state"][0]["step"] == 4
    assert found["callbacks"] == {"best": None, "score": float("inf"), "path": "x/best", "flag": True}
    assert list(path.parent.iterdir()) == [path]


def test_what_it_cannot_hold_is_refused_and_the_old_file_stays(tmp_path):
    io, path = SafetensorsCheckpointIO(), tmp_path / "last.safetensors"
    io.save_checkpoint({"epoch": 1}, path)
    with pytest.raises(TypeError, match="cannot hold"):
        io.save_checkpoint({"epoch": 2, "code": object()}, path)
    assert io.load_checkpoint(path) == {"epoch": 1}
