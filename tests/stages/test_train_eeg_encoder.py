"""Encoders of EEG trained as stages, on a small surrogate whose responses are strong, and on EEGCVPR40's layout."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
import torch
import yaml
from PIL import Image

from components.embed_images.__main__ import main as embed
from components.ingest_images.__main__ import main as ingest
from components.train_eeg_encoder.__main__ import main as train
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.statistics.retrieval import top_k
from eegdiffusion.images.encoders.eeg_semantics import load_aligned
from eegdiffusion.images.encoders.encoder_inspection import EncoderInspection
from eegdiffusion.images.encoders.encoder_settings import EncoderExperiment
from eegdiffusion.images.encoders.protocol_choices import select
from eegdiffusion.images.encoders.registry import load_encoder
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_targets import load_layers
from eegdiffusion.images.figures.encoder_figures import draw_encoder
from eegdiffusion.report.encoder_runs import read_encoder_corpora
from eegdiffusion.report.encoder_sections import flat_encoder_metrics, pairing_controls
from eegdiffusion.report.protocol_sheet_tables import combination_table, inflation_table
from eegdiffusion.surrogate.things import things_demo
from eegdiffusion.surrogate.things.things_settings import SurrogateThings
from tests.e2e.workspace import ROOT
from tests.image_workspace import commit, entered, link_packages
from tests.surrogate_source import CACHE
from tests.things_fixture import write_eegcvpr40

SIZES = SurrogateThings(subjects=2, concepts=40, exemplars=3, test_concepts=20, test_repetitions=3, snr=1.5)
ROWS = {
    "ridge": {"objective": "align", "encoder": "ridge", "protocols": ["within", "leave_one_out"],
              "bands": [None, [5.0, 40.0]]},
    "linear": {"objective": "align", "encoder": "ridge", "protocols": ["joint"], "protocol_sheet": True},
    "aligned": {"objective": "align", "encoder": "spatiotemporal", "protocols": ["joint"], "subject_layers": True,
                "options": {"hidden": 16, "layers": 1, "step": 8, "filters": 16, "kernels": [5, 15]}},
    "permuted": {"objective": "align", "encoder": "ridge", "protocols": ["joint"], "pairs": "permuted",
                 "trainings": 8},
    "eegnet": {"objective": "classify", "encoder": "eegnet", "protocols": ["joint"]},
    "mixed": {"objective": "align", "encoder": "ridge", "protocols": ["joint"], "layer": ["stage5", "output"],
              "register": False},
    "routed": {"objective": "align", "encoder": "graph", "protocols": ["joint"], "layer": ["output", "stage5"],
               "route_subjects": True, "register": False,
               "options": {"width": 16, "heads": 2, "layers": 1, "filters": 4, "parts": 5}},
}  # fmt: skip


def settings(path: Path, corpora: dict, rows: dict, classes: int | None = 4) -> None:
    """Write ``params.yaml`` with these corpora and rows, small and quick."""
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    document["matrix"]["seeds"] = [0]
    document["image_corpora"], document["eeg_encoders"] = corpora, rows
    document["epochs"]["small"] = document["epochs"]["official"] | {"rate_hz": 125.0, "keep_from_s": 0.0}
    document["ingest_images"]["validation_fraction"] = 0.15
    document["embed_images"]["layers"] = ["stage5"]
    study = document["train_eeg_encoder"]
    study["align"]["optimisation"] |= {"max_epochs": 12, "patience": 12, "batch_size": 64}
    study["align"]["optimisation"]["ema"]["beta"] = 0.9
    study["align"]["average"] = 2
    study["classify"]["classes"] = classes
    study["classify"]["optimisation"] |= {"max_epochs": 3, "batch_size": 8}
    (path / "params.yaml").write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with entered(tmp_path_factory.mktemp("encoders")) as path:
        things_demo.build("objects", path / "corpus", CACHE, SIZES)
        corpora = {"demo": {"root": "corpus", "layout": "things_eeg2_raw", "epochs": "small"}}
        settings(path, corpora, {name: row | {"corpus": "demo"} for name, row in ROWS.items()})
        ingest(["--corpus", "demo"])
        embed(["--corpus", "demo"])
        for row in ROWS:
            train(["--encoder", row])
        yield path


@pytest.fixture
def corpus(workspace):
    rows = {name: validate(row | {"corpus": "demo"}, EncoderExperiment, name) for name, row in ROWS.items()}
    (found,) = read_encoder_corpora(workspace / "models/eeg_encoders", rows, [0])
    return found


def facts(workspace, place: str) -> dict:
    return json.loads((workspace / "models/eeg_encoders" / place / "seed-0/metrics.json").read_text())


def test_every_protocol_band_and_fold_is_trained(workspace):
    folder = workspace / "models/eeg_encoders"
    found = {path.relative_to(folder).parent.parent.as_posix() for path in folder.rglob("metrics.json")}
    bands = ["all", "5-40Hz"]
    assert found == {
        *(f"ridge/{p}/{band}/sub-0{k}" for p in ("within", "leave_one_out") for band in bands for k in (1, 2)),
        *(f"{name}/joint/all/all" for name in ("aligned", "linear", "permuted", "eegnet", "mixed", "routed")),
    }  # fmt: skip
    within, across = (facts(workspace, f"ridge/{p}/all/sub-01") for p in ("within", "leave_one_out"))
    assert within["fold"] == {"name": "sub-01", "train": ["sub-01"], "test": ["sub-01"]}
    assert across["fold"] == {"name": "sub-01", "train": ["sub-02"], "test": ["sub-01"]}
    assert within["split_hash"] == across["split_hash"]
    assert within["corpus"] == "surrogate images"
    assert within["images"] == 20
    assert within["repetitions"] == 12
    assert within["seed"] == 0


def test_images_of_unseen_concepts_are_retrieved_and_not_by_the_control(workspace, corpus):
    studies = {(study.name, study.protocol, study.band): study for study in corpus.aligned}
    chance = 1 / 20
    for key in (("ridge", "within", None), *((name, "joint", None) for name in ("aligned", "mixed", "routed"))):
        score = studies[key].retrieval(20, 1)
        assert score.mean > 3 * chance, (key, score)
        assert score.low > chance, (key, score)
    (control,) = pairing_controls(corpus)
    assert control.trainings == 8
    assert control.candidates == 20
    assert control.at_chance
    assert control.top1.mean < 2 * chance
    assert [one.p for one in control.compared] == [pytest.approx(1 / 9)]
    train_concepts = set(EpochStore(workspace / "data/images/demo").index.query("split == 'train'")["concept"])
    shown = EpochStore(workspace / "data/images/demo").images.query("split == 'test'")["concept"]
    assert not train_concepts & set(shown)


def test_mixtures_are_trained_with_the_layers_that_are_named(workspace, corpus):
    for name, layers in (("mixed", ["stage5", "output"]), ("routed", ["output", "stage5"])):
        found = facts(workspace, f"{name}/joint/all/all")
        assert found["layers"] == layers
        assert sum(found["layer_weights"]) == pytest.approx(1)
        assert found["layer_weights"] != pytest.approx([0.5, 0.5], abs=1e-3), "they are learned"
        folder = workspace / f"models/eeg_encoders/{name}/joint/all/all/seed-0"
        assert load_layers(folder / "target.safetensors") == layers
        with pytest.raises(InputError, match="layer: must be output, which generators take"):
            load_aligned(folder, torch.zeros(4, 448 + 1280))
    assert load_encoder(folder / "encoder").layer_mixture.offsets.abs().max() > 0, "each subject has learned its own"
    assert facts(workspace, "aligned/joint/all/all")["layers"] == ["output"]
    labels = {study.label for study in corpus.aligned}
    assert {"aligned", "mixed (layer stage5 + output)", "permuted (permuted pairs)"} <= labels


def test_the_protocol_sheet_says_what_each_choice_gives(workspace, corpus):
    (result,) = (study for study in corpus.aligned if study.sheet is not None)
    sheet = result.sheet
    assert set(sheet["layer"]) == {"stage5", "output"}
    assert set(sheet["electrodes"]) == {17}, "all that the entry of epochs keeps are parietal and occipital"
    assert sorted(set(sheet["repetitions"])) == [1, 4, 12]
    plain = {"electrodes": 17, "repetitions": 12, "inference": "inductive", "layer": "output"}
    for subject in ("sub-01", "sub-02"):
        alpha = facts(workspace, f"ridge/within/all/{subject}")["alpha"]
        rows = select(sheet[sheet["subject"] == subject], plain)
        assert rows["hit"].mean() == pytest.approx(facts(workspace, f"ridge/within/all/{subject}")["top1"])
        assert set(rows["alpha"]) == {alpha}
    table = inflation_table(sheet)
    score = table["top-1, % (interval)"].str.split(" ").str[0].astype(float).to_numpy()
    assert table["protocol"].str.contains("leaky").sum() == 2
    leaky = table["protocol"].str.contains("chosen on the test images$").to_numpy()
    assert score[leaky] >= score[0], "the test cannot choose worse by itself than validation does"
    assert table["protocol"].str.contains("1 repetition averaged").any()
    assert len(combination_table(sheet)) == 2


def test_more_repetitions_retrieve_more(corpus):
    curve = next(study for study in corpus.aligned if study.name == "ridge" and study.band is None).repetition_curve()
    assert curve["repetitions"].tolist() == [1, 2, 5, 10, 12]
    assert curve["top1"].iloc[-1] > curve["top1"].iloc[0]
    assert ((curve["top1_low"] <= curve["top1"]) & (curve["top1"] <= curve["top1_high"])).all()


def test_the_metrics_are_those_of_the_ranks(workspace):
    for place in ("ridge/within/all/sub-02", "aligned/joint/all/all"):
        found = facts(workspace, place)
        ranks = pandas.read_parquet(workspace / "models/eeg_encoders" / place / "seed-0/ranks.parquet")
        whole = ranks[ranks["repetitions"] == 12]
        assert len(whole) == 20 * len(found["fold"]["test"])
        assert found["top1"] == pytest.approx((whole["rank"] == 0).mean())
        assert found["top5"] == pytest.approx(top_k(whole["rank"].to_numpy(), 20, 20, 5).mean())


def test_the_logged_models_predict_what_the_stage_did(workspace):
    mlflow.set_tracking_uri(f"sqlite:///{workspace}/mlruns/mlflow.db")
    for row, outputs in (("aligned", 1280), ("eegnet", 4)):
        reference = json.loads((workspace / f"models/runs/eeg_encoders/{row}/mlflow.json").read_text())
        folder = workspace / reference["folder"]
        model = mlflow.pyfunc.load_model(reference["model_uri"])
        epochs = np.load(folder / "example.npy")
        found = model.predict(epochs)
        assert found.shape == (2, outputs)
        with torch.inference_mode():
            encoder = load_encoder(folder / "encoder")
            plain = encoder(torch.from_numpy(EpochInput.load(folder)(epochs).astype(np.float32)))
        if row == "eegnet":
            assert np.allclose(found, plain.softmax(-1), atol=1e-5)
            assert np.allclose(found.sum(1), 1, atol=1e-5)
        else:
            assert not np.allclose(found, plain)
            assert np.allclose((found - plain.numpy()).std(0), 0, atol=1e-4)
    run = mlflow.get_run(reference["run_id"])
    assert run.data.tags["corpus"] == "surrogate images"
    assert "joint.all.all.accuracy" in run.data.metrics
    assert {item.dataset.name for item in run.inputs.dataset_inputs} == {
        "surrogate images epochs", "surrogate images image features",
    }  # fmt: skip


def test_the_model_is_inspected_and_drawn_from_what_is_stored(workspace):
    (path,) = (workspace / "models/eeg_encoders/aligned").rglob("inspection.npz")
    inspection, store = EncoderInspection.load(path.parent), EpochStore(workspace / "data/images/demo")
    assert inspection.seen.shape == (6, 128, 128, 3)
    assert inspection.retrieved.shape == (6, 5, 128, 128, 3)
    assert inspection.evoked.shape == store.shape
    assert inspection.importance.shape == store.shape[:1]
    assert inspection.right.sum(1).max() <= 1  # an image is retrieved once
    for row, place in zip(*np.nonzero(inspection.right), strict=True):
        assert np.array_equal(inspection.retrieved[row, place], inspection.seen[row])
    assert set(inspection.concepts) <= {
        name.lstrip("0123456789_").replace("_", " ") for name in store.images["concept"]
    }
    assert np.abs(inspection.importance).max() > 0
    assert inspection.by_window.shape == (len(inspection.windows), store.shape[0] + 1)
    assert inspection.bands.tolist() == [[1, 4], [4, 8], [8, 13], [13, 30]], "those below half of 125 Hz"
    assert inspection.by_band.shape == (4, store.shape[0] + 1)
    middle = inspection.windows.mean(1)
    answered = (middle > 0.1) & (middle < 0.4)
    assert inspection.by_window[answered, -1].max() > 2 * np.abs(inspection.by_window[middle > 0.6, -1]).max()
    assert inspection.channels.tolist() == store.description.channels
    sizes = {}
    for name, figure in draw_encoder(path.parent).items():
        figure.savefig(workspace / "figure.png")
        sizes[name] = Image.open(workspace / "figure.png").size
    assert set(sizes) == {"retrieved", "evoked", "importance", "saliency"}
    assert all(min(size) > 300 for size in sizes.values())
    assert not draw_encoder(workspace / "models/eeg_encoders/permuted/joint/all/all/seed-0"), "it is a control"
    run_id = json.loads((workspace / "models/runs/eeg_encoders/aligned/mlflow.json").read_text())["run_id"]
    mlflow.set_tracking_uri(f"sqlite:///{workspace}/mlruns/mlflow.db")
    logged = {file.path for file in mlflow.MlflowClient().list_artifacts(run_id, "figures")}
    assert logged == {f"figures/{name}.png" for name in sizes}
    assert not list((workspace / "models/eeg_encoders").rglob("*.png")), "figures are not outputs"


def test_flat_metrics(corpus):
    found = flat_encoder_metrics([corpus])
    assert found["eeg_aligned_joint_corpus"] == "surrogate images"
    assert found["eeg_aligned_joint_candidates"] == 20
    assert found["eeg_ridge_within_5_40Hz_top1_low"] <= found["eeg_ridge_within_5_40Hz_top1"]
    assert {"eeg_eegnet_joint_accuracy", "eeg_eegnet_joint_cohen_kappa"} <= found.keys()


def test_eegcvpr40_is_classified_without_its_images_and_warns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_eegcvpr40(tmp_path / "corpus", legacy=False)
    files = {"signals": "eeg_5_95_std.pth", "splits": "block_splits_by_image_all.pth"}
    corpora = {"one": {"root": "corpus", "layout": "eegcvpr40", "epochs": "eegcvpr40", "eegcvpr40": files}}
    row = {"corpus": "one", "objective": "classify", "encoder": "lstm", "protocols": ["joint"],
           "options": {"hidden": 4, "width": 4}}  # fmt: skip
    settings(tmp_path, corpora, {"lstm": row, "no": row | {"objective": "align"}}, classes=None)
    link_packages(tmp_path)
    commit(tmp_path)
    ingest(["--corpus", "one"])
    embed(["--corpus", "one"])
    train(["--encoder", "lstm"])
    assert "WARNING" in capsys.readouterr().out
    found = facts(tmp_path, "lstm/joint/all/all")
    assert found["warnings"]
    assert "block" in found["warnings"][0]
    assert 0 <= found["accuracy"] <= 1
    with pytest.raises(SystemExit) as stop:
        train(["--encoder", "no"])
    assert stop.value.code == 65
    assert "has no images to align with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"encoder": "other"}, "encoder: must be one of"),
        ({"options": {"deep": 3}}, "options: must be among"),
        ({"subjects": ["sub-09"]}, "subjects: must be among sub-01, sub-02"),
        ({"bands": [[5.0, 95.0]]}, "half the sampling rate, 62.5 Hz"),
        ({"encoder": "ridge", "objective": "classify"}, "objective must be align"),
        ({"protocols": ["all"]}, "eeg_encoders.bad.protocols.0"),
        ({"layer": "stage4"}, "layer, of the corpus demo: must be among stage5, output"),
        ({"layer": ["stage5", "stage5"]}, "several distinct ones"),
        ({"layer": []}, "layer must be one layer"),
        ({"protocol_sheet": True}, "protocol_sheet is of the encoder ridge"),
        ({"route_subjects": True}, "route_subjects needs a mixture of layers"),
        ({"layer": "stage5", "objective": "classify"}, "which objective classify are not"),
    ],
)
def test_bad_rows_are_refused(workspace, capsys, change, rule):
    before = (workspace / "params.yaml").read_text()
    document = yaml.safe_load(before)
    document["eeg_encoders"]["bad"] = ROWS["aligned"] | {"corpus": "demo"} | change
    (workspace / "params.yaml").write_text(yaml.safe_dump(document))
    try:
        with pytest.raises(SystemExit) as stop:
            train(["--encoder", "bad"])
    finally:
        (workspace / "params.yaml").write_text(before)
    assert stop.value.code == 65
    assert rule in capsys.readouterr().err
