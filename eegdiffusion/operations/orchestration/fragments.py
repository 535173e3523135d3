"""Fragments of ``dvc.lock``: what each stage of a run recorded, kept apart so that clones can run stages side by side.

A fragment is the entry of one stage in ``dvc.lock``, in a commit of its own under ``refs/eeg/<run>/<stage>`` of the git
remote. No two stages write the same ref, so nothing is ever merged by hand; the branch's ``dvc.lock`` with all
fragments laid over it is the one that a single workspace would have written.

A clone holds hardly any data, and DVC alone cannot tell there whether a stage that is run by itself is out of date:
with ``--allow-missing`` it takes any input that is absent for unchanged, without it, it pulls what it need not. So a
fragment also says which outputs of other stages its stage took.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml
from dvc.utils.serialize import dump_yaml

from eegdiffusion.core.runtime import shell

LOCK = "dvc.lock"


@dataclass(frozen=True)
class Fragment:
    """What a stage recorded: its entry of ``dvc.lock``, and the hashes, by path, of other stages' outputs it took."""

    entry: dict
    took: dict[str, str]


@dataclass(frozen=True)
class Recorded:
    """What a run has recorded so far: the branch's ``dvc.lock``, and fragments by stage."""

    base: dict
    fragments: dict[str, Fragment]

    @property
    def lock(self) -> dict:
        """The document of ``dvc.lock`` with all fragments laid over it."""
        entries = {name: fragment.entry for name, fragment in self.fragments.items()}
        return {"schema": "2.0", "stages": self.base.get("stages", {}) | entries}

    def lock_for(self, stage: str) -> tuple[dict, list[str]]:
        """Return the ``dvc.lock`` to run a stage with, and options of ``dvc repro``.

        An entry that is not settled is left out: with ``--pull``, DVC would fetch the inputs which that entry names.
        """
        if self.settled(stage):
            return self.lock, ["--pull", "--allow-missing"]
        lock = self.lock
        return lock | {"stages": {name: entry for name, entry in lock["stages"].items() if name != stage}}, ["--pull"]

    def settled(self, stage: str) -> bool:
        """Whether the stage has run, and on what the stages before it have made since.

        What it does not tell is whether the stage's command, parameters and code are the same: DVC does.
        """
        if stage in self.fragments:
            took = self.fragments[stage].took
        elif stage in self.base.get("stages", {}):
            took = taken(self.base, stage)
        else:
            return False
        return took == taken(self.lock, stage)


def taken(lock: dict, stage: str) -> dict[str, str]:
    """Return the hashes of other stages' outputs that overlap what a stage depends on, by path."""
    deps = [Path(dep["path"]) for dep in lock["stages"][stage].get("deps", [])]
    outs = [out for entry in lock["stages"].values() for out in entry.get("outs", [])]
    return {
        out["path"]: out["md5"]
        for out in outs
        if any(dep.is_relative_to(out["path"]) or Path(out["path"]).is_relative_to(dep) for dep in deps)
    }


def fetch(clone: Path, run: str) -> Recorded:
    """Fetch what the run has recorded."""
    space = f"refs/eeg/{run}/"
    shell.output("git", "fetch", "--quiet", "--prune", "origin", f"+{space}*:{space}*", cwd=clone)
    refs = shell.output("git", "for-each-ref", "--format=%(refname)", space, cwd=clone).split()
    fragments = {}
    for ref in refs:
        document = yaml.safe_load(shell.output("git", "show", f"{ref}:{LOCK}", cwd=clone))
        ((name, entry),) = document["stages"].items()
        fragments[name] = Fragment(entry, document["took"])
    tracked = shell.output("git", "ls-tree", "--name-only", "HEAD", LOCK, cwd=clone)
    base = yaml.safe_load(shell.output("git", "show", f"HEAD:{LOCK}", cwd=clone)) if tracked else {}
    return Recorded(base, fragments)


def write(clone: Path, lock: dict) -> None:
    """Write the clone's ``dvc.lock``."""
    dump_yaml(clone / LOCK, lock)


def publish(clone: Path, run: str, stage: str) -> None:
    """Push the fragment of a stage that the clone's ``dvc.lock`` holds; an earlier one of it is replaced."""
    lock = yaml.safe_load((clone / LOCK).read_text())
    fragment = clone / ".git" / "eeg-fragment.yaml"
    dump_yaml(fragment, {"stages": {stage: lock["stages"][stage]}, "took": taken(lock, stage)})
    blob = shell.output("git", "hash-object", "-w", str(fragment), cwd=clone)
    tree = shell.output("git", "mktree", cwd=clone, stdin=f"100644 blob {blob}\t{LOCK}\n")
    commit = shell.output("git", *shell.AUTHOR, "commit-tree", "-m", f"Record {stage}", tree, cwd=clone)
    shell.output("git", "push", "--quiet", "origin", f"+{commit}:refs/eeg/{run}/{stage}", cwd=clone)


def remove(clone: Path, run: str, stages: list[str]) -> None:
    """Delete the fragments of these stages from the remote."""
    if stages:
        shell.output("git", "push", "--quiet", "origin", *(f":refs/eeg/{run}/{name}" for name in stages), cwd=clone)
