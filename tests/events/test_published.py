"""Published checkpoints: outputs, refusals, and a loader that runs nothing."""

import io
import os
import pickle
import re
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from eegdiffusion import load_published_backbone, load_published_classifier
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.models.latents import order_parts
from eegdiffusion.events.published.lightning_checkpoint import read_checkpoint

GOLDEN = Path(__file__).parents[1] / "golden"
CHBMIT = GOLDEN / "published/chbmit_classifier.ckpt"
BACKBONE, CLASSIFIER = GOLDEN / "published/backbone.ckpt", GOLDEN / "published/classifier.ckpt"


@pytest.fixture(scope="module")
def expected() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "published/published_expected.safetensors")


def close(found: torch.Tensor, wanted: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=tolerance * float(wanted.abs().max()))


@pytest.mark.parametrize("weights", ["ema", "online"])
def test_outputs_are_the_published_models(expected, weights):
    backbone = load_published_backbone(BACKBONE, weights=weights)
    inputs = (expected["x"], expected["diffusion_step"], expected["channel"])
    close(backbone(*inputs), expected[f"prediction_{weights}"], 5e-5)
    classifier = load_published_classifier(str(CLASSIFIER), weights=weights)
    close(classifier(expected["signals"]), expected[f"logits_{weights}"], 1e-4)
    assert not torch.allclose(expected["logits_ema"], expected["logits_online"])
    assert not backbone.training
    assert not classifier.training
    assert (classifier.lft.config.num_heads, classifier.window) == (4, 200)


def test_ema_is_the_default(expected):
    close(load_published_classifier(CLASSIFIER)(expected["signals"]), expected["logits_ema"], 1e-4)


def test_backbone_of_the_classifier_is_the_published_backbones_ema(expected):
    inputs = (expected["x"], expected["diffusion_step"], expected["channel"])
    close(load_published_classifier(CLASSIFIER).backbone(*inputs), expected["prediction_ema"], 5e-5)


@pytest.fixture(scope="module")
def seizures() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "published/chbmit_expected.safetensors")


@pytest.mark.parametrize(
    ("weights", "parts", "name"),
    [("ema", None, "logits_ema"), ("online", None, "logits_online"), ("ema", "physical", "logits_ema_right_order")],
)
def test_ten_seconds_are_classified_in_the_order_of_the_published_weights(seizures, weights, parts, name):
    classifier = load_published_classifier(CHBMIT, weights=weights, parts=parts)
    logits = classifier(seizures["signals"])
    assert logits.shape == (4,)
    close(logits, seizures[name], 1e-4)
    assert classifier.channels.tolist() == [*range(8), *range(14, 22)]
    assert not torch.allclose(seizures["logits_ema"], seizures["logits_ema_right_order"], atol=2e-3)


@pytest.mark.parametrize(("order", "name"), [("reference", "reference"), ("physical", "right")])
def test_parts_go_through_the_backbone_in_either_order(seizures, order, name):
    classifier = load_published_classifier(CHBMIT)
    signals = order_parts(seizures["signals"], 1000, order)
    tokens = classifier.backbone.tokens(signals, channels=classifier.channels)
    close(tokens, seizures[f"tokens_{name}_order"].squeeze((2, 4)), 5e-5)


