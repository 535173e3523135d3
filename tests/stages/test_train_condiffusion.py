"""EEG-ConDiffusion as a stage, registered, and used by the command: on a small surrogate and tiny generators."""

import json
import re
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
import yaml
from PIL import Image
from safetensors import safe_open

from components.embed_images.__main__ import main as embed
from components.ingest_images.__main__ import main as ingest
from components.train_condiffusion.__main__ import main as train
from components.train_eeg_encoder.__main__ import main as train_encoder
from eegdiffusion.commands.generate import command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.images.condiffusion.condiffusion_sampling import generate_images, load_pipeline
from eegdiffusion.images.corpora.image_files import fitted_image
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.figures.generated_figure import read_shown_images
from eegdiffusion.images.generation.generator import load_generator, weights_digest
from eegdiffusion.images.generation.image_latents import Encoding, ImageLatents, write_latents
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.previews import read_previews
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.serving.epoch_files import read_epochs
from eegdiffusion.operations.registry import registry_config
from eegdiffusion.operations.registry.registration import register_model
from eegdiffusion.surrogate.things import things_demo
from eegdiffusion.surrogate.things.things_settings import SurrogateThings
from tests import tiny_generator
from tests.e2e.workspace import ROOT, module
from tests.image_workspace import entered
from tests.stages.test_train_eeg_encoder import settings
from tests.surrogate_source import CACHE

SIZES = SurrogateThings(subjects=2, concepts=6, exemplars=4, test_concepts=4, test_repetitions=2, snr=1.5)
ROW = {"corpus": "demo", "objective": "classify", "encoder": "eegconvnet", "protocols": ["joint", "anchor"],
       "options": {"width": 24, "tokens": 8}}  # fmt: skip


def adapt(**changes) -> None:
    """Change the stage's settings."""
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["train_condiffusion"] |= changes
    Path("params.yaml").write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with entered(tmp_path_factory.mktemp("condiffusion"), registry=True) as path:
        things_demo.build("objects", path / "corpus", CACHE, SIZES)
        corpora = {"demo": {"root": "corpus", "layout": "things_eeg2_raw", "epochs": "small"}}
        settings(path, corpora, {"eegconvnet": ROW})
        document = yaml.safe_load(Path("params.yaml").read_text())
        study = {"corpus": "demo", "classifier": "eegconvnet"}
        others = study | {"protocol": "anchor", "fold": "sub-01"}
        document["condiffusion"] = {"demo": study, "light": study, "others": others}
        stage = document["train_condiffusion"]
        stage["optimisation"] |= {"max_epochs": 2, "batch_size": 8}
        stage |= {"draws": 1, "shown": 3, "sampling": {"sampler": "unipc", "steps": 2, "guidance": 2.0}}
        stage["prompt"] = "a photo of a {}"
        Path("params.yaml").write_text(yaml.safe_dump(document))
        ingest(["--corpus", "demo"])
        embed(["--corpus", "demo"])
        train_encoder(["--encoder", "eegconvnet"])
        store = EpochStore(Path("data/images/demo"))
        known = store.images["sha256"].notna().to_numpy()
        known[np.flatnonzero(store.images["split"] == "test")[:1]] = False
        user = tiny_generator.write_stable_diffusion(path / "sd15")
        generator = load_generator(tiny_generator.write_generator(Path("models/generator/demo"), user))
        side = tiny_generator.SIDE
        encoding = Encoding(store.description.fingerprint, weights_digest(generator.vae), side, generator.latent_shape)
        rows = np.flatnonzero(known)
        pictures = np.stack([fitted_image(Path(store.images["file"][row]), side) for row in rows])
        parts = [(rows, pictures, generator.encode(pictures).numpy())]
        write_latents(Path("data/image_latents/demo"), encoding, known, parts)
        train(["--study", "demo"])
        adapt(adaptation="lora", rank=2)
        for name in ("light", "others"):
            train(["--study", name])
        mlflow.set_tracking_uri(f"sqlite:///{path}/mlruns/mlflow.db")
        yield path


