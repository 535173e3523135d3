import difflib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from components.embed_images.settings import EmbedImages
from components.prepare_generator.settings import PrepareGenerator
from components.pretrain_ssmdp.settings import PretrainSSMDP
from components.train_condiffusion.settings import TrainConDiffusion
from components.train_controlnet.settings import TrainControlNet
from components.train_eeg_encoder.settings import TrainEEGEncoder
from eegdiffusion.commands.own_corpora import BY_CORPUS
from eegdiffusion.commands.params import command, update
from eegdiffusion.commands.params_file import changed, edit
from eegdiffusion.commands.profile import profiles, read_profile
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import PARAMS, load, read
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.training.finetuning_settings import LFTTraining
from eegdiffusion.images.encoders.encoder_settings import EncoderExperiment
from eegdiffusion.operations.configuration.sections import resolved, section_names, section_type
from tests.e2e.workspace import ROOT


def main(words):
    """Run `eeg params`, or raise its error."""
    command.main(words, standalone_mode=False)


@pytest.fixture
def params(tmp_path, monkeypatch):
    shutil.copy(PARAMS, tmp_path)
    (tmp_path / "components").symlink_to(Path("components").resolve())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


@pytest.mark.parametrize("profile", [None, *profiles()])
def test_every_section_is_valid(params, profile):
    if profile:
        main(["profile", profile])
    assert set(section_names()) == set(load())
    for name in section_names():
        read(name, section_type(name))


@pytest.mark.parametrize("name", profiles())
def test_a_profile_says_of_every_field_what_it_is_or_why_it_stands_as_it_does(name):
    profile = read_profile(name)
    fields = list(profile.fields())
    assert len(fields) > 200
    assert {field.partition(".")[0] for field in fields} == set(section_names())
    unsaid = [field for field in fields if not profile.sets(field) and not profile.reasons(field)]
    assert unsaid == [], "neither set nor listed with a reason"
    twice = [field for field in fields if len(profile.reasons(field)) > 1]
    assert twice == [], "one reason each"
    idle = [listed for listed in (*profile.defaults, *profile.kept) if not _are_left(profile, fields, listed)]
    assert idle == [], "a reason for nothing"
    reasons = [*profile.defaults.values(), *profile.kept.values()]
    assert all(isinstance(reason, str) and len(reason) > 5 for reason in reasons)


def _are_left(profile, fields: list[str], listed: str) -> list[str]:
    """Fields that stand as a reason says."""
    return [field for field in fields if listed in profile.reasons(field) and not profile.sets(field)]


def test_a_field_that_a_profile_forgets_is_noticed():
    profile = read_profile("paper")
    for name in ("pretrain_ssmdp.optimisation.one_cycle", "cache_latents", "embed_images"):
        lists = [{k: v for k, v in each.items() if k != name} for each in (profile.defaults, profile.kept)]
        forgetful = replace(profile, defaults=lists[0], kept=lists[1])
        unsaid = [f for f in forgetful.fields() if not forgetful.sets(f) and not forgetful.reasons(f)]
        assert unsaid
        assert all(field.startswith(name) for field in unsaid)
    assert not profile.sets("pretrain_ssmdp.optimisation.one_cycle")


