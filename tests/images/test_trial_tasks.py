"""Tasks of trials, perceived and imagined: read from BIDS, kept apart in a store, crossed in training and test."""

from pathlib import Path

import numpy as np
import pandas
import pytest

from components.ingest_images.compute import compute as ingest
from components.ingest_images.settings import Epoching, ImageCorpus, IngestImages
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora.bids_eeg import open_kilogram
from eegdiffusion.images.corpora.subject_epochs import RepetitionLimits, keep_repetitions
from eegdiffusion.images.encoders.encoder_settings import EncoderExperiment
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL, Pairs
from eegdiffusion.images.epochs.protocols import Fold
from eegdiffusion.report.encoder_runs import read_encoder_corpora
from eegdiffusion.report.encoder_sections import encoder_values
from eegdiffusion.report.encoder_tables import crossing_table
from eegdiffusion.report.published_results import read_published_results
from tests.aligned_subjects import train_model, write_store
from tests.things_fixture import write_kilogram

EVENTS = "sub-01/ses-01/eeg/sub-01_ses-01_task-tangram_events.tsv"


def with_tasks(root: Path, tasks: list[str | None]) -> Path:
    """Write the column ``task`` into the events, one word after the other."""
    write_kilogram(root)
    table = pandas.read_csv(root / EVENTS, sep="\t", keep_default_na=False)
    table["task"] = [tasks[k % len(tasks)] or "n/a" for k in range(len(table))]
    table.to_csv(root / EVENTS, sep="\t", index=False)
    return root


def test_the_column_of_the_events_says_the_task(tmp_path):
    corpus = open_kilogram(with_tasks(tmp_path, ["perception"] * 6 + ["imagery"] * 6 + ["copy"] * 6), None)
    (block,) = corpus.read("sub-01")
    assert block.task.tolist() == ["perception"] * 6 + ["imagery"] * 6 + ["copy"] * 6
    assert not corpus.problems


def test_the_name_of_a_recording_says_the_task_and_a_paradigm_does_not(tmp_path):
    write_kilogram(tmp_path)
    assert open_kilogram(tmp_path, None).read("sub-01")[0].task is None, "task-tangram is a paradigm"
    for path in sorted((tmp_path / "sub-01/ses-01/eeg").iterdir()):
        text = path.read_bytes().replace(b"task-tangram", b"task-imagery")
        path.with_name(path.name.replace("task-tangram", "task-imagery")).write_bytes(text)
        path.unlink()
    (block,) = open_kilogram(tmp_path, None).read("sub-01")
    assert set(block.task) == {"imagery"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["perception", None], r"task: must be said of each event with an image \(9 have none\)"),
        (["perception", "to imagine"], r"task: must be of letters of ASCII.*found to imagine"),
    ],
)
def test_a_task_that_is_missing_or_no_name_is_refused(tmp_path, words, message):
    with pytest.raises(InputError, match=message):
        open_kilogram(with_tasks(tmp_path, words), None)


def test_a_recording_without_a_task_beside_others_with_one_is_left_out_by_name(tmp_path):
    write_kilogram(tmp_path)
    folder = tmp_path / "sub-01/ses-01/eeg"
    for path in sorted(folder.iterdir()):
        text = path.read_bytes().replace(b"task-tangram", b"task-imagery")
        path.with_name(path.name.replace("task-tangram", "task-imagery")).write_bytes(text)
    corpus = open_kilogram(tmp_path, None)
    (problem,) = [problem for problem in corpus.problems if problem.field == "task"]
    assert "task-tangram_eeg.vhdr: task: must be said, as in other recordings" in problem.message
    assert [block.source for block in corpus.read("sub-01")] == [
        "sub-01/ses-01/eeg/sub-01_ses-01_task-imagery_eeg.vhdr"
    ]


def test_each_task_has_repetitions_of_its_own():
    image, task = np.repeat([0, 1], 6), np.tile(["perception", "imagery"], 6)
    limits = RepetitionLimits(training=2, test=3)
    kept = keep_repetitions(image, np.array([False, True]), limits, 0, task)
    counted = pandas.DataFrame({"image": image[kept], "task": task[kept]}).groupby(["image", "task"]).size()
    assert counted.to_dict() == {(0, "imagery"): 2, (0, "perception"): 2, (1, "imagery"): 3, (1, "perception"): 3}


