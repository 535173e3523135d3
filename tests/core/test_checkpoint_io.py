import os
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


def _checkpoint(step: int, value: float) -> dict:
    return {"epoch": step // 10, "global_step": step, "state_dict": {"a": torch.full((1000,), value)}}


def test_checkpoints_of_a_step_are_one_file_until_one_of_them_is_replaced(tmp_path):
    io, best, last = SafetensorsCheckpointIO(), tmp_path / "best.safetensors", tmp_path / "last.safetensors"
    for path in (best, last):
        io.save_checkpoint(_checkpoint(10, 1.0), path)
    assert best.samefile(last)
    io.save_checkpoint(_checkpoint(20, 2.0), last)
    assert io.load_checkpoint(best)["state_dict"]["a"][0] == 1
    assert io.load_checkpoint(last)["state_dict"]["a"][0] == 2
    for path in (best, last):
        io.save_checkpoint(_checkpoint(30, 3.0), path)
    assert best.samefile(last)
    assert io.load_checkpoint(last)["global_step"] == 30
    assert sorted(path.name for path in tmp_path.iterdir()) == [best.name, last.name]


@pytest.mark.parametrize("other", ["elsewhere/last.safetensors", "best.safetensors"])
def test_what_is_no_second_file_of_a_folder_is_written(tmp_path, other):
    io, best = SafetensorsCheckpointIO(), tmp_path / "best.safetensors"
    io.save_checkpoint(_checkpoint(10, 1.0), best)
    io.save_checkpoint(_checkpoint(10, 1.0), tmp_path / other)
    assert io.load_checkpoint(tmp_path / other)["state_dict"]["a"][0] == 1
    assert best.stat().st_nlink == 1


def test_without_links_a_checkpoint_is_written_twice(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    io, best, last = SafetensorsCheckpointIO(), tmp_path / "best.safetensors", tmp_path / "last.safetensors"
    for path in (best, last):
        io.save_checkpoint(_checkpoint(10, 1.0), path)
    assert best.read_bytes() == last.read_bytes()
    assert not best.samefile(last)


def test_checkpoints_that_do_not_say_their_step_are_not_the_same(tmp_path):
    io = SafetensorsCheckpointIO()
    for name in ("a", "b"):
        io.save_checkpoint({"name": name}, tmp_path / name)
    assert [io.load_checkpoint(tmp_path / name)["name"] for name in ("a", "b")] == ["a", "b"]