def facts(name: str) -> dict:
    return json.loads(Path("models/condiffusion", name, "metrics.json").read_text())


def test_trained_and_frozen_parameters_are_counted(workspace):
    generator = load_generator(Path("models/generator/demo"))
    attention = sum(p.numel() for name, p in generator.unet.named_parameters() if ".attn2." in name)
    embeddings = generator.text_encoder.embeddings.token_embedding.weight.numel()
    found = facts("demo")
    assert found["trained"]["cross_attention"] == attention
    assert found["trained"]["text_encoder"] == sum(p.numel() for p in generator.text_encoder.parameters()) - embeddings
    classes, tokens = len(found["concepts"]), 77
    by_class = classes * tokens * 32
    assert found["trained"]["projection"] == 24 * 32 + 32 + 2 * 32 + 77 * 32 + by_class
    assert found["parameters"] == sum(found["trained"].values())
    sizes = {name: sum(p.numel() for p in getattr(generator, name).parameters()) for name in ("unet", "vae")}
    assert found["frozen"]["unet"] == sizes["unet"] - attention
    assert found["frozen"]["vae"] == sizes["vae"]
    light = facts("light")
    assert light["rank"] == 2
    words = [name.partition("_")[2].replace("_", " ") for name in light["concepts"]]
    assert light["prompts"] == [f"a photo of a {word}" for word in words]
    assert light["frozen"]["unet"] == sizes["unet"]
    assert 0 < light["trained"]["cross_attention"] < attention / 2


def test_losses_are_compared_between_conditions(workspace):
    for name in ("demo", "light"):
        found = facts(name)
        for split in ("validation", "test"):
            losses = [found[f"{split}_loss{kind}"] for kind in ("", "_shuffled", "_null")]
            assert len(set(losses)) == 3, "conditions change the loss"
            assert all(0 < loss < 10 for loss in losses)
        gain = (found["test_loss_shuffled"] - found["test_loss"]) / found["test_loss_shuffled"]
        assert found["gain"] == pytest.approx(gain)
        assert found["gain_low"] <= gain <= found["gain_high"]
    assert found["epochs"] == {"train": 2 * 4 * 2, "validation": 4 * 2, "test": 4 * 2}, "averages of 4 repetitions"
    assert len(found["concepts"]) == 4
    assert found["corpus"] == "surrogate images"
    curves = pandas.read_csv("models/condiffusion/demo/curves.csv")
    assert len(curves) == 2
    assert {"train_loss", "validation_loss"} <= set(curves)


