"""What a card says of groups of subjects, of probabilities and of errors; and the head that hubs read."""

import json
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas
import pytest
import yaml
from huggingface_hub import ModelCard

from eegdiffusion.core.statistics.classification_metrics import prediction_metrics
from eegdiffusion.operations.registry.card import CardData, render_card
from eegdiffusion.operations.registry.registry_config import TrainingResult, read_registry
from eegdiffusion.operations.registry.subject_groups import FEWEST, UNKNOWN, group_scores, subject_groups
from tests.e2e.workspace import ROOT
from tests.planted import marks_in
from tests.tuev_fixture import write_edf

CLASSES = ["spsw", "gped", "bckg"]


def write_patient(path: Path, text: str) -> None:
    """Write a short recording of this patient identification."""
    write_edf(path, seconds=2)
    content = bytearray(path.read_bytes())
    content[8:88] = text.encode("ascii").ljust(80)
    path.write_bytes(content)


@pytest.fixture
def corpus(tmp_path):
    """A corpus of twelve subjects: six women of 30, five men of 70, and a boy; and its recordings."""
    people = [("F", 30)] * 6 + [("M", 70)] * 5 + [("M", 9)]
    rows = []
    for k, (sex, age) in enumerate(people):
        path = tmp_path / "corpus" / f"s{k:02d}" / "r.edf"
        write_patient(path, f"s{k:02d} {sex} 01-JAN-1950 Hannelore_Mueller Age:{age}")
        rows.append({"recording": f"s{k:02d}/r", "path": f"s{k:02d}/r.edf", "subject": f"s{k:02d}", "duration_s": 90.0})
    return tmp_path / "corpus", pandas.DataFrame(rows)


def predictions(recordings, seed):
    """Windows of each recording, of which four in five are right; women's are all right."""
    draw = np.random.default_rng(seed)
    rows = []
    for k, recording in enumerate(recordings):
        for row in range(15):
            label = row % 3
            guess = label if k < 6 or draw.random() < 0.8 else (label + 1) % 3
            rows.append([recording, row, 0, -1, label, *(0.7 if c == guess else 0.15 for c in range(3))])
    return pandas.DataFrame(rows, columns=["recording", "row", "start_sample", "channel", "label", "p0", "p1", "p2"])


def test_groups_follow_from_the_headers_of_edf(corpus):
    groups = subject_groups(*corpus)
    assert groups["age"].tolist() == ["18-39"] * 6 + ["65 and older"] * 5 + ["2-17"]
    assert groups["sex"].tolist() == ["female"] * 6 + ["male"] * 6
    assert set(groups["length"]) == {"1-10 min"}


@pytest.mark.parametrize(
    ("header", "age", "sex"),
    [
        ("X F 02-MAY-1990 X", UNKNOWN, "female"),  # no date of the recording
        ("X M X X Age:101", "65 and older", "male"),
        ("X X X X", UNKNOWN, UNKNOWN),
        ("anonymous", UNKNOWN, UNKNOWN),
        ("X F X X Age:2", "2-17", "female"),
        ("X F X X Age:999", UNKNOWN, "female"),
    ],
)
def test_a_header_that_says_less_makes_a_group_of_its_own(tmp_path, header, age, sex):
    write_patient(tmp_path / "r.edf", header)
    path = tmp_path / "r.edf"
    content = bytearray(path.read_bytes())
    content[168:176] = b"01.01.85"
    content[88:168] = b"Startdate X X X X".ljust(80)
    path.write_bytes(content)
    recordings = pandas.DataFrame([{"recording": "r", "path": "r.edf", "subject": "r", "duration_s": 60.0}])
    (row,) = subject_groups(tmp_path, recordings).to_dict("records")
    assert (row["age"], row["sex"], row["length"]) == (age, sex, "up to 1 min")


