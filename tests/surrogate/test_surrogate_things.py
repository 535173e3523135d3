"""The surrogate corpora: made from the real EEG, drawings and network weights that packages bring."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from eegdiffusion.commands.app import main
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import bids_eeg, tangrams, things_eeg2
from eegdiffusion.images.epochs.classes import classes_of
from eegdiffusion.images.features.efficientnet_lite import image_features, image_layers, load_efficientnet
from eegdiffusion.surrogate.things import scenes, tangram_corpus, things_demo
from eegdiffusion.surrogate.things.responses import LENGTH_S, draw_observer, low_level_features, response_strengths
from eegdiffusion.surrogate.things.simulation import simulate_subjects
from eegdiffusion.surrogate.things.things_settings import SurrogateThings
from tests.surrogate_source import CACHE

SMALL = SurrogateThings(
    subjects=2, concepts=8, exemplars=2, test_concepts=4, test_repetitions=2, tangrams=4, test_tangrams=2, snr=5.0,
    classes=3, class_images=4, class_test_images=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("objects") / "corpus"
    things_demo.build("objects", root, CACHE, SMALL)
    return root


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    root = tmp_path_factory.mktemp("tangrams") / "corpus"
    things_demo.build("tangrams", root, CACHE, SMALL)
    return root


def test_layout_is_that_of_things_eeg2(root):
    corpus = things_eeg2.open_raw(root, None)
    assert list(corpus.files) == ["sub-01", "sub-02"]
    assert corpus.problems == []
    assert corpus.images["partition"].value_counts().to_dict() == {"training": 16, "test": 4}
    training, test = (
        set(corpus.images.loc[corpus.images["partition"] == part, "concept"]) for part in ("training", "test")
    )
    assert len(training) == 8
    assert len(test) == 4
    assert not training & test
    assert all(Image.open(file).size == (scenes.SIZE,) * 2 for file in corpus.images["file"])
    blocks = corpus.read("sub-01")
    seen = pandas.Series(np.concatenate([block.image for block in blocks])).value_counts()
    assert (seen[seen.index < 16] == 4).all()
    assert (seen[seen.index >= 16] == 8).all()
    per_session = [set(b.image) for b in blocks if "training" in b.source]
    assert all(len(shown) == 8 for shown in per_session)
    assert per_session[0].isdisjoint(per_session[1])
    assert blocks[0].channels == things_eeg2.CHANNELS
    assert blocks[0].sfreq == 250
    raw = np.load(root / "eeg_dataset/raw_data/sub-01/ses-01/raw_eeg_training.npy", allow_pickle=True).item()
    assert (raw["raw_eeg_data"][-1] == things_eeg2.TARGET).sum() == 1
    assert raw["raw_eeg_data"].dtype == np.float64


def test_amplitudes_are_those_of_scalp_eeg(root):
    block = things_eeg2.open_raw(root, None).read("sub-02")[0]
    epochs = block.trials.read(np.arange(8), -50, 250)
    assert 3 < np.median(epochs.std(-1)) < 60
    assert np.abs(epochs).max() < 2000


def test_images_of_one_kind_evoke_alike_and_the_ratio_is_kept(root):
    """At a signal-to-noise ratio of 5 the average over repetitions is the response."""
    corpus = things_eeg2.open_raw(root, None)
    halves = {}
    for block in corpus.read("sub-01"):
        if "test" in block.source:
            epochs = block.trials.read(np.arange(len(block.image)), 0, 100)
            for image in np.unique(block.image):
                halves.setdefault(image, []).append(epochs[block.image == image].mean(0))
    first = np.stack([np.mean(parts[::2], axis=0).ravel() for parts in halves.values()])
    second = np.stack([np.mean(parts[1::2], axis=0).ravel() for parts in halves.values()])
    likeness = np.corrcoef(first - first.mean(0), second - second.mean(0))[:4, 4:]
    assert (likeness.argmax(1) == np.arange(4)).all()


def test_components_have_the_size_that_was_asked_for():
    subject = draw_observer(1, 1, 250.0, 2.0)
    responses = subject.responses(np.random.default_rng(0).standard_normal((500, 36)))
    times = np.arange(round(LENGTH_S * 250)) / 250
    posterior = [k for k, name in enumerate(things_eeg2.CHANNELS) if name[0] in "PTO" or name[:2] == "CP"]
    window = (times >= 0.08) & (times <= 0.4)
    size = np.sqrt(responses[:, posterior][:, :, window].var(0).mean())
    assert size == pytest.approx(2.0, rel=0.1)
    before = np.abs(responses[:, :, times < 0.04] - subject.evoked[:, times < 0.04]).max()
    assert before < 0.5 * size, "nothing answers before the image could have been seen"
    assert not np.allclose(draw_observer(1, 2, 250.0, 2.0).patterns, subject.patterns)


def test_exemplars_of_a_concept_are_nearest_to_each_other_in_network_features(root):
    images = things_eeg2.open_raw(root, None).images.query("partition == 'training'")
    features = image_features(load_efficientnet(CACHE), [Image.open(file) for file in images["file"]])
    likeness = np.corrcoef(features)
    np.fill_diagonal(likeness, -1)
    concepts = images["concept"].to_numpy()
    assert np.mean(concepts[likeness.argmax(1)] == concepts) > 0.7  # chance 1/15


def test_responses_follow_the_layer_that_is_named(root):
    """Strengths of the later components are those of the layer's principal components, and of no other's."""
    corpus = things_eeg2.open_raw(root, None)
    images = [Image.open(file) for file in corpus.images["file"]]
    fitted = (corpus.images["partition"] == "training").to_numpy()
    layers = image_layers(load_efficientnet(CACHE), images, ["stage2", "output"])
    for depth, features in layers.items():
        options = dataclasses.replace(SMALL, depth=depth)
        _, responses = next(simulate_subjects(images, fitted, CACHE, options))
        strength = response_strengths(low_level_features(images), features, fitted)
        centred = responses - draw_observer(options.seed, 1, options.sfreq, 1.0).evoked
        design = np.linalg.lstsq(strength, centred.reshape(len(images), -1), rcond=None)[0]
        unexplained = centred.reshape(len(images), -1) - strength @ design
        assert np.abs(unexplained).max() < 1e-6 * np.abs(centred).max(), depth
    assert json.loads((root / "corpus.json").read_text())["settings"].get("depth") is None, "bytes as ever"


def test_tangrams_are_seven_pieces_that_do_not_overlap(figures):
    corpus = bids_eeg.open_kilogram(figures, None)
    assert corpus.images["partition"].value_counts().to_dict() == {"training": 4, "test": 2}
    for file in corpus.images["file"]:
        tangram = tangrams.read_tangram(Path(file))
        mask = tangrams.piece_mask(tangram, 400, margin=0.0)
        areas = np.bincount(mask.ravel(), minlength=8)[1:].astype(float)
        assert np.allclose(areas / areas.sum() * 8, [2, 2, 1, 0.5, 0.5, 1, 1], atol=0.2)
    block = corpus.read("sub-01")[0]
    assert len(block.channels) == 63
    assert len(block.image) == 4 * 2 + 2 * 20
    assert block.trials.inside(-50, 300).all()
    assert 3 < np.median(block.trials.read(np.arange(10), -50, 250).std(-1)) < 60


def test_corpora_describe_themselves(root, figures):
    for folder, word in ((root, "THINGS-EEG2"), (figures, "Kilogram")):
        described = json.loads((folder / "corpus.json").read_text())
        assert described["corpus"].startswith("surrogate ")
        assert word in described["layout"]
        assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
            "corpus.json", *described["files"]
        }  # fmt: skip
        assert "neither THINGS-EEG2 nor Kilogram" in (folder.parent / "SURROGATE.txt").read_text()


def test_same_settings_same_bytes_and_a_second_run_touches_nothing(root, tmp_path, capsys):
    things_demo.build("objects", tmp_path / "corpus", CACHE, SMALL)
    first, second = (json.loads((folder / "corpus.json").read_text()) for folder in (root, tmp_path / "corpus"))
    assert first == second
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    things_demo.build("objects", root, CACHE, SMALL)
    assert "in place" in capsys.readouterr().out
    assert before == {p: p.stat().st_mtime_ns for p in root.rglob("*")}


def test_more_concepts_than_there_are_drawings_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["surrogate", "things", "--concepts", "2000", "--out", str(tmp_path / "corpus"), "--cache", str(CACHE)])
    assert stop.value.code == 65
    assert "there are drawings of" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["surrogate", "things", "--snr", "0", "--out", str(tmp_path / "corpus")])
    assert stop.value.code == 65
    assert "snr" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["surrogate", "things", "--depth", "stage8", "--out", str(tmp_path / "corpus")])
    assert stop.value.code == 65
    assert "depth must be one of stage1" in capsys.readouterr().err


def test_classes_have_training_and_test_images_that_are_shown_in_random_order(root, tmp_path):
    things_demo.build("classes", tmp_path / "corpus", CACHE, SMALL)
    corpus = things_eeg2.open_raw(tmp_path / "corpus", None)
    assert corpus.problems == []
    counts = corpus.images.groupby(["partition", "concept"]).size()
    assert counts["training"].tolist() == [4, 4, 4]
    assert counts["test"].tolist() == [2, 2, 2]
    assert counts["training"].index.equals(counts["test"].index)
    blocks = corpus.read("sub-02")
    seen = pandas.Series(np.concatenate([block.image for block in blocks])).value_counts()
    assert (seen[seen.index < 12] == 2).all()
    assert (seen[seen.index >= 12] == 4).all()
    concept = corpus.images["concept"].to_numpy()[blocks[0].image]
    assert (concept[1:] != concept[:-1]).sum() > 3
    # The corpus's own split of images classifies them.
    stored = corpus.images.assign(split=corpus.images["partition"].replace("training", "train"))
    assert classes_of(stored, None, 0).rule == "the corpus's own split of images"
    # Its classes are concepts of the corpus of objects, in other scenes.
    objects = things_eeg2.open_raw(root, None).images
    trained = objects.loc[objects["partition"] == "training", "concept"].str.partition("_")[2]
    assert {name.partition("_")[2] for name in counts["training"].index} <= set(trained)


def test_imagined_tangrams_are_weaker_and_later_and_the_corpus_says_so(tmp_path):
    options = dataclasses.replace(SMALL, subjects=1, imagery=0.4, imagery_delay_s=0.1)
    responses = np.random.default_rng(0).standard_normal((3, 63, 200))
    later = tangram_corpus.imagined_responses(responses, options)
    np.testing.assert_allclose(later[:, :, 25:], 0.4 * responses[:, :, :-25])
    assert not later[:, :, :25].any()
    root = tmp_path / "corpus"
    things_demo.build("tangrams", root, CACHE, options)
    corpus = bids_eeg.open_kilogram(root, None)
    blocks = {block.task[0]: block for block in corpus.read("sub-01")}
    assert set(blocks) == {"perception", "imagery"}
    assert all(len(set(block.task)) == 1 for block in blocks.values())
    assert sorted(blocks["perception"].image) == sorted(blocks["imagery"].image)
    described = json.loads((root / "corpus.json").read_text())
    assert described["settings"]["imagery"] == 0.4
    said = "imagined figures: the response to the figure seen, 0.4 times as strong and 0.1 s later; nobody imagined"
    assert any(line.startswith(said) for line in described["synthetic"])
    assert said in (root.parent / "SURROGATE.txt").read_text()
    with pytest.raises(InputError, match=r"--imagery: must be 0 but of the stimuli tangrams"):
        things_demo.build("objects", tmp_path / "other", CACHE, options)


def test_a_corpus_without_imagery_has_the_files_and_settings_that_it_had(figures):
    assert not list(figures.rglob("*imagery*"))
    assert list(figures.rglob("sub-01_task-tangram_eeg.edf"))
    assert "imagery" not in json.loads((figures / "corpus.json").read_text())["settings"]
