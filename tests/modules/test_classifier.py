"""The public classifier: the library's outputs, braindecode's constructor, and what suites of benchmarks do with it."""

import json
from dataclasses import replace

import mne
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from eegdiffusion import LFT, Classifier
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.training.classification_head import class_probabilities
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.lft_network import LFTSizes
from eegdiffusion.events.models.ssmdp_network import SSMDPSizes
from tests.predict import tiny_model

SIZES = SSMDPSizes(4, 4, 2, 8, 8)
FUSION = LFTSizes(n_fusion=2, num_heads=2, encoder_blocks=1)


def _library_probabilities(trained, windows):
    backbone, transform = signal_transform.load(trained / "backbone")
    latents = Latents(backbone="base", corpus="tuev", codec="float32")
    with torch.no_grad():
        tokens = signal_transform.tokens(backbone, transform, latents, windows)
        return class_probabilities(LFT.from_pretrained(trained / "lft").eval()(tokens))


def test_probabilities_are_the_librarys(trained, windows):
    classifier = Classifier.from_pretrained(trained, unit="100 uV")
    expected = _library_probabilities(trained, windows[:4])
    assert torch.equal(classifier.predict_proba(windows[:4]), expected)
    assert torch.allclose(Classifier.from_pretrained(trained).predict_proba(windows[:4] * 1e-4), expected, atol=1e-5)
    assert classifier.classes == list(tiny_model.PREPROCESSING.classes)
    assert (classifier.n_chans, classifier.n_times, classifier.sfreq, classifier.n_outputs) == (22, 1000, 200.0, 6)
    assert expected.argmax(1).unique().numel() > 1


def test_a_binary_lft_of_one_logit_has_two_outputs_of_the_same_probabilities(trained, windows, tmp_path):
    tiny_model.write(tmp_path)
    torch.manual_seed(1)
    lft = LFT(**dict(LFT.from_pretrained(tmp_path / "lft").config) | {"n_class": 1})
    torch.nn.init.normal_(lft.classifier.linear.weight)
    lft.save_pretrained(tmp_path / "lft")
    with pytest.raises(InputError, match=r"preprocessing.json: classes: must be 2 \(found 6\)"):
        Classifier.from_pretrained(tmp_path)
    preprocessing = json.loads((tmp_path / "preprocessing.json").read_text())
    (tmp_path / "preprocessing.json").write_text(json.dumps(preprocessing | {"classes": ["spsw", "bckg"]}))
    probabilities = Classifier.from_pretrained(tmp_path, unit="100 uV").predict_proba(windows[:4])
    assert probabilities.shape == (4, 2)
    assert torch.allclose(probabilities, _library_probabilities(tmp_path, windows[:4]), atol=1e-6)


def test_braindecodes_constructor_in_its_order():
    info = mne.create_info(["Fp1", "C3", "E77"], 250.0, "eeg")
    info["chs"][2]["loc"][:3] = [0.0, -0.1, 0.05]
    classifier = Classifier(4, 3, info["chs"], 1250, 5.0, 250.0, sizes=SIZES, fusion=FUSION)
    assert classifier(1e-5 * torch.randn(2, 3, 1250)).shape == (2, 4)
    assert (classifier.n_outputs, classifier.n_chans, classifier.n_times, classifier.sfreq) == (4, 3, 1250, 250.0)
    assert classifier.input_window_seconds == 5
    assert classifier.input_shape == (1, 3, 1250)
    assert classifier.get_output_shape() == (1, 4)
    assert isinstance(classifier.final_layer, nn.Linear)
    assert classifier.chs_info is info["chs"]
    by_name = Classifier(n_chans=22, n_times=600, sfreq=120, n_outputs=3, chs_info=None, sizes=SIZES, fusion=FUSION)
    assert by_name(1e-5 * torch.randn(2, 22, 600)).shape == (2, 3)
    assert by_name.sizes.n_pool == 5


@pytest.mark.parametrize("samples", [200, 450, 1000])
def test_shorter_windows_leave_seconds_out(trained, samples):
    classifier = Classifier.from_pretrained(trained)
    logits = classifier(1e-5 * torch.randn(2, 22, samples))
    assert logits.shape == (2, 6)
    assert torch.isfinite(logits).all()


def test_a_longer_window_is_refused_by_name(trained):
    with pytest.raises(InputError, match=r"tokens: must have 5 pools \(found 6\)"):
        Classifier.from_pretrained(trained)(1e-5 * torch.randn(2, 22, 1200))


def test_windows_of_another_length_have_the_embeddings_of_as_many_seconds(trained):
    known = Classifier.from_pretrained(trained)
    for seconds in (3, 8):
        other = Classifier.from_pretrained(trained, n_times=200 * seconds)
        picked = torch.arange(seconds).clamp(max=4)
        embedding = known.fusion.classifier.pos_embed[:, :, picked]
        assert torch.equal(other.fusion.classifier.pos_embed, embedding)
        assert other(1e-5 * torch.randn(1, 22, 200 * seconds)).shape == (1, 6)


def test_another_number_of_outputs_has_a_head_of_its_own(trained, windows):
    known, other = Classifier.from_pretrained(trained), Classifier.from_pretrained(trained, n_outputs=3)
    assert other.final_layer.weight.shape == (3, 4)
    assert other.classes is None
    with torch.no_grad():
        assert torch.equal(other.features(windows[:1]), known.features(windows[:1]))