@pytest.mark.parametrize("name", profiles())
def test_a_profile_puts_fields_in_place_or_back_to_their_default_and_leaves_the_rest(params, name):
    profile = read_profile(name)
    changed = {
        "pretrain_ssmdp.seed": 5, "cache_latents.batch_size": 3, "probe_latents.draws": 2, "hardware.devices": 2,
        "train_controlnet.control.end": 0.5, "train_condiffusion.words": {"x": "y"}, "prepare_generator.seed": 3,
        "matrix.labels": ["recorded"], "ingest_images.seed": 1, "train_structural_vae.vae.loss.beta": 0.5,
    }  # fmt: skip
    with edit() as document:
        update(document, unflatten(changed))
    before = {section: resolved(section) for section in section_names()}
    main(["profile", name])
    document = load()
    for field, value in changed.items():
        if under := profile.reasons(field):
            assert (field_of(document, field) == value) == (under[0] in profile.kept)
    for section, value in profile.settings.items():
        assert resolved(section) == filled(resolved(section), value), section
    for listed in profile.kept:
        section, *parts = listed.split(".")
        after, was = resolved(section), before[section]
        for part in parts:
            after, was = after[part], was[part]
        if section in profile.where_missing:
            after = {entry: after[entry] for entry in was}
        assert after == was
    for listed in profile.defaults:
        if "*" not in listed:
            assert not field_of(document, listed), "stands in the file no more"
    again = params.read_text()
    main(["profile", name])
    assert params.read_text() == again


def unflatten(values: dict) -> dict:
    nested: dict = {}
    for name, value in values.items():
        *parents, field = name.split(".")
        part = nested
        for parent in parents:
            part = part.setdefault(parent, {})
        part[field] = value
    return nested


def field_of(document: dict, name: str):
    for part in name.split("."):
        document = document.get(part, {}) if isinstance(document, dict) else {}
    return document


def filled(values, changes):
    """Return values with changes in the place of what they have."""
    if not isinstance(changes, dict) or not isinstance(values, dict):
        return list(changes) if isinstance(changes, tuple) else changes
    return values | {name: filled(values.get(name), change) for name, change in changes.items()}


def test_corpora_of_the_users_stay_and_those_of_a_paper_are_added(params):
    main(["set", "image_corpora.things={root: /mnt/things, layout: things_eeg2_raw, epochs: official}"])
    main(["profile", "paper-things"])
    assert load()["image_corpora"]["things"] == {
        "root": "/mnt/things", "layout": "things_eeg2_raw", "epochs": "official",
    }  # fmt: skip
    main(["profile", "paper-eegcvpr40"])
    assert load()["image_corpora"]["eegcvpr40"]["layout"] == "eegcvpr40"


@pytest.mark.parametrize("name", [name for name in profiles() if name != "paper"])
def test_what_a_profile_of_pictures_names_is_there(params, name):
    """Rows name corpora, studies name encoders, and encoders are built with their options at the corpus's sizes."""
    import torch

    from eegdiffusion.images.encoders.registry import build_encoder

    main(["profile", name])
    document = load()
    rows, corpora = document["eeg_encoders"], document["image_corpora"]
    assert {row["corpus"] for row in rows.values()} == set(document["matrix"]["generated"]) <= set(corpora)
    assert {corpora[name]["epochs"] for name in document["matrix"]["generated"]} <= set(document["epochs"])
    for study in (*document["sgdm"].values(), *document["condiffusion"].values()):
        row = rows[study.get("semantics", study.get("classifier"))]
        assert row["corpus"] == study["corpus"]
        assert "joint" in row["protocols"]
    channels, samples, outputs = (63, 250, 1024) if name == "paper-things" else (128, 440, 40)
    for row in rows.values():
        sizes = {"n_chans": channels, "n_times": samples, "n_outputs": outputs}
        with torch.device("meta"):
            build_encoder(row["encoder"], **sizes | row.get("options", {}))


def test_the_paper_profiles_of_pictures_hold_the_papers_numbers(params):
    main(["profile", "paper-things"])
    nice = read("train_eeg_encoder", TrainEEGEncoder).align.optimisation
    assert (nice.batch_size, nice.max_epochs, nice.learning_rate, nice.betas) == (1000, 200, 2e-4, (0.5, 0.999))
    assert read("prepare_generator", PrepareGenerator).image_size == 512
    assert read("embed_images", EmbedImages).model == "clip"
    assert read("train_controlnet", TrainControlNet).optimisation.learning_rate == 1e-5
    main(["profile", "paper-eegcvpr40"])
    row = read("eeg_encoders.eegconvnet", EncoderExperiment)
    assert (row.options["tokens"], row.options["width"]) == (77, 768)
    classify = read("train_eeg_encoder", TrainEEGEncoder).classify
    assert (classify.classes, classify.optimisation.batch_size, classify.optimisation.learning_rate) == (40, 16, 1e-3)
    assert read("train_condiffusion", TrainConDiffusion).denoising.min_snr_gamma is None


