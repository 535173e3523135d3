"""From a number to the SHA-256 of each recording behind it, over a graph that DVC itself has run."""

import hashlib
import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from eegdiffusion.commands.lineage import command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.lineage.cached_outputs import CachedOutputs, folder_hash
from eegdiffusion.operations.lineage.locked_graph import read_locked_graph
from eegdiffusion.operations.lineage.workspace_graph import open_workspace_graph
from eegdiffusion.report.metric_outputs import outputs_of_metric
from tests.dvc_clone import RECORDINGS, make_clone, run

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def finished(make_once):
    return make_once("lineage-clone", make_clone)


@pytest.fixture
def clone(finished, tmp_path):
    """A copy of the finished clone, where a test may change things; the tests' working folder."""
    path = shutil.copytree(finished, tmp_path / "clone", symlinks=True)
    with chdir(path):
        yield path


def lineage(*words):
    """Run the command in this process; return what it prints, as a document where that is asked for."""
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in words else result.stdout


def true_hashes(clone):
    return {name: hashlib.sha256((clone / "corpus" / name).read_bytes()).hexdigest() for name in RECORDINGS}


@pytest.mark.parametrize(
    ("target", "stages"),
    [
        ("lft_cohen_kappa_mean", {"finetune_lft@recorded-0", "finetune_lft@recorded-1"}),
        ("lft_shuffled_labels_cohen_kappa_mean", {"finetune_lft@shuffled-0", "finetune_lft@shuffled-1"}),
        ("models/lft/recorded/seed-1/metrics.json:cohen_kappa", {"finetune_lft@recorded-1"}),
        ("models/lft/recorded/seed-0", {"finetune_lft@recorded-0"}),
        ("data/events/mini_store/a/x", {"preprocess_events@mini"}),
        ("reports/metrics.json", {"report"}),
    ],
)
def test_every_kind_of_target_leads_to_the_recordings(clone, target, stages):
    document = lineage(target, "--json")
    assert {output["stage"] for output in document["outputs"]} == stages
    (corpus,) = document["corpora"]
    assert {row["path"]: row["sha256"] for row in corpus["recordings"]} == true_hashes(clone)
    assert {row["path"]: row["split"] for row in corpus["recordings"]} == RECORDINGS
    assert corpus["root"] == "corpus"
    printed = lineage(target)
    assert all(digest in printed for digest in true_hashes(clone).values())


def test_edges_are_those_of_the_lock_and_none_besides(clone):
    document = lineage("reports", "--json")
    edges = {(edge["from"], edge["output"], edge["data"], edge["to"]) for edge in document["edges"]}
    fits = [f"finetune_lft@{labels}-{seed}" for labels in ("recorded", "shuffled") for seed in (0, 1)]
    expected = {
        (None, None, "corpus", "ingest_events@mini"),
        (None, None, "corpus", "preprocess_events@mini"),
        ("ingest_events@mini", "data/events/mini_index", "data/events/mini_index", "preprocess_events@mini"),
        *(("preprocess_events@mini", "data/events/mini_store", "data/events/mini_store/a", name) for name in fits),
        *((name, f"models/lft/{name[13:-2]}/seed-{name[-1]}", "models/lft", "report") for name in fits),
    }
    assert edges == expected
    lock = yaml.safe_load(Path("dvc.lock").read_text())["stages"]
    for edge in document["edges"]:
        (md5,) = [dep["md5"] for dep in lock[edge["to"]]["deps"] if dep["path"] == edge["data"]]
        assert edge["md5"] == md5
    (stage,) = [row for row in document["stages"] if row["name"] == "ingest_events@mini"]
    assert [row["path"] for row in stage["code"]] == ["components/ingest_events"]


def test_nothing_is_said_to_be_made_again_where_nothing_was(clone):
    assert "made again" not in lineage("reports")


