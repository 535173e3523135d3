"""What others' code passes to the modules: numbers and arrays of NumPy, wrong units, weights of other types."""

import json
import warnings

import numpy as np
import pytest
import torch

from eegdiffusion import Backbone, Classifier
from eegdiffusion.core.runtime.errors import InputError

VOLTS = torch.randn(2, 22, 600, generator=torch.Generator().manual_seed(0)) * 3e-5


@pytest.mark.parametrize("unit", ["uV", 1.0, "100 uV"])
def test_an_amplitude_that_no_eeg_has_is_warned_of_once(trained, unit):
    backbone = Backbone.from_pretrained(trained, unit=unit)
    factor = {"uV": 1e-4, 1.0: 1e6, "100 uV": 1e6}[unit]
    with pytest.warns(UserWarning, match=f"x: has a standard deviation of .* V if unit={unit!r}, which no EEG has"):
        backbone(VOLTS * factor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone(VOLTS * factor)


@pytest.mark.parametrize("signals", [VOLTS, VOLTS + 0.05, VOLTS * 0, VOLTS.double()], ids=["EEG", "offset", "0", "f64"])
def test_eeg_in_volts_with_or_without_an_offset_is_not_warned_of(trained, signals):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.isfinite(Backbone.from_pretrained(trained)(signals)).all()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_types_are_refused_with_what_to_do(trained, kind):
    model = Classifier.from_pretrained(trained).to(kind)
    with pytest.raises(InputError, match=rf"weights: must be float32 \(found {kind}\); torch.autocast"):
        model(VOLTS.to(kind))


def test_numbers_and_arrays_of_numpy_are_kept_as_plain_ones(trained, tmp_path):
    place = np.array([0.0, 0.05, 0.08])
    backbone = Backbone.from_pretrained(trained, ch_names=["q"], channel_positions=[place], unit=np.float32(1e-6))
    backbone.save_pretrained(tmp_path / "backbone")
    again = Backbone.from_pretrained(tmp_path / "backbone")
    assert again.channel_positions == [place.tolist()]
    assert again.unit == pytest.approx(1e-6)
    tensor = Backbone.from_pretrained(trained, ch_names=["q"], channel_positions=torch.tensor(place)[None])
    assert tensor.channel_positions == [place.tolist()]
    names = np.array(["a", "b", "c"])
    model = Classifier.from_pretrained(trained, n_outputs=np.int64(3), n_times=np.int64(600), classes=names)
    model.save_pretrained(tmp_path / "classifier")
    assert Classifier.from_pretrained(tmp_path / "classifier").classes == ["a", "b", "c"]
    config = json.loads((tmp_path / "classifier/config.json").read_text())
    assert config["input"]["n_times"] == 600


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_outputs": 0}, "n_outputs: must be 1 or more"),
        ({"n_outputs": -1}, "n_outputs: must be 1 or more"),
        ({"n_outputs": 2.0}, "n_outputs: must be 1 or more"),
        ({"n_outputs": 4, "classes": ["a", "b"]}, r"classes: must be as many as n_outputs, 4 \(found 2\)"),
        ({"n_times": 1}, "n_times: must be 2 samples or more"),
        ({"sfreq": "200"}, "sfreq: must be positive"),
        ({"unit": True}, "unit: must be one of"),
        ({"unit": float("inf")}, "unit: must be one of"),
        ({"unit": "volts"}, "unit: must be one of"),
    ],
)
def test_arguments_that_break_a_rule_are_refused(trained, settings, words):
    with pytest.raises(InputError, match=words):
        Classifier.from_pretrained(trained, **settings)


@pytest.mark.parametrize("names", ["Fz", [None, "Cz"], [1]])
def test_names_must_be_labels(trained, names):
    with pytest.raises(InputError, match="ch_names: must be a list of labels"):
        Backbone.from_pretrained(trained, ch_names=names)


def test_an_array_is_no_tensor(trained):
    with pytest.raises(InputError, match=r"x: must be a tensor of PyTorch \(found ndarray\)"):
        Backbone.from_pretrained(trained)(VOLTS.numpy())