def test_the_paper_profile_holds_the_papers_numbers(params):
    """EEGDM's settings as facts state them: backbone 5.93 M, LFT 6.90 M parameters, and their optimisation."""
    main(["profile", "paper"])
    pretraining, lft = read("pretrain_ssmdp", PretrainSSMDP), read("finetune_lft", LFTTraining)
    assert (pretraining.optimisation.batch_size, pretraining.optimisation.max_epochs) == (108, 100)
    assert pretraining.optimisation.betas == (0.9, 0.999)
    assert pretraining.optimisation.learning_rate == 1e-4
    assert lft.optimisation.batch_size * lft.optimisation.accumulate_batches == 256
    assert (lft.optimisation.min_epochs, lft.optimisation.patience, lft.label_smoothing) == (20, 3, 0.1)
    assert lft.model.token_scale == 1
    assert read("latents.base", Latents).step == 1
    document = yaml.safe_load(params.read_text())
    assert document["matrix"]["seeds"] == [0, 1, 2, 3, 4]

    from dataclasses import asdict

    from eegdiffusion import LFT, SSMDP

    backbone = SSMDP(**asdict(pretraining.model))
    assert round(sum(p.numel() for p in backbone.parameters()) / 1e6, 2) == 5.93
    model = LFT(d_model=128, n_layer=20, n_pool=5, n_channel=22, n_class=6, **asdict(lft.model))
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == 6.90


def _difference(before: str, after: str) -> list[str]:
    """Lines that were taken out (-) and added (+)."""
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line.rstrip("\n") for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (["hardware.devices=2"], ["+   devices: 2"]),
        (["matrix.seeds=[7]"], ["-   seeds: [0, 1]", "+   seeds: [7]"]),
        (
            ["hardware.accelerator=gpu"],
            [
                "-   accelerator: cpu            # cpu | gpu | auto",
                "+   accelerator: gpu            # cpu | gpu | auto",
            ],
        ),
        (["preprocess_events.scheduler=tcp://a:1"], ["+   scheduler: tcp://a:1"]),
        (["cache_latents.batch_size=4"], ["- cache_latents: {}", "+ cache_latents: {batch_size: 4}"]),
        (["train_controlnet.denoising.condition_dropout=0.2"], ["+   denoising: {condition_dropout: 0.2}"]),
        (["train_eeg_encoder.align.temperature=5e-2"], ["+     temperature: 0.05"]),
        (["preprocess_events.filtering.notch_hz=60"], ["-   filtering: {}", "+   filtering: {notch_hz: 60}"]),
        (["latents.new={backbone: base, corpus: tuev}"], ["+   new: {backbone: base, corpus: tuev}"]),
        (["hardware.accelerator=cpu"], []),
    ],
)
def test_setting_a_field_changes_its_line_alone(params, words, difference):
    before = params.read_text()
    main(["set", *words])
    assert _difference(before, params.read_text()) == difference


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["hardware.devices=2"], ["params.yaml: hardware.devices: 2 (added)"]),
        (
            ["matrix.seeds=[7]", "hardware.accelerator=gpu"],
            ["params.yaml: matrix.seeds: [7] (was [0, 1])", "params.yaml: hardware.accelerator: gpu (was cpu)"],
        ),
        (["hardware.accelerator=cpu"], ["params.yaml: has these values already; nothing is changed"]),
    ],
)
def test_a_change_is_printed(params, capsys, words, lines):
    main(["set", *words])
    assert capsys.readouterr().out.splitlines() == lines


