"""No loader of weights asks the network for what it was not told to download, nor reads a pickle."""

import socket
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from diffusers import ControlNetModel
from transformers import CLIPImageProcessor, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.events.models.ssmdp import SSMDP
from eegdiffusion.images.encoders.registry import build_encoder, load_encoder
from eegdiffusion.images.features.clip_features import ClipImages
from eegdiffusion.images.generation.generator import Source, open_generator
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.structure.depth_maps import DepthMaps
from tests import tiny_generator


@pytest.fixture(autouse=True)
def asked(monkeypatch, tmp_path):
    """Let the hub's client ask, and note what it asks for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    hosts = []

    def refuse(host, *_, **__):
        hosts.append(host)
        raise socket.gaierror(f"{host}: no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield hosts
    assert hosts == [], "the network was asked"


def write_clip(folder: Path) -> Path:
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=12,
    )  # fmt: skip
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def as_pickle(folder: Path) -> Path:
    """Put a pickle of the weights in the place of the safetensors."""
    (path,) = folder.glob("*.safetensors")
    torch.save({}, folder / {"model": "pytorch_model.bin"}.get(path.stem, "diffusion_pytorch_model.bin"))
    path.unlink()
    return folder


def test_folders_are_read_without_the_network(tmp_path):
    assert ClipImages(str(write_clip(tmp_path / "clip"))).model.config.projection_dim == 12
    tiny_generator.make(tmp_path / "pipeline")
    build_encoder("eegnet", n_chans=4, n_times=64, n_outputs=2).save_pretrained(tmp_path / "encoder")
    assert load_encoder(tmp_path / "encoder").config.n_chans == 4


@pytest.mark.parametrize("source", ["lab/clip", f"lab/clip@{'1' * 40}", "openai/clip-vit-large-patch14"])
def test_clip_that_is_not_on_the_disk_is_refused(source):
    with pytest.raises(InputError, match=r"embed_images\.source: .*lab/clip|openai"):
        ClipImages(source)


def test_a_depth_model_that_is_not_on_the_disk_is_refused():
    with pytest.raises(InputError, match="structure_source: lab/depth: must be the folder"):
        DepthMaps(Path("lab/depth"))


def test_a_pipeline_that_is_not_on_the_disk_is_refused():
    with pytest.raises(InputError, match="lab/sd15: must be the folder of a diffusers pipeline"):
        open_generator(Source("lab/sd15", None, 16))


@pytest.mark.parametrize("cls", [CLIPTextModel, ControlNetModel, SemanticTokens, SSMDP])
def test_a_part_of_a_model_that_is_not_there_is_refused(cls, tmp_path):
    with pytest.raises(InputError, match=f"lab/model: no such folder; it must hold {cls.__name__}"):
        load_folder(cls, Path("lab/model"))
    (tmp_path / "lab/model").mkdir(parents=True)
    with pytest.raises(InputError, match=f"lab/model: must hold {cls.__name__}'s configuration"):
        load_folder(cls, Path("lab/model"))


def test_pickles_are_not_read(tmp_path):
    SemanticTokens(4, 2, 8).save_pretrained(tmp_path / "tokens")
    with pytest.raises(InputError, match=r"tokens: must hold SemanticTokens's .* as safetensors"):
        load_folder(SemanticTokens, as_pickle(tmp_path / "tokens"))
    with pytest.raises(InputError, match=r"embed_images\.source: .*clip"):
        ClipImages(str(as_pickle(write_clip(tmp_path / "clip"))))
