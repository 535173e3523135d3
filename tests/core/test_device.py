"""Devices by their names, and batches of what fits a device."""

import pytest
import torch

from eegdiffusion.commands.app import main
from eegdiffusion.commands.registered_models import choose_device, require_device
from eegdiffusion.core.runtime.device_name import DEVICE
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.device import named_device, serving_device
from eegdiffusion.core.training.inference import in_parts_that_fit


@pytest.fixture(params=[0, 2])
def gpus(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: request.param)
    return request.param


def test_auto_is_a_gpu_where_there_is_one(gpus, monkeypatch):
    assert named_device("auto").type == ("cuda" if gpus else "cpu")
    assert named_device("cpu") == torch.device("cpu")
    monkeypatch.delenv(DEVICE, raising=False)
    assert serving_device() == named_device("auto")
    monkeypatch.setenv(DEVICE, "cpu")
    assert serving_device() == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused_by_name(gpus):
    here = "cuda:0, cuda:1" if gpus else "none"
    with pytest.raises(InputError, match=f"--device: cuda:2: is not here; PyTorch finds {here}, and cpu"):
        named_device("cuda:2")
    if gpus:
        assert named_device("cuda:1") == torch.device("cuda:1")
        assert named_device("cuda") == torch.device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "cuda:x", "mps", ""])
def test_what_names_no_device_is_refused(name):
    with pytest.raises(InputError, match="must be cpu, cuda, cuda:N with the number of a GPU, or auto"):
        named_device(name)


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "README.md", "--out", "x.csv"),
        ("evaluate", "--store", "store"),
        ("generate", "README.md", "--out", "x"),
    ],
)
def test_commands_refuse_a_device_that_is_not_there_before_they_load_a_model(words, tmp_path, monkeypatch, capsys):
    (tmp_path / "store").mkdir()
    for name in ("README.md", "dvc.yaml", "store/store.json"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    for device, message in (("gpu", "must be cpu, cuda, cuda:N"), ("cuda:97", "cuda:97: is not here; PyTorch finds")):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--device", device])
        assert ended.value.code == 65
        assert message in capsys.readouterr().err


def test_a_model_that_knows_no_devices_is_refused_on_a_gpu_alone(monkeypatch):
    require_device(object(), "cpu")
    require_device(object(), "auto")
    with pytest.raises(
        InputError, match="--device: cuda: this model was registered with code that computes on the CPU"
    ):
        require_device(object(), "cuda")
    monkeypatch.setenv(DEVICE, "auto")
    choose_device("cpu")
    assert serving_device() == torch.device("cpu")


@pytest.mark.parametrize("most", [1, 3, 100])
def test_batches_are_halved_until_they_fit(most):
    sizes = []

    def double(items):
        if len(items) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(items))
        return 2 * items

    items = torch.arange(10.0)[:, None]
    assert torch.equal(in_parts_that_fit(double, items), 2 * items)
    assert max(sizes) <= most
    assert sum(sizes) == 10


def test_a_window_that_does_not_fit_is_said():
    def fail(items):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(InputError, match="its memory does not hold a single window"):
        in_parts_that_fit(fail, torch.zeros(4, 1))