def test_a_profile_and_a_family_say_what_they_change(params, capsys):
    from eegdiffusion.commands.ablate import command as ablate

    main(["set", "ablations={}"])
    capsys.readouterr()
    main(["profile", "paper"])
    lines = capsys.readouterr().out.splitlines()
    assert "params.yaml: matrix.seeds: [0, 1, 2, 3, 4] (was [0, 1])" in lines
    assert all(len(line) < 250 and line.startswith("params.yaml: ") for line in lines)
    ablate.main(["fusion", "--no-run"], standalone_mode=False)
    added = capsys.readouterr().out.splitlines()
    assert [line.partition(": {")[0] for line in added] == [
        f"params.yaml: ablations.fusion_{name}" for name in ("none", "mean")
    ]
    assert all(line.endswith(" (added)") for line in added)
    ablate.main(["fusion", "--no-run", "--remove"], standalone_mode=False)
    assert capsys.readouterr().out == "params.yaml: ablations: takes out fusion_none, fusion_mean\n"
    ablate.main(["fusion", "step", "--no-run"], standalone_mode=False)
    capsys.readouterr()
    ablate.main(["fusion", "--no-run", "--remove"], standalone_mode=False)
    assert sorted(line.partition(" (was {")[0] for line in capsys.readouterr().out.splitlines()) == [
        "params.yaml: ablations.fusion_mean: taken out",
        "params.yaml: ablations.fusion_none: taken out",
    ]


@pytest.mark.parametrize("kind", ["CRLF", "no end of line", "BOM", "blank lines", "tabs in comments"])
def test_a_file_keeps_its_bytes_but_for_the_change(params, kind):
    text = params.read_text()
    text = {
        "CRLF": text.replace("\n", "\r\n"),
        "no end of line": text.rstrip("\n"),
        "BOM": f"\ufeff{text}",
        "blank lines": f"\n\n{text}\n\n\n# end\n",
        "tabs in comments": text.replace("  # ", "  #\t"),
    }[kind]
    params.write_bytes(text.encode())
    main(["set", "matrix.seeds=[7]", "latents.new={backbone: base, corpus: tuev}"])
    after = params.read_bytes().decode()
    eol = "\r\n" if kind == "CRLF" else "\n"
    expected = text.replace("seeds: [0, 1]", "seeds: [7]")
    row = f"  scp: {{backbone: base, corpus: scp, pool_s: 0.5}}{eol}"
    assert after == expected.replace(row, f"{row}  new: {{backbone: base, corpus: tuev}}{eol}")


def test_setting_a_field_keeps_the_comments(params):
    before = params.read_text()
    main(["set", "hardware.devices=2", "preprocess_events.scheduler=tcp://a:1", "matrix.seeds=[7]"])
    after = yaml.safe_load(params.read_text())
    assert after["hardware"]["devices"] == 2
    assert after["matrix"]["seeds"] == [7]
    assert after["preprocess_events"]["scheduler"] == "tcp://a:1"
    assert [re.findall("#.*", line) for line in before.splitlines() if "#" in line] == [
        re.findall("#.*", line) for line in params.read_text().splitlines() if "#" in line
    ]


def test_families_come_and_go_and_leave_the_file_as_it_was(params):
    from eegdiffusion.commands.ablate import command as ablate

    before = params.read_text()
    ablate.main(["fusion", "rate", "--no-run"], standalone_mode=False)
    added = _difference(before, params.read_text())
    assert [line for line in added if line[0] == "-"] == ["- lft_tests: {}"]
    had = yaml.safe_load(before)
    rows, latents = (
        sum(len(load()[name]) - len(had[name]) for name in names)
        for names in (("ablations", "lft_tests"), ("latents",))
    )
    assert rows == len(added) - 2 - latents > 4
    ablate.main(["fusion", "rate", "--remove", "--no-run"], standalone_mode=False)
    assert params.read_text() == before


