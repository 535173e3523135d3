"""The whole branch that makes images from EEG, tiny: generator, structural VAE, ControlNet, reconstruction."""

import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
import torch
import yaml

from components.embed_images.__main__ import main as embed
from components.ingest_images.__main__ import main as ingest
from components.prepare_generator.__main__ import main as prepare
from components.reconstruct.__main__ import main as reconstruct
from components.train_condiffusion.__main__ import main as train_condiffusion
from components.train_controlnet.__main__ import main as train_controlnet
from components.train_eeg_encoder.__main__ import main as train_encoder
from components.train_structural_vae.__main__ import main as train_vae
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora.image_files import fitted_image
from eegdiffusion.images.encoders.trained_classifier import open_classifier
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.figures.model_figures import draw_model
from eegdiffusion.images.generation.generator import load_generator, weights_digest
from eegdiffusion.images.generation.generator_images import generator_training_images, held_out_images, image_file
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.generation.previews import read_previews
from eegdiffusion.images.metrics.reconstruction_scores import read_scores
from eegdiffusion.images.metrics.reconstructions import read_reconstructions
from eegdiffusion.images.sgdm.sgdm import load_sgdm
from eegdiffusion.operations.registry import registry_config
from eegdiffusion.operations.registry.registration import register_model
from eegdiffusion.surrogate.things import things_demo
from eegdiffusion.surrogate.things.things_settings import SurrogateThings
from tests.e2e.workspace import module
from tests.image_workspace import entered
from tests.stages.test_train_eeg_encoder import settings
from tests.surrogate_source import CACHE

SIZES = SurrogateThings(
    subjects=2, concepts=8, exemplars=4, test_concepts=4, test_repetitions=2, snr=1.5, pictures=12
)  # fmt: skip
ROWS = {
    "aligned": {"objective": "align", "encoder": "ridge", "protocols": ["joint"]},
    "eegconvnet": {"objective": "classify", "encoder": "eegconvnet", "protocols": ["joint"],
                   "options": {"width": 24, "tokens": 8}},
}  # fmt: skip
GENERATION = {"corpus": "things", "semantics": "aligned", "classifier": "eegconvnet", "pictures": "collection"}
SIDE = 16
QUICK = {"sampler": "unipc", "steps": 2, "guidance": 2.0}


def small(document: dict) -> None:
    """Make every stage of the branch tiny."""
    document["image_generation"] = {"things": GENERATION}
    document["embed_images"]["structure_size"] = SIDE
    generator = document["prepare_generator"]
    generator["image_size"] = SIDE
    generator["autoencoder"] |= {"widths": [8, 8], "groups": 4}
    generator["network"] |= {"widths": [16, 16], "groups": 4, "head_width": 8}
    generator["text_encoder"] = {"layers": 1, "heads": 2, "width": 16, "tokens": 8}
    vae = document["train_structural_vae"]
    vae["vae"]["network"] = {"latent_size": 4, "widths": [8, 8]}
    document["train_condiffusion"] |= {"draws": 1, "shown": 2, "sampling": QUICK}
    document["train_controlnet"] |= {"draws": 1, "shown": 2, "sampling": QUICK}
    document["reconstruct"] |= {"samples": 2, "sampling": QUICK}
    for stage in (
        generator["autoencoder"], generator["network"], vae["vae"], document["train_condiffusion"],
        document["train_controlnet"],
    ):  # fmt: skip
        stage["optimisation"] |= {"max_epochs": 2, "batch_size": 8}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with entered(tmp_path_factory.mktemp("images"), registry=True) as path:
        for stimuli, folder in (("objects", "corpus"), ("collection", "collection")):
            things_demo.build(stimuli, path / folder, CACHE, SIZES)
        corpora = {"things": {"root": "corpus", "layout": "things_eeg2_raw", "epochs": "small"}}
        settings(path, corpora, {name: row | {"corpus": "things"} for name, row in ROWS.items()})
        document = yaml.safe_load(Path("params.yaml").read_text())
        small(document)
        Path("params.yaml").write_text(yaml.safe_dump(document))
        ingest(["--corpus", "things"])
        embed(["--corpus", "things"])
        for row in ROWS:
            train_encoder(["--encoder", row])
        for stage in (prepare, train_vae, train_controlnet, train_condiffusion, reconstruct):
            stage(["--generation", "things"])
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
    train = (store.images["split"] == "train").to_numpy()
    assert 0.3 < found.latents[train].std() < 3
    with pytest.raises(InputError, match="store: must be 'other'"):
        ImageLatents(Path("data/image_latents/things"), "other")