def test_a_study_may_train_on_one_subject_and_make_images_of_the_others(workspace):
    own, others = facts("demo"), facts("others")
    assert others["epochs"] == {split: count // 2 for split, count in own["epochs"].items()}
    assert others["subjects"] == {"train": ["sub-01"], "test": ["sub-02"]}


def test_only_what_was_trained_is_written(workspace):
    names = {}
    for name in ("demo", "light"):
        folder = Path("models/condiffusion", name)
        for path in folder.rglob("*.safetensors"):
            with safe_open(path, "np") as file:
                names[f"{name}/{path.relative_to(folder).parent}"] = set(file.keys())
    parts = ("projection", "text_encoder", "unet")
    assert set(names) == {f"{name}/{part}" for name in ("demo", "light") for part in parts}
    assert all(".attn2." in key for name in ("demo", "light") for key in names[f"{name}/unet"])
    assert all("lora_" in key for part in ("unet", "text_encoder") for key in names[f"light/{part}"])


def test_figures_are_drawn_into_the_run_and_not_into_the_outputs(workspace):
    reference = json.loads(Path("models/runs/condiffusion/demo/mlflow.json").read_text())
    folder = Path(mlflow.artifacts.download_artifacts(run_id=reference["run_id"], artifact_path="figures"))
    figures = {path.stem: Image.open(path).size for path in folder.glob("*.png")}
    assert set(figures) == {"curves", "samples"}
    assert all(min(size) > 200 for size in figures.values())
    assert not list(Path("models/condiffusion").rglob("*.png"))
    side = tiny_generator.SIDE
    shapes = {name: images.shape for name, images in read_previews(Path("models/condiffusion/demo")).items()}
    assert shapes == dict.fromkeys(["seen", "eeg_1", "eeg_2", "zeroed_eeg", "other_eeg"], (3, side, side, 3))


@pytest.mark.parametrize("name", ["demo", "light"])
def test_the_logged_model_makes_the_pictures_of_its_folder(workspace, name):
    reference = json.loads(Path(f"models/runs/condiffusion/{name}/mlflow.json").read_text())
    model = mlflow.pyfunc.load_model(reference["model_uri"])
    classifier = Path("models/eeg_encoders/eegconvnet/joint/all/all/seed-0")
    epochs = np.load(classifier / "example.npy")
    found = model.predict(epochs, params={"seed": 3})
    assert found.shape == (2, tiny_generator.SIDE, tiny_generator.SIDE, 3)
    assert found.dtype == np.uint8
    loaded = load_pipeline(
        Path("models/condiffusion", name), Path("models/generator/demo"), classifier / "encoder", classifier
    )
    sampling = Sampling(sampler="unipc", steps=2, guidance=2.0)
    assert np.array_equal(found, generate_images(loaded, epochs, seeds_for(2, 1, 3), sampling))
    assert not np.array_equal(found, model.predict(epochs))
    arms = {arm: model.predict(epochs, params={"seed": 3, "arm": arm}) for arm in ("zeroed_eeg", "shuffled_eeg")}
    assert np.array_equal(arms["zeroed_eeg"], model.predict(0 * epochs, params={"seed": 3}))
    assert np.array_equal(arms["shuffled_eeg"], model.predict(epochs[::-1].copy(), params={"seed": 3}))
    for params, rule in (({"arm": "other"}, "arm: must be one of"), ({"steps": 0}, "params.steps"),
                         ({"sampler": "fast"}, "params.sampler")):  # fmt: skip
        with pytest.raises(Exception, match=rule):
            model.predict(epochs, params=params)


@pytest.fixture(scope="module")
def registered(workspace):
    entry = replace(
        registry_config.read_registry(ROOT / "mlflow/registry.yaml")["condiffusion"],
        results="models/condiffusion/demo", pictures=None, metrics=["gain", "test_loss"],
    )  # fmt: skip
    version = register_model("condiffusion", entry)
    mlflow.MlflowClient().set_registered_model_alias("condiffusion", "champion", version.version)
    return version


def test_it_is_registered_with_its_card(registered):
    assert float(registered.tags["gain.mean"]) == pytest.approx(facts("demo")["gain"], abs=1e-4)
    assert registered.tags["corpus"] == "surrogate images"
    assert "Surrogate data" in registered.description
    card = Path(mlflow.artifacts.download_artifacts(f"models:/{registered.name}/{registered.version}/model_card"))
    assert {path.stem for path in (card / "figures").iterdir()} >= {"samples", "learning_curves"}


def test_the_command_makes_pictures_of_a_file_of_epochs(workspace, registered):
    epochs = np.load("models/eeg_encoders/eegconvnet/joint/all/all/seed-0/example.npy")
    np.save("epochs.npy", epochs)
    latents = ImageLatents(
        Path("data/image_latents/demo"), EpochStore(Path("data/images/demo")).description.fingerprint
    )
    seen = Path("seen")
    seen.mkdir()
    for k in range(2):
        Image.fromarray(latents.images[k]).save(seen / f"{k}.png")
    words = ["--out", "made", "--seed", "4", "--samples", "2", "--seen", "seen"]
    (workspace / "dvc.yaml").symlink_to(ROOT / "dvc.yaml")  # a clone, whose registry the model's name is looked up in
    done = module(workspace, "generate", "epochs.npy", *words)
    assert "4 pictures of 16 x 16 pixels" in done.stdout
    array = np.load("made/pictures.npy")
    model = mlflow.pyfunc.load_model("models:/condiffusion@champion")
    for sample in range(2):
        found = model.predict(epochs, params={"seed": 4 + sample})
        # Another number of threads may round a pixel the other way.
        assert np.abs(array[:, sample].astype(int) - found).max() <= 1
    assert np.array_equal(np.asarray(Image.open("made/0001-1.png")), array[1, 1])
    assert min(Image.open("made/figure.png").size) > 250
    np.save("epochs.npy", epochs[:, :-1])
    with pytest.raises(InputError, match=r"epochs\.npy: shape: must be"):
        command.main(["epochs.npy", "--out", "no"], standalone_mode=False)
    assert not Path("no").exists()


SCALED = EpochInput(100.0, 50, None, [0.0] * 4, [2.0] * 4)
GOOD = 2 * np.random.default_rng(0).standard_normal((3, 4, 50))


def _nan(epochs):
    epochs[1, 0, 3] = np.nan
    return epochs


def _flat(epochs):
    epochs[2] = 1
    return epochs


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (GOOD[0], "shape: must be (epochs, 4, 50), as in training (found (4, 50))"),
        (GOOD[:, :3], "shape: must be (epochs, 4, 50)"),
        (GOOD[:0], "shape: must be (epochs, 4, 50)"),
        (_nan(GOOD.copy()), "samples: must be finite (found NaN or infinity in epochs 1)"),
        (_flat(GOOD.copy()), "samples: must not be constant at all electrodes (found epochs 2)"),
        (GOOD * 1e-6, "unit: the electrodes' median standard deviation must be 0.02 to 5 times that of training"),
        (GOOD * 40, "(found 39"),
        (GOOD.astype(str), "must be a .npy file of real numbers"),
        (GOOD.astype(object), "must be a .npy file of numbers"),
    ],
)
def test_epochs_that_cannot_be_used_are_refused(tmp_path, values, rule):
    np.save(tmp_path / "epochs.npy", values)
    with pytest.raises(InputError, match=re.escape(rule)):
        read_epochs(tmp_path / "epochs.npy", (4, 50), SCALED)