DOCUMENT = """\
a:   # of a
  b: 1   # one

  # about c
  c:
    - 1
    - 2   # two
d: {e: 1,
  f: [1, 2]}   # flow
g:
h: last"""


@pytest.mark.parametrize(
    ("path", "value", "removed", "expected"),
    [
        ("a.b", 2, False, DOCUMENT.replace("b: 1 ", "b: 2 ")),
        ("a.c", [3], False, DOCUMENT.replace("c:\n    - 1\n    - 2   # two", "c: [3]   # two")),
        ("a.x", {"y": 1}, False, DOCUMENT.replace("# two\n", "# two\n  x: {y: 1}\n")),
        ("a.b", None, True, DOCUMENT.replace("  b: 1   # one\n", "")),
        ("d.e", None, True, DOCUMENT.replace("{e: 1,\n  f", "{f")),
        ("d.f", None, True, DOCUMENT.replace(",\n  f: [1, 2]", "")),
        ("d.x.y", 1, False, DOCUMENT.replace("[1, 2]}", "[1, 2], x: {y: 1}}")),
        ("g", None, False, DOCUMENT.replace("g:", "g: null")),
        ("g.x", 1, False, DOCUMENT.replace("g:", "g: {x: 1}")),
        ("h", "x: y", False, DOCUMENT.replace("last", "'x: y'")),
        ("z", True, False, f"{DOCUMENT}\nz: true\n"),
    ],
)
def test_only_what_changes_is_written(path, value, removed, expected):
    after = changed(DOCUMENT, path.split("."), value, removed)
    assert after == expected
    yaml.safe_load(after)