def test_a_small_generator_knows_no_picture_that_tests_or_validates(store, tmp_path):
    held = store.images[held_out_images(store.images)]
    assert (store.images["split"] != "train").sum() < len(held) < len(store.images)
    known = store.images["sha256"].notna().to_numpy()
    classifier = open_classifier(Path("models/eeg_encoders/eegconvnet/joint/all/all/seed-0"), store, known)
    assert set(np.flatnonzero(classifier.pairs.split == "test")) <= set(held.index)
    for k, file in enumerate(held["file"]):
        shutil.copy(file, tmp_path / f"{k}.jpg")
    (tmp_path / "other.jpg").write_bytes(next(Path("collection").glob("*.jpg")).read_bytes())

    class Features:
        features = np.zeros((len(store.images), 1280), np.float32)

    pictures, found = generator_training_images(
        tmp_path, store.images, Features(), SIDE, ("efficientnet_lite0", None, False), torch.device("cpu")
    )
    assert len(pictures) == len(found) == len(store.images) - len(held) + 1


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
    assert facts["parameters"] == sum(p.numel() for p in sgdm.controlnet.parameters())
    taps = [block.weight.abs().max() for block in sgdm.controlnet.controlnet_down_blocks]
    assert max(taps) > 0, "the taps began at zero and were trained"
    assert facts["gain_low"] <= facts["gain"] <= facts["gain_high"]


def test_figures_are_drawn_from_stored_arrays(workspace):
    assert not list(Path("models").glob("[!e]*/things/**/*.png")), "no figure is an output"
    wanted = {
        "generator": ("prepare_generator", {"generator", "curves"}),
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
    folder = Path("data/reconstructions/things")
    latents = ImageLatents(Path("data/image_latents/things"), store.description.fingerprint)
    sgdm, condiffusion = read_reconstructions(folder / "sgdm"), read_reconstructions(folder / "condiffusion")
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


def test_scores_are_of_these_pictures(workspace):
    for system, full in (("sgdm", "full"), ("condiffusion", "condiffusion")):
        folder = Path("data/reconstructions/things", system)
        scores, pictures = read_scores(folder), read_reconstructions(folder)
        assert set(scores.arms) == set(pictures.arms)
        assert scores.context.corpus == "surrogate images"
        assert scores.context.repetitions > 1
        flat = pictures.arms[full][0, 0].reshape(-1), pictures.seen[0].reshape(-1)
        item = pictures.items.iloc[0]
        values = scores.values.query("metric == 'pixcorr' and sample == 0 and arm == @full")
        value = values[(values["subject"] == item["subject"]) & (values["image"] == item["image"])]["value"].item()
        assert value == pytest.approx(np.corrcoef(*map(np.float64, flat))[0, 1], abs=0.1)


def test_two_processes_train_a_controlnet_as_one_does(workspace, tmp_path):
    shutil.copytree(workspace, tmp_path / "two", symlinks=True)
    document = yaml.safe_load((tmp_path / "two/params.yaml").read_text())
    document["hardware"]["devices"] = 2
    (tmp_path / "two/params.yaml").write_text(yaml.safe_dump(document))
    shutil.rmtree(tmp_path / "two/models/controlnet")
    module(tmp_path / "two", "train_controlnet", "--generation", "things")
    one, two = (pandas.read_csv(path / "models/controlnet/things/curves.csv") for path in (workspace, tmp_path / "two"))
    for name in ("train_loss", "validation_loss"):
        assert np.allclose(one[name], two[name], rtol=2e-4), name


def test_the_registered_models_make_pictures_from_epochs(workspace):
    registry = registry_config.read_registry(Path("mlflow/registry.yaml"))
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
