"""The report's part on EEG of seen images: its numbers, protocols, marks and warnings."""

import dataclasses
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
from matplotlib.figure import Figure

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.images.encoders.encoder_settings import EncoderExperiment, seeds_of
from eegdiffusion.images.figures import model_figures
from eegdiffusion.report import encoder_sections, encoder_tables, page_figures
from eegdiffusion.report.document import TEMPLATES, Document
from eegdiffusion.report.encoder_runs import read_encoder_corpora
from eegdiffusion.report.published_results import read_published_results

IMAGES, SUBJECTS = 40, ["sub-01", "sub-02", "sub-03"]
LEAKS = "blocks are confounded with class"
ROWS = {
    "aligned": {"corpus": "demo", "objective": "align", "encoder": "spatiotemporal", "protocols": ["joint"]},
    "permuted": {"corpus": "demo", "objective": "align", "encoder": "ridge", "protocols": ["joint"],
                 "pairs": "permuted", "trainings": 12},
    "ridge": {"corpus": "demo", "objective": "align", "encoder": "ridge", "protocols": ["within", "leave_one_out"],
              "bands": [None, [5, 95]]},
    "linear": {"corpus": "demo", "objective": "align", "encoder": "ridge", "protocols": ["joint"],
               "protocol_sheet": True},
    "eegnet": {"corpus": "blocks", "objective": "classify", "encoder": "eegnet", "protocols": ["within"]},
}  # fmt: skip
SKILL = {"aligned": 0.8, "permuted": 0.0, "ridge": 0.5, "linear": 0.5}


def _write(folder: Path, facts: dict, row: str, seed: int, test: list[str]) -> None:
    """Ranks that are right as often as the row's skill says, or predictions of four classes."""
    draw = np.random.default_rng([*map(ord, row), seed, len(test)])
    folder.mkdir(parents=True)
    facts = facts | {
        "seed": seed,
        "recorded_band": None,
        "warnings": [],
        "layout": "things_eeg2_raw",
        "encoder": row,
        "repetitions": 80,
        "parameters": 1234,
    }
    if row == "eegnet":
        facts |= {"corpus": "EEGCVPR40", "layout": "eegcvpr40", "warnings": [LEAKS], "repetitions": 1}
        facts |= {"concepts": ["a", "b", "c", "d"], "split_rule": "the corpus's own split of images"}
        label = np.tile(np.arange(4), 25)
        for name in test:
            right = draw.random(100) < 0.6
            predicted = np.where(right, label, (label + 1) % 4)
            columns = {f"p{k}": (predicted == k).astype(float) for k in range(4)}
            pandas.DataFrame({"subject": name, "image": label, "label": label, **columns}).to_parquet(
                folder / "classified.parquet"
            )
    else:
        facts |= {"corpus": "surrogate images", "images": IMAGES, "features": "efficientnet_lite0"}
        tables = []
        for name in test:
            for count in (1, 10, 80):
                hit = draw.random(IMAGES) < SKILL[row] * (0.3 if count == 1 else 1)
                rank = np.where(hit, 0, draw.integers(0, IMAGES, IMAGES))
                columns = {"subject": name, "image": np.arange(IMAGES), "repetitions": count, "draw": 0, "rank": rank}
                tables.append(pandas.DataFrame(columns))
        pandas.concat(tables).to_parquet(folder / "ranks.parquet")
    (folder / "metrics.json").write_text(json.dumps(facts))


def _sheet() -> pandas.DataFrame:
    """A protocol sheet in which each choice raises top-1 by so much of 40 images; validation prefers layer a."""
    rows = []
    for electrodes, layer, repetitions, inference in itertools.product(
        (17, 63), ("a", "b"), (1, 80), ("inductive", "transductive (CSLS)")
    ):
        hits = 10 + 4 * (electrodes == 63) + 2 * (layer == "b") + 8 * (repetitions == 80) + (inference[0] == "t")
        columns = {"electrodes": electrodes, "layer": layer, "alpha": 1.0, "repetitions": repetitions}
        columns |= {"inference": inference, "validation_rank": 0.1 + 0.2 * (layer == "b")}
        for name in SUBJECTS:
            rows.append(
                pandas.DataFrame({"subject": name, "image": np.arange(40), "hit": np.arange(40) < hits, **columns})
            )
    return pandas.concat(rows)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for name, row in ROWS.items():
        for protocol in row["protocols"]:
            for band in row.get("bands", [None]):
                folds = {"joint": {"all": SUBJECTS}}.get(protocol, {subject: [subject] for subject in SUBJECTS})
                for fold, test in folds.items():
                    for seed in seeds_of(validate(row, EncoderExperiment, name), protocol, [0, 1]):
                        place = root / name / protocol / ("all" if band is None else "5-95Hz") / fold / f"seed-{seed}"
                        facts = {"protocol": protocol, "band": band, "fold": {"name": fold, "train": [], "test": test}}
                        _write(place, facts, name, seed, test)
    _sheet().to_parquet(root / "linear" / "protocol_sheet.parquet")
    np.save(root / "aligned/joint/all/all/seed-1/stored.npy", np.arange(6.0))
    return read_encoder_corpora(
        root, {name: validate(row, EncoderExperiment, name) for name, row in ROWS.items()}, [0, 1]
    )