def test_a_store_keeps_the_tasks_and_one_without_them_is_as_before(tmp_path):
    epoching = Epoching(tmin_s=-0.1, tmax_s=0.2, rate_hz=100.0, whitening="none")
    words = {"told": ["perception"] * 6 + ["imagery"] * 6 + ["perception"] * 6, "silent": None}
    stores = {}
    for name, tasks in words.items():
        root = write_kilogram(tmp_path / name) if tasks is None else with_tasks(tmp_path / name, tasks)
        entry = ImageCorpus(root=str(root), layout="kilogram", epochs="x")
        ingest(entry, IngestImages(), epoching, tmp_path / f"{name}-store", tmp_path / f"{name}-work")
        stores[name] = EpochStore(tmp_path / f"{name}-store")
    assert stores["silent"].tasks == []
    assert "task" not in stores["silent"].index
    store = stores["told"]
    assert store.tasks == ["imagery", "perception"]
    assert len(store.epochs(None, task="imagery")) == 6
    averaged = store.epochs(None, average=ALL)
    assert len(averaged) == 12, "repetitions of two tasks are no repetitions of each other"
    assert averaged.table.groupby("image")["task"].nunique().eq(2).all()
    with pytest.raises(InputError, match=r"task: must be among imagery, perception \(found dream\)"):
        store.epochs(None, task="dream")
    with pytest.raises(InputError, match=r"must be among none, as the corpus does not tell them"):
        stores["silent"].epochs(None, task="imagery")


@pytest.fixture(scope="module")
def crossed(tmp_path_factory):
    """Ridge regressions of all crossings of perceived and imagined images, whose responses are weaker and later."""
    root = tmp_path_factory.mktemp("crossed")
    write_store(root, ["sub-01"], imagery=0.5, noise=0.6)
    experiments = {}
    for trained in ("perception", "imagery"):
        for tested in ("perception", "imagery"):
            name = f"{trained}_{tested}"
            tasks = {"train_task": trained, "test_task": tested, "protocols": ["leave_one_out"]}
            folder = root / "encoders" / name / "leave_one_out/all/new/seed-0"
            train_model(root, ["sub-01"], ["sub-01"], folder, root / "work", **tasks)
            fields = {"corpus": "planted", "objective": "align", "encoder": "ridge"} | tasks
            experiments[name] = EncoderExperiment(**fields)
    return read_encoder_corpora(root / "encoders", experiments, [0])


def test_a_model_may_learn_one_task_and_be_tested_on_another(crossed):
    (corpus,) = crossed
    top1 = {result.name: result.retrieval(20, 1).mean for result in corpus.aligned}
    assert top1["perception_perception"] > 0.8
    assert top1["imagery_imagery"] > top1["perception_imagery"], "a delayed response is another one"
    facts = {result.name: result.facts for result in corpus.aligned}
    assert facts["perception_imagery"]["train_task"] == "perception"
    assert facts["perception_imagery"]["test_task"] == "imagery"
    assert facts["perception_imagery"]["split_hash"] != facts["perception_perception"]["split_hash"]
    assert facts["perception_imagery"]["split_hash"] == facts["imagery_imagery"]["split_hash"]


def test_the_crossing_stands_in_one_table(crossed):
    (corpus,) = crossed
    table = crossing_table(corpus.aligned)
    assert table["trained on"].tolist() == ["perception", "imagery"]
    assert [column for column in table if column.startswith("tested")] == ["tested on perception", "tested on imagery"]
    assert not (table == "–").any().any()
    score = {result.name: result.retrieval(20, 1).mean for result in corpus.aligned}
    cell = table.loc[table["trained on"] == "perception", "tested on imagery"].item()
    assert cell.startswith(f"{100 * score['perception_imagery']:.1f} (")
    values = encoder_values(crossed, read_published_results())
    assert values["encoder_corpora"][0]["crossing"] is not None
    assert values["stimuli"] is None, "there are no tangrams beside"
    assert "perception to imagery" in " ".join(values["encoder_corpora"][0]["retrieval"]["encoder"])


def test_epochs_of_training_and_test_are_of_their_tasks(tmp_path):
    write_store(tmp_path, ["sub-01"], imagery=0.5)
    store = EpochStore(tmp_path / "images")
    split = store.images["split"].to_numpy(str)
    pairs = Pairs(store, split, {}, {}, Fold("x", ["sub-01"], ["sub-01"]), None, "perception", "imagery")
    for part, task in (("train", "perception"), ("validation", "perception"), ("test", "imagery")):
        assert set(pairs.part(part, 1).table["task"]) == {task}
    assert pairs.repetitions("sub-01") == 4


def test_a_task_that_the_corpus_does_not_tell_is_refused(tmp_path):
    write_store(tmp_path, ["sub-01"])
    with pytest.raises(InputError, match=r"eeg_encoders: test_task: must be among those of the corpus planted, none"):
        train_model(tmp_path, ["sub-01"], ["sub-01"], tmp_path / "m", tmp_path / "w", test_task="imagery")