def test_epochs_and_seen_pictures_are_read(tmp_path):
    np.save(tmp_path / "epochs.npy", GOOD)
    assert np.allclose(read_epochs(tmp_path / "epochs.npy", (4, 50), SCALED), GOOD)
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(InputError, match=r"text\.npy: file: must be a \.npy file of numbers"):
        read_epochs(tmp_path / "text.npy", (4, 50), SCALED)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), np.uint8)
    np.save(tmp_path / "seen.npy", pictures)
    assert read_shown_images(tmp_path / "seen.npy", 3, 8).shape == (3, 8, 8, 3)
    with pytest.raises(InputError, match=r"a picture for each of the 2 epochs \(found 3\)"):
        read_shown_images(tmp_path / "seen.npy", 2, 8)
    np.save(tmp_path / "grey.npy", pictures[..., 0])
    with pytest.raises(InputError, match="uint8"):
        read_shown_images(tmp_path / "grey.npy", 3, 8)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"adaptation": "some"}, "train_condiffusion.adaptation"),
        ({"rank": 0}, "train_condiffusion.rank"),
        ({"sampling": {"sampler": "unipc", "steps": 0, "guidance": 1.0}}, "train_condiffusion.sampling.steps"),
    ],
)
def test_bad_settings_are_refused(workspace, capsys, change, rule):
    before = Path("params.yaml").read_text()
    adapt(**change)
    try:
        with pytest.raises(SystemExit) as stop:
            train(["--study", "demo"])
    finally:
        Path("params.yaml").write_text(before)
    assert stop.value.code == 65
    assert rule in capsys.readouterr().err
    assert Path("models/condiffusion/demo/metrics.json").exists()