def _draw_stored(folder: Path) -> dict[str, Figure]:
    """Stands for the figures of an encoder: it draws what the stage stored, where it stored anything."""
    if not (folder / "stored.npy").is_file():
        return {}
    figure = Figure()
    figure.subplots().plot(np.load(folder / "stored.npy"))
    return {"retrieved": figure}


@pytest.fixture(scope="module")
def drawn(corpora):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(model_figures.DRAWING, "train_eeg_encoder", _draw_stored)
        return [page_figures.draw_encoders(corpus, number) for number, corpus in enumerate(corpora, start=1)]


@pytest.fixture(scope="module")
def text(corpora, drawn, tmp_path_factory):
    doc = Document(tmp_path_factory.mktemp("reports") / "out", "surrogate")
    values = encoder_sections.encoder_values(corpora, read_published_results())
    pages = [TEMPLATES.get_template(name) for name in ("encoders.md.j2", "published_encoders.md.j2")]
    text = "".join(page.render(doc=doc, figures={"encoders": drawn}, **values) for page in pages)
    shown = set(re.findall(r"\]\((figures/eeg\d_\w+\.png)\)", text))
    assert shown == {"figures/eeg1_retrieved.png", "figures/eeg1_repetitions.png"}
    assert shown == {path.relative_to(doc.folder).as_posix() for path in (doc.folder / "figures").iterdir()}
    return text


def _rows(text: str, caption: str) -> dict[str, list[str]]:
    lines = text[text.index(caption) :].splitlines()[2:]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]
    return {f"{row[0]} {row[1]}": dict(zip(table[0], row, strict=True)) for row in table[2:]}


def test_the_figure_of_repetitions_shows_the_scores_and_chance(drawn, corpora):
    panels = drawn[0]["curves"].axes
    assert [ax.get_ylabel() for ax in panels] == ["top-1", "top-5"]
    assert drawn[1]["curves"] is None
    results = {f"{result.label}, {result.protocol}": result for result in corpora[0].aligned}
    for ax, score, guess in zip(panels, ("top1", "top5"), (1 / 40, 5 / 40), strict=True):
        lines = {container.get_label(): container for container in ax.containers}
        # Those with a single band, on recorded pairs; the control and the experiment of bands have tables.
        assert set(lines) == {"aligned, joint", "linear, joint"}
        for name, container in lines.items():
            curve = results[name].repetition_curve()
            assert np.allclose(container.lines[0].get_ydata(), curve[score])
            (whiskers,) = container.lines[2]
            ends = np.array([segment[:, 1] for segment in whiskers.get_segments()])
            assert np.allclose(ends, curve[[f"{score}_low", f"{score}_high"]])
        (chance,) = [line for line in ax.lines if line.get_label() == "chance"]
        assert np.allclose(chance.get_ydata(), guess)


def test_the_protocol_sheet_says_what_each_wrong_choice_inflates(text):
    lines = text[text.index("Protocol sheet: what a score owes") :].splitlines()[2:]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]][2:]
    more = {name: (score.split(" ")[0], difference.split(" ")[0]) for name, score, difference in table}
    (reference,) = (name for name in more if name.startswith("all 63 electrodes, 80 repetitions averaged, inductive"))
    assert "sub-01: a" in reference
    assert more.pop(reference) == ("55.0", "–")
    assert more == {
        "layer a, whatever the validation says": ("55.0", "0.0"),
        "layer b, whatever the validation says": ("60.0", "5.0"),
        "17 parietal and occipital electrodes": ("45.0", "-10.0"),
        "1 repetition averaged": ("35.0", "-20.0"),
        "CSLS, which sees all test epochs at once (transductive)": ("57.5", "2.5"),
        "leaky: layer and penalty chosen on the test images": ("60.0", "5.0"),
        "leaky: layer, penalty and electrodes chosen on the test images, with CSLS": ("62.5", "7.5"),
    }
    assert "17" in text[text.index("Protocol sheet: top-1 in % by layer") :]


def test_what_a_stage_stored_is_drawn(drawn):
    (shown,) = drawn[0]["encoder"]
    assert shown.name == "eeg1_retrieved"
    assert shown.caption.endswith("; aligned, joint")
    assert shown.figure.axes[0].lines[0].get_ydata().tolist() == [0, 1, 2, 3, 4, 5]