def test_groups_follow_from_participants_of_bids(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t41\tF\n02\tn/a\tmale\n")
    names = ["sub-01", "sub-02", "sub-03"]
    paths = [f"{name}/x.vhdr" for name in names]
    recordings = pandas.DataFrame({"recording": names, "path": paths, "subject": names, "duration_s": 4000.0})
    groups = subject_groups(tmp_path, recordings)
    assert groups["age"].tolist() == ["40-64", UNKNOWN, UNKNOWN]
    assert groups["sex"].tolist() == ["female", "male", UNKNOWN]
    assert set(groups["length"]) == {"over 1 h"}


def test_scores_of_groups_are_those_of_their_windows_and_small_groups_are_not_said(corpus):
    root, recordings = corpus
    tables = [predictions(recordings["recording"], seed) for seed in (0, 1)]
    scores = group_scores(tables, subject_groups(root, recordings), 3)
    by = {(score.kind, score.group): score for score in scores.scores}
    assert set(by) == {
        ("age in years", "18-39"), ("age in years", "65 and older"), ("sex", "female"), ("sex", "male"),
        ("length of the recording", "1-10 min"),
    }  # fmt: skip
    assert scores.left_out == {"age in years": 1}
    assert min(score.subjects for score in by.values()) >= FEWEST
    men = by["sex", "male"]
    expected = []
    for table in tables:
        rows = table[table["recording"] >= "s06"]
        guesses = rows[["p0", "p1", "p2"]].to_numpy().argmax(1)
        expected.append(prediction_metrics(rows["label"].to_numpy(), guesses)["balanced_accuracy"])
    assert men.balanced_accuracy == pytest.approx(np.mean(expected))
    assert men.low <= men.balanced_accuracy <= men.high < 1
    women = by["sex", "female"]
    assert (women.balanced_accuracy, women.low, women.subjects, women.windows) == (1, 1, 6, 90)


@pytest.fixture
def card(corpus, tmp_path):
    """The card of an LFT over two seeds, as it is written beside the model."""
    _, recordings = corpus
    index = tmp_path / "data/events/mine/index"
    index.mkdir(parents=True)
    recordings.to_parquet(index / "recordings.parquet")
    (index / "corpus.json").write_text(json.dumps({"entry": {"root": "corpus"}}))
    config, results = read_registry(ROOT / "mlflow/registry.yaml")["lft"], []
    for seed in (0, 1):
        folder = tmp_path / f"models/lft/recorded/seed-{seed}"
        folder.mkdir(parents=True)
        predictions(recordings["recording"], seed).to_parquet(folder / "predictions.parquet")
        metrics = {"seed": seed, "classes": CLASSES, "split": "test", "temperature": 1.25, "parameters": 10}
        metrics |= {"cohen_kappa": 0.6 + seed / 10, "balanced_accuracy": 0.8, "f1_weighted": 0.8, "windows": 180}
        results.append(TrainingResult(folder.relative_to(tmp_path), metrics | {"preprocessing": "0" * 64}))
    with chdir(tmp_path):
        for name in ("mlflow", "params.yaml"):
            Path(name).symlink_to(ROOT / name)
        tags = {"corpus": "surrogate", "git.revision": "1" * 40}
        yield render_card(
            CardData("lft", "3", config, results[0].folder, results, tags, {"data/events/mine/store": "a.dir"}),
            [],
            True,
        )


def test_a_card_says_what_regulators_ask_for(card):
    for part in (
        "## Scores by group", "| sex | female | 6 | 90 | 1.0000 | 1.0000 to 1.0000 |", "1 group was too small",
        f"fewer than {FEWEST} subjects", "## Operating point", "no threshold was chosen", "## Calibration",
        "divided by the temperature 1.2500", "## Failure modes", "are called something else, most often",
        "## Human oversight", "eeg promote --retire", "## Changes that are planned for",
    ):  # fmt: skip
        assert part in card, part
    assert "95 % interval over\nsubjects" in card


def test_nothing_of_a_single_subject_stands_in_a_card(card):
    assert not marks_in(card)
    assert not [f"s{k:02d}" for k in range(12) if f"s{k:02d}" in card]
    assert "1950" not in card
    assert "| 2-17" not in card


def test_hubs_read_the_head_of_a_card(card):
    read = ModelCard(card).data
    assert read.library_name == "eegdiffusion"
    assert "surrogate" in read.tags
    (kappa,) = [result for result in read.eval_results if result.metric_type == "cohen_kappa"]
    assert kappa.metric_value == pytest.approx(0.65)
    assert (kappa.dataset_name, kappa.dataset_split) == ("surrogate", "test")
    assert yaml.safe_load(card.split("---\n")[1])["model-index"][0]["name"] == "lft"


def test_every_registered_model_has_words_for_all_that_a_card_says():
    for name, config in read_registry(ROOT / "mlflow/registry.yaml").items():
        text = config.card
        assert all((text.operating_point, text.failure_modes, text.oversight, text.change_plan)), name
