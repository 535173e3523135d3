"""The command ``eeg``: where it acts, how fast it answers, and what it says of typos."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from eegdiffusion.commands import checkout
from eegdiffusion.commands.app import COMMANDS, app
from eegdiffusion.commands.command_line import Command, SeveralOption
from tests.e2e.workspace import ROOT, environment

HEAVY = ("torch", "mlflow", "lightning", "pandas", "scipy", "mne", "matplotlib", "dvc", "transformers", "diffusers")


def command_paths(group=app, above=()):
    """The words of every command, e.g. ("params", "set")."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*above, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from command_paths(command, (*above, name))


def eeg(*words, cwd, **variables):
    """Run ``eeg`` in a process of its own, with this library; the environment names no server."""
    settings = environment(warm=False) | {"PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-m", "eegdiffusion.commands", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True)


def timed(*words, cwd=ROOT):
    """Run ``eeg``; return its status, CPU seconds, and which of the heavy libraries it has imported.

    Other processes on the machine slow this one down: of three tries the quickest counts.
    """
    code = f"""
import sys
from eegdiffusion.commands.app import main
try:
    main({list(map(str, words))})
except SystemExit as stop:
    print("IMPORTED", stop.code, *(name for name in {HEAVY} if name in sys.modules))
"""
    seconds = []
    while len(seconds) < 3 and (not seconds or seconds[-1] > 0.4):
        settings = environment(warm=False) | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=cwd, env=settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        printed = process.stdout.read().decode()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        seconds.append(usage.ru_utime + usage.ru_stime)
    status, *imported = printed.partition("IMPORTED ")[2].split()
    return int(status), min(seconds), imported


REFERENCE = "import pydantic.dataclasses, click, yaml"
REFERENCE_SECONDS = 0.2
"""CPU seconds of a process with these imports on an idle core of the machine that the bars are for."""


def slowness():
    """How many times as long as on that machine, and idle, a process takes here and now; at least 1."""
    before = os.times()
    subprocess.run([sys.executable, "-c", REFERENCE], check=True)
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    return max(1, seconds / REFERENCE_SECONDS)


@pytest.fixture
def clone(tmp_path):
    """A folder that looks like a clone, without a library of its own."""
    root = tmp_path / "clone"
    (root / "deep" / "er").mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml"):
        (root / name).write_text((ROOT / name).read_text())
    (root / "components").symlink_to(ROOT / "components")
    return root


def test_the_list_of_commands_costs_half_a_second():
    status, seconds, imported = timed("--help")
    assert status == 0
    assert not imported
    assert seconds < 0.5 * slowness()


@pytest.mark.parametrize("words", command_paths(), ids=" ".join)
def test_help_of_every_command_comes_at_once(words):
    status, seconds, imported = timed(*words, "--help")
    assert status == 0
    assert not imported
    assert seconds < slowness()
    printed = CliRunner().invoke(app, [*words, "--help"], prog_name="eeg").output
    assert printed.startswith(f"Usage: eeg {' '.join(words)} ")
    assert len(printed.splitlines()) > 4


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["predict", "none.edf", "--out", "events.csv"], 65),
        (["predict", "README.md", "--out", "events.txt"], 65),
        (["predict", "README.md", "--out", "events.csv", "--threshold", "2"], 2),
        (["predict", "README.md", "--out", "events.csv", "--device", "gpu"], 65),
        (["generate", "none.npy", "--out", "pictures"], 65),
        (["evaluate", "--store", "none"], 65),
        (["import-checkpoint", "none.ckpt"], 65),
        (["operating-points", "--reference", "none", "--predictions", "none"], 65),
        (["adapt", "sub-09"], 2),
        (["adapt", "sub-09", "--corpus", "none"], 65),
        (["adapt", "sub-09", "--corpus", "../x"], 65),
        (["score", "--reference", "none", "--predictions", "none"], 65),
        (["export", "lft", "README.md"], 65),
        (["export", "lft", "eegdiffusion"], 65),
        (["export", "lft", "exported", "--unit", "dB"], 2),
        (["promote", "--propose", "--approved"], 2),
        (["reproduce"], 2),
        (["lineage", "nosuch"], 65),
        (["data-card", "nosuch"], 65),
        (["crate", "docs"], 65),
        (["backup", "docs"], 65),
        (["restore", "docs"], 65),
        (["repro", "--jobs", "0"], 2),
        (["surrogate", "tuev", "--seconds", "20"], 65),
        (["example", "recording", "recording.csv"], 65),
        (["example", "epochs", "epochs.edf"], 65),
        (["params", "set", "nosuch.field=1"], 65),
        (["params", "set", "hardware.devises=1"], 65),
        (["promote", "nosuch"], 65),
        (["promote", "--rollback", "nosuch"], 65),
        (["repro", "nosuch"], 65),
        (["plan", "nosuch"], 65),
        (["plan", "--gpu", "nosuch"], 65),
        (["plan", "--size", "tuev=3"], 65),
        (["plan", "--profile", "nosuch"], 2),
        (["repro", "--jobs", "2", "--alone", "nosuch"], 65),
    ],
)
def test_an_error_of_an_argument_comes_before_anything_heavy(words, status):
    code, seconds, imported = timed(*words)
    assert code == status
    assert not imported
    assert seconds < slowness()


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["predcit"], "predict"),
        (["params", "profil"], "profile"),
        (["surrogate", "tuve"], "tuev"),
        (["predict", "r.edf", "--modle", "x"], "--model"),
        (["repro", "--jobs", "2", "--alon", "x"], "--alone"),
        (["ablate", "fusoin"], "fusion"),
        (["params", "profile", "papr"], "paper"),
        (["surrogate", "things", "--stimuli", "tangrms"], "tangrams"),
        (["evaluate", "--split", "tset"], "test"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_word(words, near):
    result = CliRunner().invoke(app, words, prog_name="eeg")
    assert result.exit_code == 2
    assert f"did you mean {near!r}?" in result.output.lower()


def test_a_typo_in_a_field_is_answered_with_the_nearest(clone):
    done = eeg("params", "set", "finetune_lft.optimisaton.learning_rate=1", cwd=clone)
    assert done.returncode == 65
    assert "did you mean 'finetune_lft.optimisation.learning_rate" in done.stderr


def test_the_nearest_folder_upward_with_a_graph_is_acted_on(clone):
    done = eeg("params", "set", "hardware.devices=3", cwd=clone / "deep" / "er")
    assert done.returncode == 0, done.stderr
    assert "devices: 3" in (clone / "params.yaml").read_text(), done.stderr
    assert "devices: 3" not in (ROOT / "params.yaml").read_text()


def test_paths_are_relative_to_where_the_user_stands(clone):
    for folder in (clone, clone / "deep"):
        for part in ("train", "eval"):
            (folder / "edf" / part).mkdir(parents=True)
    assert eeg("params", "corpora", "--tuev", "edf", cwd=clone / "deep").returncode == 0
    assert f"root: {clone}/deep/edf" in (clone / "params.yaml").read_text()
    assert eeg("params", "corpora", "--tuev", "edf", cwd=clone).returncode == 0
    assert "root: edf" in (clone / "params.yaml").read_text()


def test_outside_of_a_clone_a_command_that_needs_one_says_so(tmp_path):
    done = eeg("register", cwd=tmp_path)
    assert done.returncode == 65
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"register: {tmp_path}: no folder from here upward holds dvc.yaml")