@pytest.mark.parametrize("stage", ["finetune_lft@shuffled-1", "preprocess_events@mini"])
def test_what_was_made_again_since_it_was_read_is_said(clone, stage):
    graph = yaml.safe_load(Path("dvc.yaml").read_text())
    entry = graph["stages"][stage.partition("@")[0]]
    entry = entry.get("do", entry)
    entry["cmd"] += " && echo more >> " + {"finetune_lft@shuffled-1": "models/lft/${item.labels}/seed-${item.seed}/y",
                                            "preprocess_events@mini": "data/events/mini_store/a/x"}[stage]  # fmt: skip
    Path("dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    run(clone, "dvc", "repro", "-q", "--single-item", stage)
    lines = lineage("reports").splitlines()
    noted = [line for line in lines if "(made again since)" in line]
    assert noted
    assert all(("finetune_lft@" if stage.startswith("fine") else "preprocess_events@mini") in line for line in noted)


def test_a_number_that_is_not_the_recorded_one_is_refused(clone):
    Path("reports/metrics.json").write_text(json.dumps({"lft_cohen_kappa_mean": 0.9}))
    with pytest.raises(InputError, match=r"is not what report wrote by dvc\.lock"):
        lineage("lft_cohen_kappa_mean")


def test_stages_that_dvc_yaml_has_no_more_are_left_out(clone):
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    lock["stages"]["finetune@old"] = lock["stages"]["finetune_lft@recorded-0"]
    Path("dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    document = lineage("models/lft/recorded/seed-0", "--json")
    assert "finetune@old" not in {stage["name"] for stage in document["stages"]}


def test_the_index_is_read_as_it_was_recorded_and_not_as_it_lies_here(clone):
    shutil.rmtree("data/events/mini_index")
    assert true_hashes(clone)["aaa/aaa_1.edf"] in lineage("reports")
    shutil.rmtree(".dvc/cache")
    with pytest.raises(InputError, match="dvc fetch"):
        lineage("models/lft/recorded/seed-0")
    assert "recordings left out" in lineage("models/lft/recorded/seed-0", "--without-recordings")


def test_errors_name_what_there_is(clone):
    with pytest.raises(InputError, match="no stage wrote it"):
        lineage("prepared/report.json")
    with pytest.raises(InputError, match=r"did you mean 'cohen_kappa'"):
        lineage("models/lft/recorded/seed-0/metrics.json:cohen_kapa")
    Path("dvc.lock").write_text("- no\n- lock\n")
    with pytest.raises(InputError, match="must be what DVC writes"):
        lineage("reports")
    Path("dvc.lock").unlink()
    with pytest.raises(InputError, match="`dvc repro` writes it"):
        lineage("reports")


def test_folder_hashes_are_those_of_dvc(clone):
    with open_workspace_graph() as workspace:
        assert workspace.hash_now(Path("corpus")) == next(iter(workspace.graph.sources())).md5
    cache = CachedOutputs(Path(".dvc/cache"))
    graph = read_locked_graph(Path("dvc.lock").read_text())
    for stage in graph.stages.values():
        for out in stage.outputs:
            assert folder_hash(cache.manifest(out.md5)) == out.md5


OUTPUTS = [
    "models/lft/recorded/seed-0", "models/lft/shuffled/seed-0", "models/lft/ablations/fusion_mean",
    "models/tasks/blink",
    "models/lft/tasks/blink", "models/lft/tasks/distinct", "models/baselines/sparcnet", "models/baselines/band_power",
    "models/ssmdp/base", "models/eeg_encoders/ridge", "models/eeg_encoders/permuted_ridge",
    "data/reconstructions/sgdm/things", "data/reconstructions/condiffusion/classes",
    "models/runs/ssmdp/base/mlflow.json",
]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "outputs"),
    [
        ("lft_cohen_kappa_mean", ["models/lft/recorded/seed-0"]),
        ("ablation_lft_cohen_kappa_mean", ["models/lft/recorded/seed-0"]),
        ("lft_shuffled_labels_cohen_kappa_sd", ["models/lft/shuffled/seed-0"]),
        ("band_power_regression_cohen_kappa_mean", ["models/baselines/band_power"]),
        ("ablation_fusion_mean_cohen_kappa_mean", ["models/lft/ablations/fusion_mean"]),
        ("task_blink_lft_over_band_powers_mean", ["models/tasks/blink", "models/lft/tasks/blink"]),
        ("task_distinct_inflation_of_first_lft_mean", ["models/lft/tasks/distinct", "models/lft/recorded/seed-0"]),
        ("ssmdp_base_validation_loss", ["models/ssmdp/base"]),
        ("eeg_ridge_joint_top5", ["models/eeg_encoders/ridge"]),
        ("eeg_permuted_ridge_joint_top5", ["models/eeg_encoders/permuted_ridge"]),
        ("images_things_full_pixcorr", ["data/reconstructions/sgdm/things"]),
        ("sgdm", ["data/reconstructions/sgdm/things"]),
        ("lft_gain", ["models/lft/recorded/seed-0", "models/lft/shuffled/seed-0", "models/baselines/sparcnet",
                      "models/baselines/band_power"]),
        ("nothing_known", []),
    ],
)  # fmt: skip
def test_a_number_of_the_report_is_of_the_results_that_its_name_says(number, outputs):
    assert sorted(outputs_of_metric(number, OUTPUTS)) == sorted(outputs)