def test_a_file_with_anchors_is_refused_where_an_edit_would_change_two_places(params):
    text = params.read_text().replace("control: {strength: 0.4}", "control: &c {strength: 0.4}", 1)
    text = text.replace("control: {strength: 0.4}", "control: *c", 1)
    params.write_text(text)
    with pytest.raises(InputError, match="is written in a way that cannot be edited"), edit() as document:
        document["reconstruct_sgdm"]["control"] = {"strength": 0.5}
    assert params.read_text() == text


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["hardware.devises=2"], "no such field"),
        (["hardware.devises=2"], "did you mean 'hardware.devices'"),
        (["nowhere.x=1"], "no such field"),
        (["hardwre.devices=2"], "did you mean 'hardware.devices'"),
        (["finetune_lft.optimisation.emma.beta=0.5"], "did you mean 'finetune_lft.optimisation.ema.beta'"),
        (["latents.bsae.step=1"], "did you mean 'latents.base.step'"),
        (["latents.base.stpe=1"], "did you mean 'latents.base.step'"),
        (["hardware.devices=many"], "params.yaml: hardware.devices: Input should be a valid integer"),
        (["hardware.devices=0"], "hardware.devices: Input should be greater than or equal to 1 (found 0)"),
        (["hardware.nodes=2", "latents.new={backbone: base}"], "params.yaml: latents.new.corpus"),
        (["train_baselines.optimisation.betas=[0.9, 1.5]"], "train_baselines.optimisation.betas.1"),
        (["hardware"], "section.field=value"),
        (['hardware.devices="2"'], "params.yaml: hardware.devices: must be a number (found the text '2')"),
        (["hardware.devices=true"], "params.yaml: hardware.devices: must be a number (found True)"),
        (["hardware.devices=2.5"], "hardware.devices"),
        (["matrix.seeds=['0', 1]"], "params.yaml: matrix.seeds.0: must be a number (found the text '0')"),
        (["backbones.base.mu_law=1"], "params.yaml: backbones.base.mu_law: must be true or false (found 1)"),
        (["backbones.base.mu_law='yes'"], "params.yaml: backbones.base.mu_law: must be true or false (found 'yes')"),
        (["finetune_lft.optimisation.learning_rate='0.1'"], "learning_rate: must be a number (found the text '0.1')"),
        (["finetune_lft.corpus=5"], "params.yaml: finetune_lft.corpus: Input should be a valid string"),
        (["matrix.backbones=base"], "params.yaml: matrix.backbones: Input should be a valid list"),
        (["finetune_lft=3"], "params.yaml: finetune_lft"),
        (["latents.base={backbone"], "is no value in YAML"),
        (["finetune_lft.optimisation.learning_rate=.inf"], "learning_rate: Input should be a finite number"),
        (["=3"], "section.field=value"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_changes(params, words, rule):
    before = params.read_text()
    with pytest.raises(InputError, match=re.escape(rule)):
        main(["set", *words])
    assert params.read_text() == before


def _corpora(params) -> dict:
    document = yaml.safe_load(params.read_text())
    return {name: document[name] for name in (*BY_CORPUS, "image_corpora", "event_corpora")}


@pytest.fixture
def edf(tmp_path):
    """A folder that looks like TUEV's."""
    for part in ("train", "eval"):
        (tmp_path / "tuev" / "edf" / part).mkdir(parents=True)
    return str(tmp_path / "tuev" / "edf")


def test_the_demos_images_do_not_stand_beside_a_real_tuev(params, edf):
    assert _corpora(params)["eeg_encoders"]
    main(["corpora", "--tuev", edf])
    found = _corpora(params)
    assert found["event_corpora"] == {"tuev": {"root": edf, "layout": "tuev"}}
    assert all(found[name] == {} for name in (*BY_CORPUS, "image_corpora"))
    assert yaml.safe_load(params.read_text())["matrix"]["generated"] == []


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--tuev", "nowhere/edf"], "nowhere/edf: no such folder; --tuev (TUEV_ROOT)"),
        (["--things", "nowhere"], "nowhere: no such folder; --things (THINGS_ROOT)"),
        (["--tuev", "params.yaml"], "params.yaml: is no folder; --tuev (TUEV_ROOT)"),
        (["--tuev", "{edf}", "--things", "nowhere"], "nowhere: no such folder; --things"),
        (["--tuev", "{edf}/.."], "must hold train/ and eval/ (missing: train, eval); is it"),
        (["--tuev", "{edf}/train"], "must hold train/ and eval/ (missing: train, eval)"),
        (["--things", "{edf}"], "holds neither THINGS-EEG2's"),
        ([], "--tuev, --things: give one of them, or both"),
    ],
)
def test_a_corpus_that_is_not_there_changes_nothing(params, edf, words, rule):
    before = params.read_text()
    with pytest.raises(InputError, match=re.escape(rule)):
        main(["corpora", *(word.format(edf=edf) for word in words)])
    assert params.read_text() == before


def test_a_home_that_no_shell_has_written_out_is(params, edf, monkeypatch):
    monkeypatch.setenv("HOME", str(Path(edf).parent))
    main(["corpora", "--tuev", "~/edf/"])
    assert _corpora(params)["event_corpora"]["tuev"]["root"] == edf


def test_a_full_disk_leaves_the_file_as_it_was(params):
    before = params.read_bytes()
    words = [sys.executable, "-m", "eegdiffusion.commands", "params", "set", "hardware.devices=2"]
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
    code = f"{limit}os.execv(sys.executable, {words!r})"
    (params.parent / "dvc.yaml").touch()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=params.parent, capture_output=True, text=True, env=environment
    )
    assert process.returncode == 75, process.stderr
    assert "params.yaml: could not be written" in process.stderr
    assert "Traceback" not in process.stderr
    assert params.read_bytes() == before
    assert not list(params.parent.glob(".writing*"))


def test_a_linked_file_and_its_mode_stay(params, tmp_path):
    kept = tmp_path / "elsewhere.yaml"
    params.rename(kept)
    kept.chmod(0o664)
    params.symlink_to(kept)
    main(["set", "hardware.devices=2"])
    assert params.is_symlink()
    assert yaml.safe_load(kept.read_text())["hardware"]["devices"] == 2
    assert kept.stat().st_mode & 0o777 == 0o664


