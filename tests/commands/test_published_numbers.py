"""Every number of EEGDM's paper that is quoted, against the paper's tables, which are typed in a file of their own."""

import csv
import re
from pathlib import Path

import pytest

from eegdiffusion import LFT
from eegdiffusion.commands.ablation_families import FAMILIES, entries
from eegdiffusion.core.runtime.settings import load, validate
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.report.published_results import read_published_results

METRICS = {
    "tuev": ("cohen_kappa", "balanced_accuracy", "f1_weighted"),
    "chbmit": ("balanced_accuracy", "auprc", "auroc"),
}

BASE = ("I frozen", "EEGDM")

PRINTED = {
    "pretraining": {"base": BASE, "nolaw": ("II", "no mu-law"), "linear": ("II", "linear schedule")},
    "noise": {"none": BASE, "random": ("II", "noisy forward process")},
    "step": {
        "none": ("III", "No"),
        "scaled, step 0": ("III", "1"),
        "scaled, step 1": ("III", "2"),
        "scaled, step 2": ("III", "3"),
    },
    "latents": {name: ("IV", name) for name in ("std gate", "std filter", "mean gate", "mean filter")},
    "codec": {},
    "channels": {},
    "layers": {"all": BASE}
    | {name: ("V", name) for name in ("first half", "second half")}
    | {f"{name} quarter": ("V", f"{name} quarter") for name in ("first", "second", "third", "fourth")},
    "fusion": {"cross attention": BASE, "none": ("VI", "no fusion"), "mean": ("VI", "mean fusion")},
    "rate": {
        "200 Hz": BASE,
        "190 Hz, reference convention": ("VIII", "190 Hz"),
        "180 Hz, reference convention": ("VIII", "180 Hz"),
    },
}
"""family -> row -> table and row of the paper."""


def _read() -> dict[tuple[str, str], dict]:
    with Path(__file__).with_name("eegdm_tables.csv").open() as file:
        lines = list(csv.DictReader(file))
    rows = {}
    for line in lines:
        scores = [(float(line[k]), float(line[f"{k}_sd"])) for k in ("first", "second", "third")]
        rows[line["table"], line["row"]] = {
            "metrics": dict(zip(METRICS[line["metrics"]], scores, strict=True)),
            "parameters_m": float(line["parameters_m"]) if line["parameters_m"] else None,
        }
    assert len(rows) == len(lines)
    return rows


PAPER = _read()


def _percent(entry: dict, metrics) -> dict:
    return {name: pytest.approx([100 * part for part in entry[name]], abs=1e-9) for name in metrics}


def _same(quoted: dict, printed: dict) -> None:
    assert {name: list(value) for name, value in printed["metrics"].items()} == _percent(quoted, printed["metrics"])
    assert quoted.get("parameters_m") == printed["parameters_m"]
    assert quoted.keys() <= printed["metrics"].keys() | {"parameters_m", "frozen"}


def test_the_tables_of_classifiers_are_whole():
    published = read_published_results()
    for section, tables in {"models": ("I", "I frozen"), "chbmit": ("VII",)}.items():
        printed = {row: table for table, row in PAPER if table in tables}
        assert published[section].keys() == printed.keys()
        for name, table in printed.items():
            _same(published[section][name], PAPER[table, name])
            assert published[section][name].get("frozen", False) == (table == "I frozen")


def test_the_tables_of_ablations_are_whole():
    ablations = read_published_results()["ablations"]
    assert ablations.keys() == PRINTED.keys() == FAMILIES.keys()
    for family, rows in PRINTED.items():
        quoted = {row: entry for row, entry in ablations[family].items() if entry}
        assert quoted.keys() == rows.keys() <= FAMILIES[family].keys()
        assert next(iter(ablations[family])) == next(iter(FAMILIES[family]))
        for row, place in rows.items():
            # A default's size stands in table I, with its backbone.
            size = {"parameters_m": None} if place == BASE else {}
            _same(quoted[row], PAPER[place] | size)
    used = {place for rows in PRINTED.values() for place in rows.values()}
    assert used >= {place for place in PAPER if place[0] not in ("I", "I frozen", "VII")}


