"""Programs of torch.export and ONNX give the module's outputs, on real windows, in batches of any size."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from eegdiffusion import Backbone, Classifier
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.modules import program_export
from eegdiffusion.modules.program_export import OPSET, write_onnx_program, write_torch_program

CHANNELS = [{"ch_name": name} for name in ("Fp1", "T7", "Oz")]


@pytest.fixture(scope="module")
def classifier(trained):
    return Classifier.from_pretrained(trained, unit="100 uV")


def _run(path, windows, output="logits"):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (outputs,) = session.run([output], {"x": windows.numpy()})
    return torch.from_numpy(outputs)


def test_a_torch_program_gives_the_modules_logits(classifier, windows, tmp_path):
    assert write_torch_program(classifier, tmp_path / "model.pt2") < 1e-5
    program = torch.export.load(tmp_path / "model.pt2").module()
    with torch.no_grad():
        for batch in (windows[:1], windows[:5]):
            assert torch.allclose(program(batch), classifier(batch), atol=1e-5)
    assert next(classifier.parameters()).requires_grad
    assert classifier.backbone.spectra is None


def test_an_onnx_program_gives_the_modules_logits_in_onnxruntime(classifier, windows, tmp_path):
    assert write_onnx_program(classifier, tmp_path / "model.onnx") < program_export.TOLERANCE
    for batch in (windows[:1], windows[:5]):
        with torch.no_grad():
            expected = classifier(batch)
        outputs = _run(tmp_path / "model.onnx", batch)
        assert torch.allclose(outputs, expected, atol=1e-4)
        assert torch.equal(outputs.argmax(1), expected.argmax(1))
    (opset,) = (each.version for each in onnx.load(tmp_path / "model.onnx").opset_import if not each.domain)
    assert opset == OPSET


def test_resampling_and_parts_of_other_lengths_are_exported(trained, tmp_path):
    """7 s at 256 Hz: a part of 5 s and one of 2 s, at 200 Hz."""
    backbone = Backbone.from_pretrained(trained, ch_names=["Fp1", "T7", "Oz"], sfreq=256, unit="uV")
    signals = 20 * torch.randn(2, 3, 1792, generator=torch.Generator().manual_seed(1))
    write_torch_program(backbone, tmp_path / "model.pt2", 1792)
    write_onnx_program(backbone, tmp_path / "model.onnx", 1792)
    with torch.no_grad():
        expected = backbone(signals)
    assert torch.allclose(torch.export.load(tmp_path / "model.pt2").module()(signals), expected, atol=1e-5)
    assert torch.allclose(_run(tmp_path / "model.onnx", signals, "tokens"), expected, atol=1e-4)


def test_a_program_that_differs_is_not_kept(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(program_export, "TOLERANCE", -1.0)
    with pytest.raises(InputError, match=r"model.pt2: the program's output must be within"):
        write_torch_program(classifier, tmp_path / "model.pt2")
    assert not (tmp_path / "model.pt2").exists()


def test_without_onnxscript_it_is_named(classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(InputError, match="the package onnxscript must be installed"):
        write_onnx_program(classifier, tmp_path / "model.onnx")


def test_the_example_is_of_eegs_amplitude_in_any_unit(trained):
    for unit, factor in (("V", 1e-4), ("uV", 100.0)):
        example = program_export.example_windows(Classifier.from_pretrained(trained, unit=unit, chs_info=CHANNELS))
        assert example.shape == (2, 3, 1000)
        assert float(example.std()) == pytest.approx(0.3 * factor, rel=0.1)
        assert np.isfinite(example.numpy()).all()