def test_a_things_corpus_alone_leaves_the_demos_events_out_and_tuev_brings_the_branch_back(params, edf, tmp_path):
    from dvc.repo import Repo

    before = yaml.safe_load(params.read_text())
    (tmp_path / "things/sub-01/ses-01").mkdir(parents=True)
    (tmp_path / "things/sub-01/ses-01/raw_eeg_training.npy").touch()
    main(["corpora", "--things", str(tmp_path / "things")])
    alone = yaml.safe_load(params.read_text())
    assert alone["event_corpora"] == alone["latents"] == {}
    empty = {name: [] for name in ("backbones", "labels", "probes", "baselines")}
    assert alone["matrix"] == empty | {"seeds": [0, 1], "generated": ["things"]}
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        stages = {stage.addressing.partition("@")[0] for stage in repo.index.stages}
    assert stages >= {"ingest_images", "train_eeg_encoder", "report"}
    assert not stages & {"ingest_events", "pretrain_ssmdp", "cache_latents", "finetune_lft", "train_baselines"}
    main(["corpora", "--tuev", edf, "--things", str(tmp_path / "things")])
    after = yaml.safe_load(params.read_text())
    assert after["matrix"] == before["matrix"] | {"generated": ["things"]}
    assert after["latents"] == {"base": before["latents"]["base"]}
    assert after["event_corpora"] == {"tuev": {"root": edf, "layout": "tuev"}}


def test_a_things_corpus_takes_the_demos_place_and_its_rows_stay(params, edf, tmp_path):
    before = _corpora(params)
    folder = tmp_path / "things/sub-01/ses-01"
    folder.mkdir(parents=True)
    (folder / "raw_eeg_training.npy").touch()
    main(["corpora", "--tuev", edf, "--things", str(tmp_path / "things")])
    before["event_corpora"] = {"tuev": {"root": edf, "layout": "tuev"}}
    document = yaml.safe_load(params.read_text())
    assert document["probe_tasks"] == {}, "their real trials are the demo's too"
    assert list(document["event_tasks"]) == ["distinct"], "of the corpus that takes the surrogate's place"
    assert list(document["latents"]) == ["base"]
    found = _corpora(params)
    wanted = {"root": str(tmp_path / "things"), "layout": "things_eeg2_raw", "epochs": "nice"}
    others = {name: {k: row for k, row in before[name].items() if row["corpus"] == "things"} for name in BY_CORPUS}
    assert found == before | others | {"image_corpora": {"things": wanted}}
    main(["corpora", "--tuev", edf])
    assert _corpora(params)["image_corpora"] == {"things": wanted}, "it is no surrogate and stays"
    (folder / "raw_eeg_training.npy").unlink()
    with pytest.raises(InputError, match="holds neither THINGS-EEG2's"):
        main(["corpora", "--things", str(tmp_path)])


def test_the_schema_is_written_and_compared(params):
    main(["schema"])
    written = Path("params.schema.json").read_text()
    main(["schema", "--check"])
    Path("params.schema.json").write_text("{}")
    with pytest.raises(InputError, match=r"params\.schema\.json: is not what the settings classes say"):
        main(["schema", "--check"])
    main(["schema"])
    assert Path("params.schema.json").read_text() == written


@pytest.mark.parametrize("name", ["a$(touch x)", "a`b`", "../a", "-a", "a\nb", "a b"])
def test_an_entry_gets_no_other_name_than_one(params, name):
    before = Path("params.yaml").read_bytes()
    entry = "={root: x, layout: tuev}"
    for assignment in (f"event_corpora.{name}{entry}", f"matrix.backbones=[{name!r}]", f"{name}=1"):
        with pytest.raises(InputError):
            main(["set", "--", assignment])
    assert Path("params.yaml").read_bytes() == before