@pytest.mark.parametrize("words", [["predict", "r.edf", "--out", "events.csv"], ["serve", "lft"]])
def test_outside_of_a_clone_the_registry_must_be_named(tmp_path, words):
    (tmp_path / "r.edf").touch()
    done = eeg(*words, cwd=tmp_path)
    assert done.returncode == 65
    assert "set MLFLOW_TRACKING_URI" in done.stderr
    assert not (tmp_path / "mlruns").exists()


def test_a_clone_with_another_library_is_refused(clone):
    (clone / "eegdiffusion").mkdir()
    code = "from eegdiffusion.commands.app import main; main(['params', 'set', 'hardware.devices=3'])"
    # As an installed script is started.
    settings = environment(warm=False) | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=clone, env=settings, capture_output=True, text=True)
    assert done.returncode == 65
    assert "devices: 3" not in (clone / "params.yaml").read_text()
    for part in (clone / "eegdiffusion", ROOT / "eegdiffusion", clone / ".venv/bin/eeg", "make env"):
        assert str(part) in done.stderr


def test_a_linked_library_is_the_clones_own(clone):
    (clone / "eegdiffusion").symlink_to(ROOT / "eegdiffusion")
    assert eeg("params", "set", "hardware.devices=3", cwd=clone).returncode == 0


def test_an_environment_of_another_lock_is_said_with_the_command(clone, monkeypatch):
    monkeypatch.setattr("sys.prefix", str(clone / ".venv"))
    assert checkout.stale_environment(clone) is None, "it is not the one that runs"
    (clone / ".venv").mkdir()
    stamp, lock = clone / ".venv/.installed", clone / "requirements.lock"
    lock.write_text("a==1\n")
    stamp.write_text(hashlib.sha256(lock.read_bytes()).hexdigest() + "\n")
    assert checkout.stale_environment(clone) is None
    lock.write_text("a==2\n")
    assert "was made for another requirements.lock; run `make env`" in checkout.stale_environment(clone)
    stamp.write_text("")
    assert checkout.stale_environment(clone) is None, "an empty stamp says it by its time"
    os.utime(stamp, (0, 0))
    assert "run `make env`" in checkout.stale_environment(clone)


def test_shells_complete_commands_options_and_choices():
    def complete(*words):
        variables = {"_EEG_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["eeg", *words])}
        done = eeg(cwd=ROOT, COMP_CWORD=str(len(words)), **variables)
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert complete("re") == ["repro", "restore", "register", "reproduce"]
    assert complete("params", "p") == ["profile"]
    assert complete("evaluate", "--sp") == ["--split"]
    assert complete("evaluate", "--split", "t") == ["train", "test"]
    assert "_EEG_COMPLETE=bash_complete" in eeg(cwd=ROOT, _EEG_COMPLETE="bash_source").stdout


def test_an_option_takes_several_words_and_ends_at_the_next():
    @click.command(cls=Command)
    @click.argument("file")
    @click.option("--arms", cls=SeveralOption)
    @click.option("--seed", type=int)
    def command(**given):
        return given

    def run(*words):
        return command.main(list(words), standalone_mode=False)

    assert run("f", "--arms", "a", "b", "--seed", "1") == {"file": "f", "arms": ("a", "b"), "seed": 1}
    assert run("--arms", "a", "--arms", "b", "--", "f") == {"file": "f", "arms": ("a", "b"), "seed": None}
    assert run("--arms=a", "f")["arms"] == ("a",)
    with pytest.raises(click.UsageError, match="requires an argument"):
        run("f", "--arms")


def test_every_command_is_in_the_list_once_with_a_sentence():
    for target, sentence in COMMANDS.values():
        assert sentence.endswith(".")
        assert (Path("eegdiffusion/commands") / f"{target.partition(':')[0]}.py").is_file()
