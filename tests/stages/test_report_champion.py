"""The registry's champion on the report's page: kept by the registry's commands, and no dependency of DVC's."""

import json
from pathlib import Path

import pandas
import pytest

from eegdiffusion.events.results.champion_predictions import ChampionPredictions, read_champion, write_champion
from tests.stages.test_report import build

SEED = "models/lft/recorded/seed-{}/predictions.parquet"


@pytest.fixture
def built(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build(tmp_path)
    return tmp_path


def _tables(path: str, seeds=(0, 1, 2)) -> dict[str, pandas.DataFrame]:
    return {f"seed-{seed}": pandas.read_parquet(path.format(seed)) for seed in seeds}


def _again() -> str:
    from components.report.__main__ import main

    main([])
    return Path("reports/report.md").read_text()


def test_the_champion_stands_beside_the_lft_and_in_no_metric(built):
    before = {name: Path("reports", name).read_text() for name in ("headline.json", "metrics.json")}
    write_champion("lft", ChampionPredictions("7", _tables("models/baselines/sparcnet/seed-{}/predictions.parquet")))
    text = _again()
    assert "LFT beats champion (version 7) by" in text
    assert "beats champion (version 7)" in Path("reports/report.html").read_text()
    assert {name: Path("reports", name).read_text() for name in before} == before


@pytest.mark.parametrize("change", ["itself", "other windows", "fewer windows", "one seed of it", "none"])
def test_a_champion_is_compared_where_the_windows_are_the_same(built, change):
    tables = _tables(SEED)
    if change == "other windows":
        tables = {name: table.assign(start_sample=table["start_sample"] + 1) for name, table in tables.items()}
    elif change == "fewer windows":
        tables = {name: table.iloc[1:].reset_index(drop=True) for name, table in tables.items()}
    elif change == "one seed of it":
        tables = {"seed-2": tables["seed-2"]}
    write_champion("lft", None if change == "none" else ChampionPredictions("3", tables))
    text = _again()
    expected = {
        "itself": "This is the champion (version 3).",
        "other windows": "The champion (version 3) was tested on other windows and is not compared.",
        "fewer windows": "The champion (version 3) was tested on other windows and is not compared.",
        "one seed of it": "of LFT from champion (version 3)",
    }
    if change == "none":
        assert "champion" not in text
    else:
        assert expected[change] in text


def test_what_is_kept_of_a_champion_is_replaced_and_removed(built):
    write_champion("lft", ChampionPredictions("1", _tables(SEED)))
    write_champion("lft", ChampionPredictions("2", _tables(SEED, seeds=(0,))))
    champion = read_champion("lft")
    assert (champion.version, list(champion.predictions)) == ("2", ["seed-0"])
    assert json.loads(Path("models/champions/lft/champion.json").read_text())["version"] == "2"
    write_champion("lft", None)
    assert read_champion("lft") is None
    assert not Path("models/champions/lft").exists()