def test_the_constructor_reads_weights_for_channels_of_its_own(trained):
    """As suites make models: by a class, and arguments of theirs and ours."""
    channels = [{"ch_name": name, "loc": np.full(12, np.nan)} for name in ("Fp1", "Fp2", "Cz")]
    sizes = {"n_chans": 3, "n_times": 1280, "sfreq": 256.0, "n_outputs": 2, "chs_info": channels}
    classifier = Classifier(**sizes, pretrained=trained, unit="uV")
    known = Classifier.from_pretrained(trained)
    assert torch.equal(classifier.backbone.network.label_embed.weight, known.backbone.network.label_embed.weight)
    assert classifier(20 * torch.randn(2, 3, 1280)).shape == (2, 2)


def test_a_probe_trains_the_final_layer_alone(trained, windows):
    """Open EEG Bench's `frozen`: all but `final_layer` without gradients."""
    classifier = Classifier.from_pretrained(trained, unit="100 uV").requires_grad_(False)
    classifier.final_layer.requires_grad_(True)
    classifier(windows[:2]).square().sum().backward()
    assert classifier.final_layer.weight.grad.abs().sum() > 0
    assert all(w.grad is None for name, w in classifier.named_parameters() if not name.startswith("final_layer"))


@pytest.mark.parametrize("head", [nn.Identity(), nn.Flatten(1), nn.Sequential(nn.Flatten(1), nn.LazyLinear(7))])
def test_the_final_layer_can_be_replaced(trained, windows, head):
    """Open EEG Bench's heads, and the features that its ridge probe reads."""
    classifier = Classifier.from_pretrained(trained, unit="100 uV").eval()
    classifier.final_layer = head
    with torch.no_grad():
        output = classifier(windows[:2])
        features = classifier.features(windows[:2])
    assert torch.equal(output, head(features))
    assert features.shape == (2, 4)


def test_it_is_adapted_by_lora_with_its_head_saved(trained, windows):
    classifier = Classifier.from_pretrained(trained, unit="100 uV")
    with torch.no_grad():
        before = classifier(windows[:2])
    names = ["pre_layer", "linear_next", "out_proj"]
    config = LoraConfig(r=2, target_modules=names, modules_to_save=["final_layer"])
    adapted = get_peft_model(classifier, config)
    with torch.no_grad():
        assert torch.allclose(adapted(windows[:2]), before, atol=1e-5)
    optimiser = torch.optim.SGD([w for w in adapted.parameters() if w.requires_grad], 0.5)
    labels = torch.tensor([1, 2])
    for _ in range(2):
        optimiser.zero_grad()
        nn.functional.cross_entropy(adapted(windows[:2]), labels).backward()
        optimiser.step()
    trained_ones = {
        name for name, weight in adapted.named_parameters() if weight.grad is not None and weight.grad.any()
    }
    assert {name.split(".")[-4] for name in trained_ones if "lora_A" in name} >= {"pre_layer"} or trained_ones
    for kind in ("backbone", "fusion", "final_layer"):
        assert any(kind in name for name in trained_ones), kind
    with torch.no_grad():
        assert not torch.allclose(adapted(windows[:2]), before, atol=1e-4)


def test_fine_tuning_reaches_every_weight_that_decides(trained, windows):
    classifier = Classifier.from_pretrained(trained, unit="100 uV")
    nn.functional.cross_entropy(classifier(windows[:4]), torch.tensor([0, 1, 2, 3])).backward()
    without = {name for name, weight in classifier.named_parameters() if weight.grad is None}
    # The velocity's layers, and the last layer's way on, make no tokens.
    unused = (
        "backbone.network.out_layer",
        "backbone.network.layers.0.linear_skip",
        "backbone.network.layers.1.linear_skip",
    )
    assert {name for name in without if not name.startswith(unused)} == set()
    assert Classifier.from_pretrained(trained, frozen=True).backbone.network.in_layer[0].weight.requires_grad is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_chans": 3}, "n_chans: must be 22, or chs_info must name the channels"),
        ({"n_chans": 2, "chs_info": [{"ch_name": "Cz"}]}, "chs_info: must describe 2 channels"),
        ({"chs_info": [{"name": "Cz"}]}, "chs_info: each channel must have a ch_name"),
        ({"n_times": 1000, "input_window_seconds": 4}, "n_times: must be 800, as input_window_seconds says"),
        ({"n_times": 1}, "n_times: must be 2 samples or more"),
    ],
)
def test_bad_arguments_are_refused(trained, arguments, message):
    with pytest.raises(InputError, match=message):
        Classifier(**arguments, sizes=SIZES, fusion=FUSION)


def test_a_fusion_that_knows_channels_by_place_takes_as_many():
    fusion = replace(FUSION, fusion="mean", n_channel=22)
    assert Classifier(6, sizes=SIZES, fusion=fusion)(1e-5 * torch.randn(1, 22, 1000)).shape == (1, 6)
    with pytest.raises(InputError, match="n_chans: must be 22, as a classifier of fusion mean"):
        Classifier(6, 1, [{"ch_name": BIPOLAR[0]}], sizes=SIZES, fusion=fusion)
