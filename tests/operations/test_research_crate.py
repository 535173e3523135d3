"""A run as an RO-Crate: what RO-Crate 1.1 and the profiles of workflow runs ask for, over a graph that DVC has run."""

import csv
import hashlib
import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from eegdiffusion.commands.crate import command
from eegdiffusion.core.runtime.errors import InputError
from tests.dvc_clone import RECORDINGS, make_clone, run
from tests.e2e.workspace import ROOT

pytestmark = pytest.mark.service

METADATA = "ro-crate-metadata.json"
OUTSIDE = ("https://", "http://")


@pytest.fixture(scope="module")
def finished(make_once):
    return make_once("lineage-clone", make_clone)


@pytest.fixture
def clone(finished, tmp_path):
    """A copy of the finished clone with code that is committed, terms and settings; the tests' working folder."""
    path = shutil.copytree(finished, tmp_path / "clone", symlinks=True)
    for name in ("CITATION.cff", "LICENSE"):
        shutil.copy(ROOT / name, path / name)
    shutil.copytree(ROOT / "mlflow", path / "mlflow")
    (path / "eegdiffusion").mkdir()
    (path / "eegdiffusion/code.py").write_text("x = 1\n")
    (path / "params.yaml").write_text("finetune_lft: {}\n")
    run(path, "git", "add", "-A")
    run(path, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "start")
    with chdir(path):
        yield path


def crate(*words):
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def entities(folder):
    document = json.loads((folder / METADATA).read_text())
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    graph = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(graph) == len(document["@graph"])
    return graph


def references(value):
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def validate(folder):
    """Hold a crate against RO-Crate 1.1 and the profiles Process, Workflow and Workflow Run Crate."""
    graph = entities(folder)
    descriptor = graph[METADATA]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = graph["./"]
    assert root["@type"] == "Dataset"
    assert not [name for name in ("name", "description", "datePublished", "license") if not root.get(name)]
    for identity, entity in graph.items():
        assert entity["@type"]
        for reference in references({key: value for key, value in entity.items() if key != "@id"}):
            assert reference in graph or (identity == METADATA and reference.startswith(OUTSIDE)), (identity, reference)
    files = {name: entity for name, entity in graph.items() if "File" in (entity["@type"], *entity["@type"])}
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {METADATA}
    assert set(files) == on_disk == {part["@id"] for part in root["hasPart"]}
    for name, entity in files.items():
        content = (folder / name).read_bytes()
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))
    workflow = graph[root["mainEntity"]["@id"]]
    assert set(workflow["@type"]) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert graph[workflow["programmingLanguage"]["@id"]]["name"] == "DVC"
    profiles = {profile["@id"] for profile in root["conformsTo"]}
    assert {"https://w3id.org/ro/wfrun/process/0.5", "https://w3id.org/ro/wfrun/workflow/0.5"} < profiles
    actions = [graph[mention["@id"]] for mention in root["mentions"]]
    assert [action for action in actions if action["instrument"] == {"@id": root["mainEntity"]["@id"]}]
    for action in actions:
        assert action["@type"] == "CreateAction"
        assert action["object"]
        assert action["result"]
    return graph


def test_a_crate_is_valid_and_has_all_that_a_paper_needs(clone, tmp_path):
    crate(str(tmp_path / "paper"))
    graph = validate(tmp_path / "paper")
    metrics = [
        f"models/lft/{labels}/seed-{seed}/metrics.json" for labels in ("recorded", "shuffled") for seed in (0, 1)
    ]
    expected = {"dvc.yaml", "dvc.lock", "params.yaml", "LICENSE", "CITATION.cff", "recordings.csv", *metrics}
    assert expected | {"reports/metrics.json"} <= set(graph)
    revision = run(clone, "git", "rev-parse", "HEAD").strip()
    assert graph["dvc.yaml"]["version"].startswith(revision)
    assert graph["./"]["license"] == {"@id": "https://spdx.org/licenses/Apache-2.0"}


def test_actions_are_the_stages_of_the_lock_with_all_that_they_read_and_wrote(clone, tmp_path):
    crate(str(tmp_path / "paper"))
    graph = entities(tmp_path / "paper")
    lock = yaml.safe_load(Path("dvc.lock").read_text())["stages"]
    actions = {name.removeprefix("#action-"): entity for name, entity in graph.items() if name.startswith("#action-")}
    assert set(actions) == set(lock)
    for name, stage in lock.items():
        for key, side in (("deps", "object"), ("outs", "result")):
            data = {graph[reference["@id"]]["md5"] for reference in actions[name][side] if "#data-" in reference["@id"]}
            assert data == {path["md5"] for path in stage[key]}


def test_recordings_are_there_by_hash_and_not_by_name(clone, tmp_path):
    crate(str(tmp_path / "paper"))
    rows = list(csv.DictReader((tmp_path / "paper/recordings.csv").open()))
    hashes = {
        hashlib.sha256((clone / "corpus" / name).read_bytes()).hexdigest(): split for name, split in RECORDINGS.items()
    }
    assert {row["sha256"]: row["split"] for row in rows} == hashes
    everything = b"".join(path.read_bytes() for path in (tmp_path / "paper").rglob("*") if path.is_file())
    assert not [name for name in RECORDINGS if Path(name).stem.encode() in everything]


def test_a_crate_of_one_result_has_its_stages_alone_and_weights_where_asked(clone, tmp_path):
    graph = yaml.safe_load(Path("dvc.yaml").read_text())
    graph["stages"]["finetune_lft"]["cmd"] += (
        " && echo 1 > models/lft/${item.labels}/seed-${item.seed}/model.safetensors"
    )
    Path("dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    run(clone, "dvc", "repro", "-q", "finetune_lft@recorded-0")
    crate(str(tmp_path / "small"), "--of", "models/lft/recorded/seed-0")
    crate(str(tmp_path / "large"), "--of", "models/lft/recorded/seed-0", "--with-models")
    small, large = validate(tmp_path / "small"), validate(tmp_path / "large")
    weights = "models/lft/recorded/seed-0/model.safetensors"
    assert weights not in small
    assert weights in large
    assert {name for name in small if name.startswith("#action-")} == {
        "#action-ingest_events@mini", "#action-preprocess_events@mini", "#action-finetune_lft@recorded-0"
    }  # fmt: skip
    # dvc.yaml differs from the commit, so that what was not committed goes with it.
    assert b"model.safetensors" in (tmp_path / "small/uncommitted.patch").read_bytes()


def test_a_folder_that_holds_something_is_left_alone(clone, tmp_path):
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="must be new or an empty folder"):
        crate(str(tmp_path / "paper"))
    assert [path.name for path in (tmp_path / "paper").iterdir()] == ["mine.txt"]
