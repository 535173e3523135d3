"""A workspace of its own for a test: the tracked files, a tiny corpus, and settings that take seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.planted import plant_header
from tests.warm.fork_server import programs

ROOT = Path(__file__).parents[2]

TINY = [
    "matrix.backbones=[base]",
    "matrix.seeds=[0, 1]",
    "matrix.baselines=[contrawr]",
    "event_corpora={tuev: {root: data/raw/surrogate-tuev/edf, layout: tuev}}",
    "latents={base: {backbone: base, corpus: tuev}}",
    "probe_tasks={}",
    "event_tasks={}",
    "ablations={}",
    "ingest_events.validation_fraction=0.34",
    "pretrain_ssmdp.validation_samples=44",
    "pretrain_ssmdp.model={d_model: 4, d_state: 4, n_layer: 2, d_cond_embed: 8, d_cond: 8}",
    "pretrain_ssmdp.optimisation.validations_per_epoch=2",
    "pretrain_ssmdp.generation.samples=2",
    "finetune_lft.model.n_fusion=2",
    "finetune_lft.model.num_heads=2",
    "finetune_lft.model.encoder_blocks=1",
    "finetune_lft.optimisation.max_epochs=2",
    "finetune_lft.optimisation.min_epochs=1",
    "finetune_lft.optimisation.batch_size=8",
    "image_corpora={}",
    "eeg_encoders={}",
    "sgdm={}",
    "condiffusion={}",
    "matrix.generated=[]",
    "train_baselines.optimisation.batch_size=8",
]


def environment(warm: bool = True) -> dict[str, str]:
    """Environment of a command: this Python first, no server of the caller's, one thread as files run side by side.

    Args:
        warm: whether ``dvc`` and the project's modules run in forks that have their libraries (:mod:`tests.warm`); not
            where processes are known by their command line, or get limits or open files of their own.
    """
    path = os.pathsep.join([*([str(programs())] if warm else []), str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TUEV_"))}
    return kept | {"PATH": path, "DVC_NO_ANALYTICS": "1", "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}


def command(workspace: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess:
    """Run a command in the workspace."""
    variables = environment(warm=words[0] != "git")
    process = subprocess.run(words, cwd=workspace, env=variables, capture_output=True, text=True)
    assert not check or process.returncode == 0, (
        f"{' '.join(words)}\n{process.stdout[-3000:]}\n{process.stderr[-6000:]}"
    )
    return process


def module(workspace: Path, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    """Run a stage, or a command of ``eeg``, e.g. ``surrogate tuev``, in the workspace."""
    if (ROOT / "components" / name).is_dir():
        words = [f"components.{name}"]
    else:
        words = ["eegdiffusion.commands", *name.split(" ")]
    return command(workspace, "python", "-m", *words, *arguments, check=check)


def copy(path: Path) -> Path:
    """Copy what git tracks, commit it, and set what is tiny."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and name != "dvc.lock":
            target = path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "start"],
    ):
        command(path, "git", *words)
    module(path, "params", "set", *TINY)
    return path


def make(path: Path) -> Path:
    """Make a workspace with the tiny surrogate of TUEV, whose headers name a patient."""
    copy(path)
    cache = ROOT / "data" / "cache"
    sizes = ["--train-subjects", "4", "--repeat-subjects", "0", "--eval-recordings", "2"]
    module(path, "surrogate tuev", "--cache", str(cache), *sizes)
    for recording in (path / "data/raw").rglob("*.edf"):
        plant_header(recording)
    return path
