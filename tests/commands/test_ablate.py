"""Families of ablations become rows of params.yaml."""

import copy
from pathlib import Path

import pytest
import yaml

from components.ablate_lft.compute import row_training
from eegdiffusion.commands.ablate import change, command
from eegdiffusion.commands.ablation_families import FAMILIES, entries, matched_blocks
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import load, validate
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.training.ablation_row import AblationRow, LFTTest
from eegdiffusion.events.training.finetuning_settings import LFTArchitecture, LFTTraining


@pytest.fixture
def document():
    found = load()
    found["pretrain_ssmdp"]["model"]["n_layer"] = 20
    found["ablations"] = {}  # whatever the demo has
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_valid_settings_that_differ_from_the_default(document, family):
    sections = entries(family, document)
    rows, tests, latents = sections["ablations"], sections["lft_tests"], sections["latents"]
    # The demo's LFT is trained as one of the rows of this family already.
    assert len(rows) + len(tests) == len(FAMILIES[family]) - 1 - (family == "channels")
    assert bool(tests) == (family == "rate"), "rows of rates test what is trained, and train nothing"
    base, default = document["latents"]["base"], validate(document["finetune_lft"], LFTTraining, "")
    seen = []
    for key, values in (rows | tests).items():
        row = validate(values, LFTTest if key in tests else AblationRow, key)
        model = validate(document["finetune_lft"]["model"] | values.get("model", {}), LFTArchitecture, key)
        used = validate(latents.get(row.latents, base), Latents, row.latents)
        assert key.isidentifier()
        trained = row_training(key, row, default) if key in rows else default
        assert (model, used, trained.channel_dropout) not in seen
        seen.append((model, used, trained.channel_dropout))
    assert (
        validate(document["finetune_lft"]["model"], LFTArchitecture, ""),
        validate(base, Latents, ""),
        default.channel_dropout,
    ) not in seen


def test_rows_of_channels_are_those_that_the_lft_is_not_trained_as(document):
    rows = entries("channels", document)["ablations"]
    assert [row["training"] for row in rows.values()] == [{"channel_dropout": None}]
    document["finetune_lft"]["channel_dropout"] = None
    rows = entries("channels", document)["ablations"]
    assert [row["training"] for row in rows.values()] == [{"channel_dropout": {"least": 4}}]


def test_the_demo_has_the_row_of_channels_that_its_lft_is_not_trained_as(document):
    """Its report has both LFTs side by side on fewer channels."""
    demo = load()["ablations"]
    rows = entries("channels", document)["ablations"]
    assert {key: row for key, row in demo.items() if row["family"] == "channels"} == rows


def test_layers_are_the_papers_halves_and_quarters(document):
    rows = entries("layers", document)["ablations"]
    assert rows["layers_second_half"]["model"]["layers"] == list(range(10, 20))
    assert rows["layers_third_quarter"]["model"]["layers"] == list(range(10, 15))
    document["pretrain_ssmdp"]["model"]["n_layer"] = 3
    with pytest.raises(InputError, match=r"n_layer: must be at least 4 for the family layers .found 3"):
        entries("layers", document)


def test_without_fusion_the_parameters_are_matched():
    assert [matched_blocks(8, left_out) for left_out in (20, 15, 10, 0)] == [35, 28, 22, 8]

    def size(**options):
        return sum(p.numel() for p in LFT(n_layer=20, **options).parameters())

    assert size(fusion="none", encoder_blocks=35) == pytest.approx(size(), rel=0.02)


def test_families_are_added_and_removed(document):
    document["matrix"]["backbones"] = ["base"]
    before = copy.deepcopy(document)
    change(document, ["pretraining", "rate"], remove=False)
    assert document["ablations"]["pretraining_linear"]["latents"] == "pretraining_linear"
    assert document["latents"]["pretraining_linear"]["backbone"] == "linear"
    assert set(document["matrix"]["backbones"]) == {"base", "linear", "nolaw"}
    row = document["lft_tests"]["rate_190_Hz_reference_convention"]
    assert document["latents"][row["latents"]]["rate"] == 0.95
    assert "rate_190_Hz_reference_convention" not in document["ablations"]
    change(document, ["pretraining", "rate"], remove=True)
    assert document["ablations"] == document["lft_tests"] == {}
    assert document["latents"] == before["latents"]
    document["matrix"]["backbones"] = ["base"]
    change(document, ["pretraining"], remove=True)
    assert document["matrix"]["backbones"] == ["base"], "what is not there adds nothing when it is removed"


def test_the_command_changes_the_file_and_keeps_its_comments(tmp_path, monkeypatch):
    text = Path("params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    before = set(load()["ablations"])
    command.main(["--no-run", "fusion"], standalone_mode=False)
    assert set(load()["ablations"]) - before == {"fusion_none", "fusion_mean"}
    assert before <= set(load()["ablations"])
    command.main(["--no-run", "--remove", "fusion"], standalone_mode=False)
    assert load() == yaml.safe_load(text)
    assert "# Settings of every stage" in (tmp_path / "params.yaml").read_text()


def test_defaults_count_where_the_file_does_not_say(document):
    del document["pretrain_ssmdp"]["model"], document["finetune_lft"]["model"]
    rows = entries("layers", document)["ablations"]
    assert rows["layers_second_half"]["model"]["layers"] == list(range(10, 20)), "of the paper's 20"
    matched = [row["model"]["encoder_blocks"] for row in entries("fusion", document)["ablations"].values()]
    assert matched == [35, 35], "of the paper's 8"