NUMBER = r"(?<![\d.])(?:0?\.\d{2,4}|\d{2}\.\d{1,2})(?![\d.])"


@pytest.mark.parametrize("page", ["README.md", *map(str, sorted(Path("docs").glob("*.md")))])
def test_what_pages_quote_is_printed(page):
    """A line of a table that names EEGDM and TUEV quotes its last number, rounded."""
    printed = [value for value, _ in PAPER[BASE]["metrics"].values()]
    for line in Path(page).read_text().splitlines():
        if line.startswith("|") and "EEGDM" in line and line.rstrip(" |").endswith("TUEV"):
            digits = re.findall(NUMBER, line.replace("2508.14086", ""))[-1]
            places = len(digits.partition(".")[2])
            value = float(digits) if float(digits) > 1 else 100 * float(digits)
            assert any(abs(value - each) <= 50 * 10**-places for each in printed), line


LAYERS = {
    "first half": (range(10), 22), "second half": (range(10, 20), 22), "first quarter": (range(5), 28),
    "second quarter": (range(5, 10), 28), "third quarter": (range(10, 15), 28), "fourth quarter": (range(15, 20), 28),
}  # fmt: skip

SETTINGS: dict[str, dict[str, tuple[dict, dict, dict]]] = {
    "pretraining": {"nolaw": ({"backbone": "nolaw"}, {}, {}), "linear": ({"backbone": "linear"}, {}, {})},
    "noise": {"random": ({"noise": "random"}, {}, {})},
    "step": {f"scaled, step {t}": ({"noise": "scaled", "step": t}, {}, {}) for t in range(3)},
    "latents": {
        f"{statistic} {kind}": ({"kind": kind, "statistic": statistic}, {}, {})
        for statistic, kind in (("std", "filter"), ("mean", "gate"), ("mean", "filter"))
    },
    "codec": {"float32": ({}, {}, {})},
    "channels": {"random subsets of 4 or more": ({}, {}, {})},
    "layers": {name: ({}, {}, {"layers": list(used), "encoder_blocks": n}) for name, (used, n) in LAYERS.items()},
    "fusion": {name: ({}, {}, {"fusion": name, "encoder_blocks": 35}) for name in ("none", "mean")},
    "rate": {
        f"{hz} Hz, {convention} convention": ({}, {"rate": hz / 200, "rate_convention": convention}, {})
        for convention in ("reference", "physical")
        for hz in (190, 180)
    },
}
"""family -> row -> fields of the latents, of those that are tested on alone, and of the LFT that differ."""


@pytest.fixture
def document():
    params = load()
    del params["pretrain_ssmdp"]["model"], params["finetune_lft"]["model"]  # the paper's sizes are the defaults
    params["finetune_lft"]["channel_dropout"] = None
    return params


def _without_codec(latents: dict) -> dict:
    """A codec is not the paper's: what it rounds is measured apart."""
    return {name: value for name, value in latents.items() if name != "codec"}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_settings_of_a_family_are_the_papers(document, family):
    sections = entries(family, document)
    rows, latents = sections["ablations"] | sections["lft_tests"], sections["latents"]
    assert {row["name"] for row in rows.values()} == SETTINGS[family].keys()
    base = document["latents"]["base"]
    for row in rows.values():
        trained, tested, model = SETTINGS[family][row["name"]]
        given = _without_codec(latents.get(row["latents"], base))
        assert validate(given, Latents, family) == validate(_without_codec(base) | trained | tested, Latents, family)
        assert row.get("model", {}) == model
        assert (row in sections["lft_tests"].values()) == bool(tested)


@pytest.mark.parametrize(("family", "row"), [(f, r) for f in ("layers", "fusion") for r in SETTINGS[f]])
def test_the_sizes_of_a_family_are_the_papers(document, family, row):
    (model,) = [entry["model"] for entry in entries(family, document)["ablations"].values() if entry["name"] == row]
    parameters = sum(p.numel() for p in LFT(**model).parameters())
    assert round(parameters / 1e6, 1) == PAPER[PRINTED[family][row]]["parameters_m"]