def test_every_number_stands_beside_its_protocol(text, corpora):
    rows = _rows(text, "Retrieval of the image seen, by encoder and protocol")
    assert set(rows) == {"aligned joint", "permuted (permuted pairs) joint", "ridge within", "ridge leave_one_out",
                         "linear joint"}  # fmt: skip
    row = rows["aligned joint"]
    ranks = corpora[0].aligned[0].table.query("repetitions == 80")["rank"]
    assert row["top-1, % (interval)"].startswith(f"{100 * (ranks == 0).mean():.1f} (")
    assert row["repetitions averaged"] == "80"
    assert row["candidates"] == "40"
    assert row["chance, %"] == "2.5 / 12.5"
    for name in ("`joint`, trained on all subjects", "`leave_one_out`, trained on all other subjects"):
        assert name in text
    fewer = _rows(text, "Top-1 in % among fewer candidates")["aligned joint"]
    values = [float(fewer[f"{ways}-way"]) for ways in (2, 4, 10, 40)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 85
    each = _rows(text, "Top-1 / top-5 in % of each test subject")["ridge within"]
    assert list(each) == ["encoder", "protocol", *SUBJECTS, "mean"]


def test_the_control_is_judged(text, corpora):
    (control,) = encoder_sections.pairing_controls(corpora[0])
    assert control.trainings == 12
    assert control.candidates == 40
    assert control.at_chance
    assert control.two_way.low < 0.5 < control.two_way.high
    assert control.top1.low < 1 / 40 < control.top1.high
    (compared,) = control.compared
    assert compared.label == "linear, joint"
    assert compared.p == pytest.approx(1 / 13)
    assert compared.two_way > 0.6
    shown = text[text.index("**Permuted-pairing control** (permuted, joint, 12 trainings") :].partition("\n- ")[0]
    assert "**Yes.**" in shown
    assert "(linear, joint)" in shown
    assert "p = 0.077" in shown
    score = _rows(text, "Retrieval of the image seen")["permuted (permuted pairs) joint"]["top-1, % (interval)"]
    assert score == encoder_tables.format_score(control.top1), "its interval is over trainings there, too"


def test_a_control_that_is_not_at_chance_and_one_of_few_trainings(corpora):
    (control,) = encoder_sections.pairing_controls(corpora[0])
    assert dataclasses.replace(control, two_way=Score(0.53, 0.51, 0.55)).at_chance is False
    assert dataclasses.replace(control, trainings=2).at_chance is None


def test_bands_have_a_column_each(text):
    rows = _rows(text, "Frequency bands")
    assert set(rows) == {"ridge within", "ridge leave_one_out"}
    assert list(rows["ridge within"]) == ["encoder", "protocol", "score", "as recorded", "5–95 Hz"]


def test_a_corpus_that_was_filtered_before_it_was_cut_says_so(corpora):
    (run, *_) = (result := corpora[0].aligned[0]).runs
    filtered = dataclasses.replace(run, facts=run.facts | {"recorded_band": [5.0, 95.0]})
    assert result.band_name == "as recorded"
    assert dataclasses.replace(result, runs=[filtered]).band_name == "5–95 Hz before cutting"


def test_surrogate_and_published_are_marked(text):
    captions = re.findall(r"^\*\*(?:Table|Figure) \d+\.\*\* (.+)$", text, re.M)
    assert len(captions) == 11
    marks = {
        re.search(r"\(([^()]*(?:data|published[^()]*))\)\s*(?:\*\*Warning.*)?$", caption)[1] for caption in captions
    }
    assert marks == {
        "surrogate images data", "EEGCVPR40 data", "published, on THINGS-EEG2", "published, on EEGCVPR40",
    }  # fmt: skip
    assert "> **Surrogate data.** No one has seen these pictures" in text
    published = _rows(text, "Published 200-way retrieval")
    assert published["ATM 27.1 / 58.1"]["protocol"].startswith("seen image")


def test_the_leakage_warning_follows_every_number(text):
    part = text[text.index("### EEGCVPR40") : text.rindex("**Table", 0, text.index("Published 200-way"))]
    tables = part.count("**Table")
    assert tables == 1
    assert part.count(f"**Warning: {LEAKS}.**") == tables
    assert f"> **Warning:** {LEAKS}." in part
    surrogate = text[: text.index("### EEGCVPR40")]
    assert LEAKS not in surrogate
    rows = _rows(text, "Classification into 4 concepts")
    assert rows["eegnet within"]["parameters"] == "1,234"
    assert 45 < float(rows["eegnet within"]["mean"].split(" / ")[0]) < 75


def test_a_seed_that_is_missing_is_named(corpora):
    folder = corpora[0].aligned[0].runs[0].folder.parents[4]
    rows = {"aligned": validate(ROWS["aligned"], EncoderExperiment, "aligned")}
    with pytest.raises(InputError, match=r"aligned: lacks seeds \[0, 1, 2\] of protocol joint"):
        read_encoder_corpora(folder, rows, [0, 1, 2])


def test_without_rows_there_is_no_such_part(tmp_path):
    doc = Document(tmp_path / "out", "surrogate")
    values = encoder_sections.encoder_values([], read_published_results())
    for name in ("encoders.md.j2", "published_encoders.md.j2"):
        assert not TEMPLATES.get_template(name).render(doc=doc, figures={"encoders": []}, **values).strip()
