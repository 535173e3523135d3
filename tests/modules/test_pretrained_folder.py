"""Folders of models: those of hubs are written and read, and nothing of another is taken or overwritten."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from eegdiffusion import Backbone, Classifier
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import BIPOLAR


@pytest.fixture
def hub(trained, tmp_path):
    """Folder of a classifier as a hub has it."""
    Classifier.from_pretrained(trained, unit="uV").save_pretrained(tmp_path / "hub")
    return tmp_path / "hub"


def test_a_classifier_is_written_and_read_as_it_was(trained, hub, windows):
    assert sorted(path.name for path in hub.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    written, read = Classifier.from_pretrained(trained, unit="uV"), Classifier.from_pretrained(hub)
    assert torch.equal(read.predict_proba(100 * windows[:2]), written.predict_proba(100 * windows[:2]))
    assert (read.classes, read.backbone.unit, read.n_times) == (written.classes, "uV", 1000)
    assert read.backbone.tokens == written.backbone.tokens
    assert not read.training


def test_a_backbone_is_written_and_read_as_it_was(trained, windows, tmp_path):
    places = [None, [0.0, -0.1, 0.05]]
    written = Backbone.from_pretrained(trained, ch_names=["Cz", "E9"], sfreq=250, channel_positions=places)
    written.save_pretrained(tmp_path / "b")
    read = Backbone.from_pretrained(tmp_path / "b")
    signals = 1e-5 * torch.randn(1, 2, 500)
    with torch.no_grad():
        assert torch.equal(read(signals), written(signals))
    assert (read.ch_names, read.sfreq, read._ids) == (["Cz", "E9"], 250.0, written._ids)


def test_the_backbone_of_a_classifiers_folder_is_read_for_channels_of_ones_own(hub, trained):
    for folder in (hub, trained, trained / "backbone"):
        backbone = Backbone.from_pretrained(folder, ch_names=["Fp1", "O2"], unit="uV")
        with torch.no_grad():
            assert backbone(20 * torch.randn(1, 2, 400)).shape == (1, 2, 2, 2, 4)


def test_the_window_of_a_folder_is_changed_by_arguments(hub):
    assert Classifier.from_pretrained(hub, sfreq=256).n_times == 1280
    other = Classifier.from_pretrained(hub, chs_info=[{"ch_name": "Cz"}], n_times=500, sfreq=250)
    assert (other.n_chans, other.n_times, other.sizes.n_pool) == (1, 500, 2)


def test_the_card_has_the_head_that_hubs_read_and_shows_names_as_text(trained, tmp_path):
    classifier = Classifier.from_pretrained(trained, n_outputs=2, classes=["<b>x</b>", "[a](http://b)"])
    classifier.save_pretrained(tmp_path / "hub")
    _, head, body = (tmp_path / "hub/README.md").read_text().split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields["library_name"] == "eegdiffusion"
    assert {"eeg", "eegdm"} <= set(fields["tags"])
    assert "\\<b>x\\</b>" in body
    assert "[a](http" not in body
    assert "no medical device" in body


def test_an_earlier_export_is_replaced_and_other_folders_are_refused(trained, hub, tmp_path):
    classifier = Classifier.from_pretrained(trained)
    classifier.save_pretrained(hub)
    assert Classifier.from_pretrained(hub).backbone.unit == "V"
    (hub / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"must be new, empty or of an earlier export \(found notes.txt\)"):
        classifier.save_pretrained(hub)
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "bert"}')
    for text in ('{"model_type": "bert"}', "[]", "no json"):
        (other / "config.json").write_text(text)
        with pytest.raises(InputError, match="found a folder of another program"):
            classifier.save_pretrained(other)
        assert (other / "config.json").read_text() == text
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"must be a folder \(found a file\)"):
        classifier.save_pretrained(tmp_path / "file")


def _changed(hub, *keys, value):
    document = json.loads((hub / "config.json").read_text())
    section = document
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = value
    (hub / "config.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("library_name",), "bert", "config.json: library_name: must be 'eegdiffusion'"),
        (("class",), "Backbone", "config.json: class: must be one of Classifier"),
        (("classes",), [1], "config.json: classes: must be a list of names"),
        (("backbone",), 3, "config.json: backbone: must be an object"),
        (("backbone", "n_layer"), 10**9, "config.json: backbone.n_layer: must be a whole number up to 256"),
        (("backbone", "d_model"), -1, "config.json: backbone.d_model: must be a whole number"),
        (("backbone", "d_model"), True, "config.json: backbone.d_model: must be a whole number"),
        (("backbone", "d_model"), 16_000, "must be weights of the sizes that config.json states"),
        (("backbone", "n_layer"), 3, "must be weights of the sizes that config.json states"),
        (("fusion", "n_pool"), 3600, "must be weights of the sizes that config.json states"),
        (("fusion", "num_heads"), 3, "num_heads: must divide d_model"),
        (("fusion", "extra"), 3, "config.json: fusion: must have the fields .* \\(found others: extra\\)"),
        (("fusion", "fusion"), "max", "fusion: must be one of"),
        (("tokens", "kind"), "x", "config.json: tokens: tokens: kind: must be one of"),
        (("tokens", "channels"), BIPOLAR[:3], "tokens: channels: must be 22"),
        (("input", "device"), "x", "config.json: input: must have no other fields"),
        (("input", "unit"), "pV", "unit: must be one of"),
    ],
)
def test_a_crafted_config_is_refused_by_field_and_rule(hub, keys, value, message):
    _changed(hub, *keys, value=value)
    with pytest.raises(InputError, match=message):
        Classifier.from_pretrained(hub)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\xff" * 100])
def test_weights_are_read_as_safetensors_alone(hub, content):
    (hub / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"model.safetensors: must be weights in the format safetensors"):
        Classifier.from_pretrained(hub)


@pytest.mark.parametrize("change", ["missing", "unknown", "misshapen", "not finite"])
def test_weights_that_do_not_fit_are_named(hub, change):
    state = load_file(hub / "model.safetensors")
    weight = state["final_layer.weight"]
    if change == "missing":
        del state["final_layer.weight"]
    elif change == "unknown":
        state["final_layer.other"] = weight.clone()
    else:
        state["final_layer.weight"] = weight[:, :2].contiguous() if change == "misshapen" else weight * np.nan
    save_file(state, hub / "model.safetensors")
    with pytest.raises(InputError, match=f"model.safetensors: {change} weights: final_layer"):
        Classifier.from_pretrained(hub)


def test_what_is_no_folder_of_a_model_is_said(tmp_path, trained):
    for name in ("nothing", "someone/model"):
        with pytest.raises(InputError, match=r"must be a folder with config.json.*snapshot_download"):
            Classifier.from_pretrained(tmp_path / name)
        with pytest.raises(InputError, match=r"must be a folder of a model: with config.json"):
            Backbone.from_pretrained(tmp_path / name)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("noise", "random", r"latents.json: recipe.noise: must be 'none' or 'scaled'"),
        ("rate", 0.95, r"latents.json: recipe.rate: must be 1"),
        ("parts", "reference", r"latents.json: recipe.parts: must be 'physical'"),
    ],
)
def test_tokens_that_no_module_makes_are_refused(trained, tmp_path, field, value, message):
    shutil.copytree(trained, tmp_path / "t")
    document = json.loads((tmp_path / "t/latents.json").read_text())
    document["recipe"][field] = value
    (tmp_path / "t/latents.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=message):
        Classifier.from_pretrained(tmp_path / "t")


def test_latents_of_the_scaled_signal_and_stated_numbers_are_taken_over(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "t")
    document = json.loads((tmp_path / "t/latents.json").read_text())
    document["recipe"] |= {"noise": "scaled", "step": 10, "channel_ids": [3, *range(1, 22)]}
    (tmp_path / "t/latents.json").write_text(json.dumps(document))
    backbone = Classifier.from_pretrained(tmp_path / "t").backbone
    assert backbone._ids == [3, *range(1, 22)]
    assert 0 < backbone.tokens.signal_scale < 1