def test_the_reference_puts_part_r_mod_f_of_channel_r_over_f_into_place_r():
    for channels, parts in ((3, 1), (3, 2), (16, 2), (4, 3), (1, 5)):
        rows = torch.arange(channels * parts).view(1, channels, parts, 1).expand(2, -1, -1, 4)
        ordered = order_parts(rows.reshape(2, channels, parts * 4), 4, "reference").view(2, channels, parts, 4)
        for r in range(channels * parts):
            held = (r // parts) * parts + r % parts
            assert (ordered[:, r % channels, r // channels] == held).all()
        assert torch.equal(order_parts(ordered.flatten(2), 4, "physical"), ordered.flatten(2))
    with pytest.raises(InputError, match="signals: must be whole parts of 4 samples in the reference's order"):
        order_parts(torch.zeros(1, 2, 9), 4, "reference")
    assert order_parts(torch.zeros(1, 2, 3), 4, "reference").shape == (1, 2, 3)
    with pytest.raises(InputError, match="parts: must be one of physical, reference"):
        load_published_classifier(CHBMIT, parts="right")


@pytest.mark.parametrize("prefix", ["", "model.", "ema.ema_model."])
def test_state_dicts_with_and_without_prefix(expected, prefix):
    golden = load_file(GOLDEN / "ssmdp_lft_small.safetensors")
    state = {prefix + k.removeprefix("weights/"): v for k, v in golden.items() if k.startswith("weights/")}
    backbone = load_published_backbone(state)
    torch.testing.assert_close(
        backbone(golden["x"], golden["diffusion_step"], golden["channel"]), golden["prediction"], rtol=0, atol=1e-4
    )


def _document(path: Path) -> dict:
    return read_checkpoint(path)


def test_hyper_parameters_decide_what_weights_cannot_tell(expected):
    document = _document(CLASSIFIER)
    base = load_published_classifier(document)(expected["signals"])
    options = document["hyper_parameters"]["model_kwargs"]
    changes = [
        {"num_heads": 2}, {"diffusion_t": 3}, {"query": ["filter"]}, {"reduce": ["mean"]}, {"rescale": True},
        {"query": "inter"},
    ]  # fmt: skip
    logits = [
        load_published_classifier(document | {"hyper_parameters": {"model_kwargs": options | change}})(
            expected["signals"]
        )
        for change in changes
    ]
    for i, found in enumerate(logits):
        assert not torch.allclose(found, base, atol=1e-6), changes[i]


@pytest.mark.parametrize(
    ("query", "reduce", "scale", "shift"),
    [("gate", "std", 4, -1), ("gate", "mean", 2, -1), ("filter", "std", 2, -1), ("filter", "mean", 1, 0)],
)
def test_rescale_stretches_tokens_to_minus_one_to_one(expected, query, reduce, scale, shift):
    document = _document(CLASSIFIER)
    options = document["hyper_parameters"]["model_kwargs"] | {"query": [query], "reduce": [reduce], "rescale": True}
    classifier = load_published_classifier(document | {"hyper_parameters": {"model_kwargs": options}})
    tokens = classifier.backbone.tokens(expected["signals"], kind=query, statistic=reduce)
    torch.testing.assert_close(classifier(expected["signals"]), classifier.lft(tokens * scale + shift))


def test_noise_in_training_scales_the_signal(expected):
    document = _document(CLASSIFIER)
    document["hyper_parameters"]["fwd_with_noise"] = True
    scaled = load_published_classifier(document)
    document["hyper_parameters"]["fwd_with_noise"] = None
    plain = load_published_classifier(document)
    alpha = torch.cos(torch.tensor(0.008 / 1.008 * torch.pi / 2)) ** 2  # squaredcos_cap_v2 at t = 1
    alpha = torch.cos(torch.tensor((2 / 50 + 0.008) / 1.008 * torch.pi / 2)) ** 2 / alpha
    torch.testing.assert_close(
        scaled(expected["signals"]), plain(alpha.sqrt() * expected["signals"]), rtol=0, atol=1e-4
    )


def test_layer_range_of_the_extractor(expected):
    document = _document(CLASSIFIER)
    document["hyper_parameters"]["model_kwargs"] |= {"start": 1, "end": None}
    state = document["state_dict"]
    moved = {n: v for n, v in state.items() if ".tower.0.1." not in n}
    classifier = load_published_classifier(document | {"state_dict": moved})
    assert classifier.lft.config.layers == [1]
    assert classifier(expected["signals"]).shape == (2, 6)


def test_resampled_signals_in_both_conventions(expected):
    classifier = load_published_classifier(CLASSIFIER)
    signals = expected["signals"][..., :950]
    physical = classifier(signals, rate=0.95)
    reference = classifier(signals, rate=0.95, rate_convention="reference")
    tokens = classifier.backbone.tokens(signals, rate=0.95, rate_convention="reference")
    assert tokens.shape[2] == 4
    assert torch.equal(reference, classifier.lft(tokens, missing_pools=True))
    assert not torch.allclose(physical, reference, atol=1e-5)


def _change(path: Path, change) -> dict:
    document = _document(path)
    state = {n: v for n, v in document["state_dict"].items() if not n.startswith("ema.online_model.")}
    change(state)
    return document | {"state_dict": state}


E = "ema.ema_model."


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (BACKBONE, lambda s: s.pop(E + "layers.1.linear_skip.bias"), "missing weights: layers.1.linear_skip.bias"),
        (BACKBONE, lambda s: s.pop(E + "in_layer.0.weight"), "missing weights: in_layer.0.weight"),
        (BACKBONE, lambda s: s.update({E + "layers.1.linear_next.bias": torch.zeros(16)}), "unknown weights: layers.1"),
        (BACKBONE, lambda s: s.update({"extra": torch.zeros(1)}), "unknown weights: extra"),
        (
            CHBMIT,
            lambda s: s.update({"criterion.pos_weights": torch.zeros(1)}),
            "unknown weights: criterion.pos_weights",
        ),
        (BACKBONE, lambda s: s.update({"ema.steps": torch.zeros(1)}), "unknown weights: ema.steps"),
        (BACKBONE, lambda s: s.update({E + "out_layer.0.bias": torch.zeros(3)}), "misshapen weights: out_layer.0.bias"),
        (BACKBONE, lambda s: s[E + "out_layer.0.bias"].fill_(torch.nan), "not finite weights: out_layer.0.bias"),
        (
            BACKBONE,
            lambda s: [s.pop(n) for n in list(s) if n.startswith(E)],
            "missing weights: none under ema.ema_model.",
        ),
        (CLASSIFIER, lambda s: s.pop(E + "classifier.stack.norms.1.bias"), "missing weights: classifier.stack.norms.1"),
        (CLASSIFIER, lambda s: s.pop(E + "decoder.cls_token"), "missing weights: decoder.cls_token"),
        (
            CLASSIFIER,
            lambda s: s.pop(E + "extractor.model.layers.0.layer.D"),
            "missing weights: extractor.model.layers.0.layer.D",
        ),
        (
            CLASSIFIER,
            lambda s: s.update({E + "classifier.pos_embed": torch.zeros(1, 1, 5, 3, 16)}),
            "misshapen weights: classifier.pos_embed",
        ),
    ],
)
def test_damaged_weights_are_refused_by_name(path, change, message):
    load = load_published_backbone if path == BACKBONE else load_published_classifier
    with pytest.raises(InputError, match=re.escape(message)):
        load(_change(path, change))


@pytest.mark.parametrize(
    ("option", "value"),
    [("have_crossnorm", True), ("query", ["gate", "filter"]), ("reduce", ["max"]), ("window_step", 100)],
)
def test_unsupported_options_are_refused(option, value):
    document = _document(CLASSIFIER)
    document["hyper_parameters"]["model_kwargs"][option] = value
    with pytest.raises(InputError, match=f"model_kwargs.{option}: "):
        load_published_classifier(document)


def test_weights_must_be_named():
    with pytest.raises(InputError, match="weights: must be one of online, ema"):
        load_published_backbone(BACKBONE, weights="best")


class _Command:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def _with_pickle(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(BACKBONE) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            target.writestr(entry, data if entry.filename.endswith("data.pkl") else source.read(entry))
    return path


def test_nothing_that_a_pickle_names_is_run(tmp_path):
    mark = tmp_path / "ran"
    document = {"state_dict": {}, "hyper_parameters": {"a": _Command(mark), "b": pickle.Pickler, "c": 3}}
    checkpoint = _with_pickle(tmp_path / "hostile.ckpt", pickle.dumps(document, protocol=2))
    assert read_checkpoint(checkpoint)["hyper_parameters"] == {"a": None, "b": None, "c": 3}
    assert not mark.exists()


@pytest.mark.parametrize(
    "target", ["torch._utils\n_rebuild_tensor_v2", "builtins\ndict", "collections\nOrderedDict", "os\nsystem"]
)
def test_no_constructor_can_be_changed(tmp_path, target):
    # GLOBAL target, then BUILD with the slot state {"__call__": 1}
    data = b"\x80\x02c" + target.encode() + b"\n}(X\x08\x00\x00\x00__call__K\x01u\x86b."
    data = data.replace(b"\n}(X", b"\nN}(X")
    with pytest.raises(InputError, match="must be a Lightning checkpoint, intact"):
        read_checkpoint(_with_pickle(tmp_path / "hostile.ckpt", data))
    assert load_published_backbone(BACKBONE).config.d_model == 16


def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "file.ckpt"
    with pytest.raises(InputError, match="no such file"):
        read_checkpoint(file)
    for content in (b"", b"not a zip", BACKBONE.read_bytes()[:5000]):
        file.write_bytes(content)
        with pytest.raises(InputError, match="must be a Lightning checkpoint, intact"):
            read_checkpoint(file)


def test_storage_of_another_size_is_refused(tmp_path):
    damaged = tmp_path / "damaged.ckpt"
    with zipfile.ZipFile(BACKBONE) as source, zipfile.ZipFile(damaged, "w") as target:
        for entry in source.infolist():
            target.writestr(entry, source.read(entry)[:-4] if entry.filename.endswith("data/0") else source.read(entry))
    with pytest.raises(InputError, match="storage 0 must be"):
        read_checkpoint(damaged)


def test_reads_what_lightning_writes_today(tmp_path):
    buffer, state = io.BytesIO(), {"model.w": torch.arange(6.0).view(2, 3).t(), "n": torch.tensor([1, 2])}
    torch.save({"state_dict": state, "hyper_parameters": {"lr": 0.1, "sizes": [1, 2]}}, buffer)
    (tmp_path / "new.ckpt").write_bytes(buffer.getvalue())
    document = read_checkpoint(tmp_path / "new.ckpt")
    assert document["hyper_parameters"] == {"lr": 0.1, "sizes": [1, 2]}
    assert all(torch.equal(document["state_dict"][name], value) for name, value in state.items())
