"""A workspace in which a training stage takes seconds, and processes of it that need not import it anew."""

import multiprocessing
import os
import sys
from dataclasses import asdict
from pathlib import Path

import pandas

from components.pretrain_ssmdp.__main__ import main
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.corpora.preprocess_recording import preprocess, window_tables
from eegdiffusion.events.store import window_store
from tests.e2e.workspace import ROOT, TINY, command, module

MINI = ROOT / "tests/golden/tuev_mini/edf"
SPLITS = {"train": "train/aaaaaaar/aaaaaaar_00000001", "validation": "eval/001/bckg_001_a_"}


def make(path: Path, *assignments: str) -> Path:
    """Write settings, a store of two recordings, and a revision."""
    folder = path / "data/events/tuev/store"
    (folder / "recordings").mkdir(parents=True)
    rows, events, samples = [], [], {}
    for split, name in SPLITS.items():
        edf, target = MINI / f"{name}.edf", folder / "recordings" / window_store.file_name(name)
        preprocess(edf, target, filtering=EEGDM, processing="")
        samples[name] = window_store.MappedRecording(target).samples
        rows.append({"recording": name, "split": split})
        for row, event in enumerate(tuev.read_rec(edf.with_suffix(".rec"))):
            events.append({"recording": name, "row": row} | asdict(event))
    tables = window_tables(pandas.DataFrame(rows), pandas.DataFrame(events), samples, EEGDM.rate_hz)
    described = window_store.StoreDescription(
        "surrogate",
        200.0,
        1000,
        tuev.TCP22.montage.document(),
        tuev.CLASSES,
        "",
        dict.fromkeys(SPLITS, ""),
        asdict(EEGDM),
    )
    window_store.write_index(folder, *tables, described)
    for name in ("dvc.yaml", "params.yaml"):
        (path / name).write_text((ROOT / name).read_text())
    for package in ("components", "eegdiffusion"):
        (path / package).symlink_to(ROOT / package)
    module(path, "params", "set", *TINY, *assignments)
    command(path, "git", "init", "-q")
    command(path, "git", "add", "params.yaml")
    command(path, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "start")
    return path


def _pretrain(workspace: Path, environment: dict[str, str], log: Path) -> None:
    os.chdir(workspace)
    os.environ.update(environment)
    with log.open("w") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    main(["--backbone", "base"])


def pretrain(workspace: Path, environment: dict[str, str], log: Path) -> multiprocessing.Process:
    """Start ``pretrain_ssmdp --backbone base`` in a process of its own; its exit status is the stage's."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([__name__])
    process = server.Process(target=_pretrain, args=(workspace, environment, log))
    process.start()
    return process
