"""The whole branch that makes images from EEG, tiny: generator, structural VAE, ControlNet, reconstruction."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from components.embed_images.__main__ import main as embed
from components.ingest_images.__main__ import main as ingest
from components.prepare_generator.__main__ import main as prepare
from components.prepare_generator.compute import require_size
from components.reconstruct_condiffusion.__main__ import main as reconstruct_condiffusion
from components.reconstruct_sgdm.__main__ import main as reconstruct_sgdm
from components.train_condiffusion.__main__ import main as train_condiffusion
from components.train_controlnet.__main__ import main as train_controlnet
from components.train_eeg_encoder.__main__ import main as train_encoder
from components.train_structural_vae.__main__ import main as train_vae
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora.image_files import fitted_image
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.figures.model_figures import draw_model
from eegdiffusion.images.generation.generator import Source, load_generator, open_generator, weights_digest
from eegdiffusion.images.generation.generator_images import image_file
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.generation.previews import read_previews
from eegdiffusion.images.metrics.picture_gain import picture_gain
from eegdiffusion.images.metrics.reconstruction_scores import read_scores
from eegdiffusion.images.metrics.reconstructions import read_reconstructions
from eegdiffusion.images.sgdm.sgdm import load_sgdm
from eegdiffusion.operations.registry import registry_config
from eegdiffusion.operations.registry.registration import register_model
from eegdiffusion.surrogate.things import things_demo
from eegdiffusion.surrogate.things.things_settings import SurrogateThings
from tests import tiny_generator
from tests.e2e.workspace import module
from tests.image_workspace import entered
from tests.stages.test_train_eeg_encoder import settings
from tests.surrogate_source import CACHE

SIZES = SurrogateThings(subjects=2, concepts=8, exemplars=4, test_concepts=4, test_repetitions=2, snr=1.5)
ROWS = {
    "aligned": {"objective": "align", "encoder": "ridge", "protocols": ["joint"]},
    "eegconvnet": {"objective": "classify", "encoder": "eegconvnet", "protocols": ["joint"],
                   "options": {"width": 24, "tokens": 8}},
}  # fmt: skip
SIDE = tiny_generator.SIDE
QUICK = {"sampler": "unipc", "steps": 2, "guidance": 2.0}


def small(document: dict) -> None:
    """Make every stage of the branch tiny."""
    document["sgdm"] = {"things": {"corpus": "things", "semantics": "aligned"}}
    document["condiffusion"] = {"things": {"corpus": "things", "classifier": "eegconvnet"}}
    document["matrix"]["generated"] = ["things"]
    document["embed_images"]["structure_size"] = SIDE
    document["prepare_generator"] |= {"pipeline": "sd15", "image_size": SIDE, "sampling": QUICK}
    vae = document["train_structural_vae"]
    vae["vae"]["network"] = {"latent_size": 4, "widths": [8, 8]}
    document["train_condiffusion"] |= {"draws": 1, "shown": 2, "sampling": QUICK}
    document["train_controlnet"] |= {"draws": 1, "shown": 2, "sampling": QUICK}
    for stage in ("reconstruct_sgdm", "reconstruct_condiffusion"):
        document[stage] |= {"samples": 2, "repetitions": None, "sampling": QUICK}
    for stage in (vae["vae"], document["train_condiffusion"], document["train_controlnet"]):
        stage["optimisation"] |= {"max_epochs": 2, "batch_size": 8}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with entered(tmp_path_factory.mktemp("images"), registry=True) as path:
        things_demo.build("objects", path / "corpus", CACHE, SIZES)
        tiny_generator.write_stable_diffusion(path / "sd15")
        # As the miniature's folder has them; none of them has a place in a registered model.
        Image.new("RGB", (40, 40)).save(path / "sd15/held_out_captions.png")
        (path / "sd15/README.md").write_text("A card.")
        corpora = {"things": {"root": "corpus", "layout": "things_eeg2_raw", "epochs": "small"}}
        settings(path, corpora, {name: row | {"corpus": "things"} for name, row in ROWS.items()})
        document = yaml.safe_load(Path("params.yaml").read_text())
        small(document)
        Path("params.yaml").write_text(yaml.safe_dump(document))
        ingest(["--corpus", "things"])
        embed(["--corpus", "things"])
        for row in ROWS:
            train_encoder(["--encoder", row])
        prepare(["--corpus", "things"])
        for stage in (train_vae, train_controlnet, train_condiffusion, reconstruct_sgdm, reconstruct_condiffusion):
            stage(["--study", "things"])
        mlflow.set_tracking_uri(f"sqlite:///{path}/mlruns/mlflow.db")
        yield path


@pytest.fixture
def store(workspace):
    return EpochStore(Path("data/images/things"))


def test_latents_are_those_of_the_pictures(store):
    generator = load_generator(Path("models/generator/things"))
    found = ImageLatents(Path("data/image_latents/things"), store.description.fingerprint)
    assert found.known.all()
    assert found.latents.shape == (len(store.images), *generator.latent_shape)
    rows = [0, 5, len(store.images) - 1]
    pictures = np.stack([fitted_image(Path(store.images["file"][row]), SIDE) for row in rows])
    assert np.array_equal(found.images[rows], pictures)
    assert np.allclose(found.latents[rows], generator.encode(pictures).numpy(), atol=1e-5)
    assert found.description.generator == weights_digest(generator.vae)
    assert (found.latents.std(0) > 0).all(), "every image has a latent of its own"
    with pytest.raises(InputError, match="store: must be 'other'"):
        ImageLatents(Path("data/image_latents/things"), "other")


def test_a_small_generator_lies_with_what_names_it(workspace):
    stored = load_generator(Path("models/generator/things"))
    given = open_generator(Source("sd15", None, SIDE))
    assert stored.source.pipeline == "models/generator/things/pipeline"
    for own, other in zip(stored.modules(), given.modules(), strict=True):
        assert weights_digest(own) == weights_digest(other)
    assert not list(Path("models/generator/things").rglob("*.bin"))


@pytest.mark.parametrize(("size", "rule"), [(32, "must be 16, as sd15"), (18, "must be 16, as sd15")])
def test_images_have_the_size_that_the_generator_was_trained_for(size, rule):
    with pytest.raises(InputError, match=rf"prepare_generator\.image_size: {rule} \(found {size}\)"):
        require_size(replace(open_generator(Source("sd15", None, SIDE)), source=Source("sd15", None, size)))


def test_a_pipeline_that_paints_into_images_is_refused(workspace):
    generator = open_generator(Source("sd15", None, SIDE))
    generator.unet.register_to_config(in_channels=9)
    with pytest.raises(InputError, match=r"prepare_generator\.pipeline: sd15: must denoise the 4 .*in_channels 9"):
        require_size(generator)


def test_an_image_that_changed_since_ingestion_is_refused(store):
    images = store.images.copy()
    images.loc[0, "sha256"] = "0" * 64
    with pytest.raises(InputError, match="must be the image that ingest_images saw"):
        image_file(images, 0)


def test_the_generator_stays_as_it_was_under_what_is_trained_upon_it(workspace):
    facts = json.loads(Path("models/controlnet/things/metrics.json").read_text())
    generator = load_generator(Path("models/generator/things"))
    sizes = {type(m).__name__: sum(p.numel() for p in m.parameters()) for m in generator.modules()}
    assert facts["frozen"] == sizes
    sgdm = load_sgdm(Path("models/controlnet/things"), generator)
    trained = [*sgdm.controlnet.parameters(), *sgdm.tokens.parameters()]
    assert facts["parameters"] == sum(p.numel() for p in trained)
    cosines = facts["condition_validation_cosine"]
    assert facts["condition"] == max(cosines, key=cosines.get)
    assert facts["validation_cosine"] == pytest.approx(cosines[facts["condition"]], abs=1e-4)
    taps = [block.weight.abs().max() for block in sgdm.controlnet.controlnet_down_blocks]
    assert max(taps) > 0, "the taps began at zero and were trained"
    assert facts["gain_low"] <= facts["gain"] <= facts["gain_high"]


def test_figures_are_drawn_from_stored_arrays(workspace):
    assert not list(Path("models").glob("[!e]*/things/**/*.png")), "no figure is an output"
    wanted = {
        "generator": ("prepare_generator", {"generator", "held_out_captions"}),
        "structural_vae": ("train_structural_vae", {"reconstructions", "structure", "traversals"}),
        "condiffusion": ("train_condiffusion", {"samples", "curves"}),
        "controlnet": ("train_controlnet", {"pictures", "curves"}),
    }
    for folder, (stage, names) in wanted.items():
        reference = json.loads(Path(f"models/runs/{folder}/things/mlflow.json").read_text())
        figures = Path(mlflow.artifacts.download_artifacts(run_id=reference["run_id"], artifact_path="figures"))
        assert {path.stem for path in figures.iterdir()} == names
        assert set(draw_model(stage, Path("models", folder, "things"))) == names
    previews = read_previews(Path("models/generator/things"))
    assert list(previews) == ["seen", "decoded", "guidance_1", "guidance_2"]
    assert all(images.shape[1:] == (SIDE, SIDE, 3) and images.dtype == np.uint8 for images in previews.values())


def test_reconstructions_have_all_arms_of_the_same_items(store):
    latents = ImageLatents(Path("data/image_latents/things"), store.description.fingerprint)
    sgdm, condiffusion = (
        read_reconstructions(Path("data/reconstructions", system, "things")) for system in ("sgdm", "condiffusion")
    )
    assert set(sgdm.arms) == {
        "full", "semantics_only", "structure_only", "oracle_structure", "ridge", "zeroed_eeg", "shuffled_eeg",
    }  # fmt: skip
    assert set(condiffusion.arms) == {"condiffusion", "condiffusion_zeroed", "condiffusion_shuffled"}
    for found in (sgdm, condiffusion):
        n = len(found.items)
        assert not found.items.duplicated(["subject", "image"]).any()
        assert all(pictures.shape == (n, 2, SIDE, SIDE, 3) for pictures in found.arms.values())
        assert np.array_equal(found.seen, latents.images[found.items["image"]])
    test = np.flatnonzero(store.images["split"] == "test")
    assert set(sgdm.items["image"]) == set(test)
    assert len(sgdm.items) == 2 * len(test)
    zeroed = sgdm.arms["zeroed_eeg"]
    assert not np.array_equal(sgdm.arms["full"], zeroed)
    assert not np.array_equal(sgdm.arms["full"][:, 0], sgdm.arms["full"][:, 1]), "samples have noise of their own"
    assert sgdm.structure["from EEG"].shape == (len(sgdm.items), 3, SIDE, SIDE)


def test_what_eeg_contributes_is_written_for_the_gate(workspace):
    for system in ("sgdm", "condiffusion"):
        folder = Path("data/reconstructions", system, "things")
        assert json.loads((folder / "metrics.json").read_text()) == picture_gain(read_scores(folder))


def test_scores_are_of_these_pictures(workspace):
    for system, full in (("sgdm", "full"), ("condiffusion", "condiffusion")):
        folder = Path("data/reconstructions", system, "things")
        scores, pictures = read_scores(folder), read_reconstructions(folder)
        assert set(scores.arms) == set(pictures.arms)
        assert scores.context.corpus == "surrogate images"
        assert scores.context.repetitions > 1
        flat = pictures.arms[full][0, 0].reshape(-1), pictures.seen[0].reshape(-1)
        item = pictures.items.iloc[0]
        values = scores.values.query("metric == 'pixcorr' and sample == 0 and arm == @full")
        value = values[(values["subject"] == item["subject"]) & (values["image"] == item["image"])]["value"].item()
        assert value == pytest.approx(np.corrcoef(*map(np.float64, flat))[0, 1], abs=0.1)


def test_what_predicts_conditions_learns_end_to_end_with_a_published_controlnet(workspace, tmp_path, monkeypatch):
    shutil.copytree(workspace, tmp_path / "whole", symlinks=True)
    monkeypatch.chdir(tmp_path / "whole")
    document = yaml.safe_load(Path("params.yaml").read_text())
    shutil.copytree("models/controlnet/things/controlnet", "published")
    document["train_controlnet"] |= {"end_to_end": True, "pretrained_controlnet": "published"}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    shutil.rmtree("models/controlnet")
    train_controlnet(["--study", "things"])
    folder = Path("models/controlnet/things")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["end_to_end"] is True
    assert metrics["pretrained_controlnet"] == "published"
    for part in ("semantics", "structure", "ridge"):
        paths = sorted(path.relative_to(folder) for path in (folder / part).rglob("*.safetensors"))
        same = [
            torch.equal(value, load_file(workspace / folder / path)[name])
            for path in paths for name, value in load_file(folder / path).items()
        ]  # fmt: skip
        assert all(same) == (part == "ridge"), part
    assert not load_sgdm(folder, load_generator(Path("models/generator/things"))).semantics.training


def test_two_processes_train_a_controlnet_as_one_does(workspace, tmp_path):
    shutil.copytree(workspace, tmp_path / "two", symlinks=True)
    document = yaml.safe_load((tmp_path / "two/params.yaml").read_text())
    document["hardware"]["devices"] = 2
    (tmp_path / "two/params.yaml").write_text(yaml.safe_dump(document))
    shutil.rmtree(tmp_path / "two/models/controlnet")
    module(tmp_path / "two", "train_controlnet", "--study", "things")
    one, two = (pandas.read_csv(path / "models/controlnet/things/curves.csv") for path in (workspace, tmp_path / "two"))
    for name in ("train_loss", "validation_loss"):
        assert np.allclose(one[name], two[name], rtol=2e-4), name


def test_the_registered_models_make_pictures_from_epochs(workspace):
    registry = registry_config.trained_models()
    epochs = np.load("models/controlnet/things/example.npy")
    for name in ("sgdm-controlnet", "condiffusion", "structural-vae"):
        register_model(name, registry[name])
    model = mlflow.pyfunc.load_model("models:/sgdm-controlnet@challenger")
    two = np.concatenate([epochs, epochs])[:2]
    found = {arm: model.predict(two, params={"arm": arm}) for arm in ("full", "semantics_only", "zeroed_eeg")}
    assert all(pictures.shape == (2, SIDE, SIDE, 3) and pictures.dtype == np.uint8 for pictures in found.values())
    assert not np.array_equal(found["full"], found["zeroed_eeg"])
    assert np.array_equal(found["full"], model.predict(two, params={"arm": "full"}))
    tables = [pandas.read_csv(f"models/{kind}/things/curves.csv") for kind in ("controlnet", "condiffusion")]
    assert all(len(table) == 2 for table in tables)
