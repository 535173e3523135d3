"""The report's part on images made from EEG: arms, verdicts, marks, warnings, published numbers apart."""

import json
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
from matplotlib.figure import Figure

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.figures import model_figures
from eegdiffusion.images.metrics.metric_networks import FeatureNetwork, Layer
from eegdiffusion.images.metrics.reconstruction_arms import SYSTEMS
from eegdiffusion.images.metrics.reconstruction_scores import Context
from eegdiffusion.images.metrics.reconstructions import Reconstructions
from eegdiffusion.images.metrics.score_reconstructions import score_reconstructions
from eegdiffusion.report import page_figures, reconstruction_sections
from eegdiffusion.report.document import TEMPLATES, Document
from eegdiffusion.report.published_results import read_published_results
from eegdiffusion.report.reconstruction_results import read_generation_results
from eegdiffusion.report.reconstruction_tables import subjects_table
from tests.scenes import scenes

IMAGES, SUBJECTS = 10, ["sub-01", "sub-02"]
LEAKS = "blocks are confounded with class"


def _means(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """A network small enough for a table: means of cells and a linear classifier of them."""
    rows = pictures[:].reshape(len(pictures), 8, 8, 8, 8, 3).mean((2, 4)).reshape(len(pictures), -1).astype(np.float32)
    return {"pooled": rows, "logits": rows @ np.random.default_rng(0).standard_normal((rows.shape[1], 60)) / 100}


CELLS = FeatureNetwork(
    key="cells", name="EfficientNet-lite0", weights="none", side=64, pooled="pooled", outputs=_means, classifies=True,
    layers=(Layer("cells", "pooled", "cells", "two_way"),),
)  # fmt: skip


def _scores(folder, arms: dict[str, float], corpus: str, warnings: list[str], selection: str):
    """Score arms that mix so much of the picture seen with noise."""
    rng = np.random.default_rng(0)
    seen = np.concatenate([scenes(IMAGES)] * 2)
    noise = rng.integers(0, 256, (len(arms), len(seen), 1, *seen.shape[1:]))
    made = {
        arm: (share * seen[:, None] + (1 - share) * noise[k]).astype(np.uint8).repeat(1 + (arm == "full"), 1)
        for k, (arm, share) in enumerate(arms.items())
    }
    items = pandas.DataFrame({"subject": np.repeat(SUBJECTS, IMAGES), "image": np.tile(np.arange(IMAGES), 2)})
    context = Context(corpus, "things_eeg2_raw", warnings, 80, [0, 1], [3], "efficientnet_lite0", selection)
    maps = {"from EEG": np.zeros((len(seen), 1, 16, 16))} if "full" in arms else {}
    Reconstructions(items.assign(concept="gate"), seen, made, maps).write(folder)
    others = "condiffusion" in arms and not warnings
    score_reconstructions(seen, made, items, [CELLS], context, ways=50, top=1, by_subject=others).write(folder)


def _classified(folder: Path, repetitions: int) -> np.ndarray:
    """Write what a classifier said of two epochs of each item; it names the first epochs of image 3 and above right."""
    rows = [
        {"subject": subject, "image": image, "label": image % 4, "right": (image >= 3) == (epoch == 0)}
        for subject in SUBJECTS
        for image in range(IMAGES)
        for epoch in range(2)
    ]
    table = pandas.DataFrame(rows)
    for k in range(4):
        named = np.where(table["right"], table["label"], (table["label"] + 1) % 4)
        table[f"p{k}"] = np.where(named == k, 0.7, 0.1)
    folder.mkdir(parents=True)
    table.drop(columns="right").to_parquet(folder / "classified.parquet")
    (folder / "metrics.json").write_text(json.dumps({"repetitions": repetitions}))
    return np.tile(np.arange(IMAGES) >= 3, len(SUBJECTS))


@pytest.fixture(scope="module")
def generations(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    arms = {arm: 0.0 for arm in SYSTEMS[0].arms} | {"full": 0.6, "semantics_only": 0.6, "oracle_structure": 0.9}
    _scores(root / "made/sgdm/demo", arms, "surrogate images", [], "validation")
    none = {"condiffusion": 0.0, "condiffusion_zeroed": 0.0}
    _scores(root / "made/condiffusion/demo", none, "surrogate images", [], "validation")
    _scores(
        root / "made/condiffusion/blocks",
        {"condiffusion": 0.6, "condiffusion_zeroed": 0.0},
        "EEGCVPR40",
        [LEAKS],
        "test",
    )
    vae = root / "vae/demo"
    vae.mkdir(parents=True)
    np.save(vae / "stored.npy", np.arange(6.0))
    facts = {"split": "test", "parameters": 12345, "frozen": {"unet": 600, "vae": 78}, "validation_loss": 0.25}
    (vae / "metrics.json").write_text(json.dumps(facts))
    models = {"structural VAE": root / "vae"} | dict.fromkeys(("generator", "ControlNet", "EEG-ConDiffusion"), root)
    studies = [("sgdm", "demo"), ("condiffusion", "demo"), ("condiffusion", "blocks")]
    _classified(root / "encoder/demo", 80)
    _classified(root / "encoder/blocks", 4)
    classifiers = {name: root / "encoder" / name for name in ("demo", "blocks")}
    return read_generation_results(root / "made", models, [(*study, "pictures") for study in studies], classifiers)


def _draw_stored(folder: Path) -> dict[str, Figure]:
    """Stands for the figures of a model: it draws what the stage stored."""
    figure = Figure()
    figure.subplots().plot(np.load(folder / "stored.npy"))
    return {"traversals": figure}


@pytest.fixture(scope="module")
def drawn(generations):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(model_figures.DRAWING, "train_structural_vae", _draw_stored)
        return [page_figures.draw_generation(results, number) for number, results in enumerate(generations, start=1)]


@pytest.fixture(scope="module")
def text(generations, drawn, tmp_path_factory):
    doc = Document(tmp_path_factory.mktemp("reports") / "out", "surrogate")
    values = reconstruction_sections.reconstruction_values(generations, read_published_results())
    pages = [TEMPLATES.get_template(name) for name in ("reconstructions.md.j2", "published_reconstructions.md.j2")]
    text = "".join(page.render(doc=doc, figures={"generations": drawn}, **values) for page in pages)
    shown = set(re.findall(r"\]\(figures/(\w+)\.png\)", text))
    assert shown == {path.stem for path in (doc.folder / "figures").iterdir()}
    assert shown == {
        "images1_full",
        "images1_structural_vae_traversals",
        "images2_condiffusion",
        "images2_condiffusion_recognised",
        "images3_condiffusion",
    }
    return text


def test_figures_show_what_was_stored(generations, drawn):
    (shown,) = drawn[0]["models"]
    assert shown.caption == "Latent traversals of the structural VAE; structural VAE, demo"
    assert shown.figure.axes[0].lines[0].get_ydata().tolist() == [0, 1, 2, 3, 4, 5]
    grid = drawn[0]["grids"]["SGDM"]
    columns = 2 + len(SYSTEMS[0].arms)
    assert len(grid.axes) == 8 * columns
    assert drawn[1]["models"] == []
    rows = page_figures.drawn_items(generations[0].systems[0].reconstructions.items, 8)
    (results,) = generations[0].systems
    for row, axes in zip(rows, np.array(grid.axes).reshape(8, columns), strict=True):
        assert np.array_equal(axes[0].images[0].get_array(), results.reconstructions.seen[row])
        assert np.array_equal(axes[2].images[0].get_array(), results.reconstructions.arms["full"][row, 0])


def test_ten_pictures_of_items_that_the_classifier_names_right_are_shown(generations, drawn, text):
    named = np.tile(np.arange(IMAGES) >= 3, len(SUBJECTS))
    assert generations[0].recognised is None, "SGDM has no classifier"
    np.testing.assert_array_equal(generations[1].recognised, named)
    assert generations[2].recognised is None, "of epochs of other repetitions"
    assert not drawn[0]["recognised"]
    assert not drawn[2]["recognised"]
    (grid,) = drawn[1]["recognised"].values()
    (results,) = generations[1].systems
    columns = 1 + len(results.system.arms)
    shown = [axes[0].images[0].get_array() for axes in np.array(grid.axes).reshape(-1, columns)]
    assert len(shown) == 10
    right = results.reconstructions.seen[np.flatnonzero(named)]
    assert all(any(np.array_equal(picture, other) for other in right) for picture in shown)
    assert "names the concept of 14 of 20 items right" in text


def test_scores_of_subjects_stand_with_what_the_inception_score_is_not(text, generations):
    caption = "scores of each subject, on whom the model was not trained"
    assert text.count(caption) == 1
    assert "not whether a picture shows what was seen" in text
    table = subjects_table(generations[1].systems[0].scores, generations[1].systems[0].system)
    assert list(table.columns) == ["score", "arm", *SUBJECTS, "mean", "chance"]
    assert {"Inception Score, EfficientNet-lite0 ↑", "50-way top-1, EfficientNet-lite0 ↑"} == set(table["score"])
    scores = generations[1].systems[0].scores
    value = scores.items("condiffusion", "n_way_cells").groupby("subject")["value"].mean()["sub-02"]
    row = table[(table["arm"] == "condiffusion") & table["score"].str.startswith("50-way")].iloc[0]
    assert float(row["sub-02"]) == pytest.approx(value, abs=1e-3)
    flat = reconstruction_sections.flat_reconstruction_metrics(generations)
    assert flat["images_demo_condiffusion_inception_score_cells_sub-01"] > 1


def _rows(text: str, caption: str) -> dict[str, dict[str, str]]:
    lines = text[text.index(caption) :].splitlines()[2:]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]
    return {row[0]: dict(zip(table[0], row, strict=True)) for row in table[2:]}


def test_arms_stand_with_intervals_and_the_pixels_beside(text, generations):
    rows = _rows(text, "SGDM: scores of the arms")
    assert list(rows) == [*SYSTEMS[0].arms, "chance"]
    pixels = "two-way identification, 16 × 16 pixels ↑"
    network = "two-way identification, EfficientNet-lite0, cells ↑"
    assert {pixels, network, "PixCorr, at 425 px ↑", "50-way top-1, EfficientNet-lite0 ↑"} <= set(rows["full"])
    mean, low, high = map(float, re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", rows["full"][network]).groups())
    values = generations[0].systems[0].scores.values.query("arm == 'full' and metric == 'cells'")["value"]
    assert mean == pytest.approx(values.mean(), abs=1e-3)
    assert low <= mean <= high
    assert rows["chance"][network] == "0.500"
    assert rows["chance"]["50-way top-1, EfficientNet-lite0 ↑"] == "0.020"
    assert rows["full"]["pictures an item"] == "2"


def test_differences_are_paired(text, generations):
    rows = _rows(text, "SGDM: paired differences")
    columns = list(rows["PixCorr, at 425 px ↑"])
    assert columns == ["metric", *(f"full − {arm}" for arm in (*SYSTEMS[0].controls, *SYSTEMS[0].others))]
    cell = rows["PixCorr, at 425 px ↑"]["full − oracle_structure"]
    found = generations[0].systems[0].scores.difference("full", "oracle_structure", "pixcorr")
    assert cell.startswith(f"{found.mean:+.3f} (")
    assert found.high < 0
    assert cell.endswith("p 0.002")


def test_a_full_arm_that_is_not_above_its_controls_is_said_to_be(text):
    sentences = [" ".join(line.split()) for line in re.findall(r"^- \*\*.*?(?=\n- |\n\n)", text, re.M | re.S)]
    verdicts = {re.search(r"`(\w+)` above `(\w+)`", line).groups(): line for line in sentences if "above `" in line}
    assert "Yes.** It is on two-way identification, 16 × 16 pixels" in verdicts["full", "zeroed_eeg"]
    assert "Yes.**" in verdicts["full", "shuffled_eeg"]
    demo = text[: text.index("### EEGCVPR40")]
    assert re.search(r"`condiffusion` above `condiffusion_zeroed`[^.]*\s+No\.\*\* It is \*\*not\*\*", demo)
    assert LEAKS in verdicts["condiffusion", "condiffusion_zeroed"]  # the later of the two


def test_numbers_for_machines(generations):
    found = reconstruction_sections.flat_reconstruction_metrics(generations)
    assert found["images_demo_full_above_zeroed_eeg"] is True
    assert found["images_demo_condiffusion_above_condiffusion_zeroed"] is False
    assert found["images_demo_corpus"] == "surrogate images"
    assert found["images_blocks_corpus"] == "EEGCVPR40"
    low, mean, high = (found[f"images_demo_full_cells{end}"] for end in ("_low", "", "_high"))
    assert low <= mean <= high
    assert found["images_demo_full_frechet_cells"] > 0
    json.dumps(found)


def test_traps_are_told(text):
    demo, blocks = text.split("### EEGCVPR40")
    for words in ("averaged into the EEG of an item: 80", "a sample each: 0, 1", "training seeds: 3", "items: 20",
                  "64 × 64 pixels", "CLIP variant: none", "chosen on the validation split;",
                  "**EfficientNet-lite0 also made the features"):  # fmt: skip
        assert words in demo, words
    assert "**these numbers are optimistic**" in blocks


def test_surrogate_published_and_leaking_numbers_are_marked(text):
    captions = re.findall(r"^\*\*(?:Table|Figure) \d+\.\*\* (.+)$", text, re.M)
    marks = {re.search(r"\(([^()]*(?:data|published[^()]*))\)\s*(?:\*\*Warning.*)?$", line)[1] for line in captions}
    assert marks == {
        "surrogate images data", "EEGCVPR40 data", "published, on THINGS-EEG2", "published, on EEGCVPR40",
    }  # fmt: skip
    assert "> **Surrogate data.** No one has seen these pictures" in text
    part = text[text.index("### EEGCVPR40") : text.rindex("**Table", 0, text.index("Published reconstruction"))]
    shown = part.count("**Table") + part.count("**Figure")
    verdicts = 1
    assert part.count(f"**Warning: {LEAKS}.**") == shown + verdicts
    assert LEAKS not in text[: text.index("### EEGCVPR40")]
    published = _rows(text, "Published reconstruction")
    assert published["ATM"]["AlexNet(2)"] == "0.776"
    assert published["SGDM"]["PixCorr"] == "–"
    assert published["Perceptogram"]["PixCorr"] == "0.24–0.29"
    assert "no evidence of decoding" in text


def test_models_stand_with_what_was_trained(text):
    row = _rows(text, "Models that make the images")["structural VAE"]
    assert (row["parameters trained"], row["frozen"]) == ("12,345", "678")
    assert _rows(text, "What the models reached")["structural VAE"]["measured"] == "validation loss"
    assert _rows(text, "What the models reached")["structural VAE"]["value (interval)"] == "0.25"
    rows = _rows(text, "What the scores were measured with")
    assert rows["PixCorr, at 425 px ↑"]["image size in px"] == "425"


def test_scores_that_are_missing_are_named(generations, tmp_path):
    with pytest.raises(InputError, match=r"other: holds no reconstructions"):
        read_generation_results(tmp_path, {}, [("sgdm", "other", "pictures")])
    (tmp_path / "sgdm/other").mkdir(parents=True)
    with pytest.raises(InputError, match=r"sgdm/other/scores.json: no such file"):
        read_generation_results(tmp_path, {}, [("sgdm", "other", "pictures")])


def test_without_studies_there_is_no_such_part(tmp_path):
    doc = Document(tmp_path / "out", "surrogate")
    values = reconstruction_sections.reconstruction_values([], read_published_results())
    template = TEMPLATES.get_template("reconstructions.md.j2")
    assert not template.render(doc=doc, figures={"generations": []}, **values).strip()
