"""What it takes to make a registered model again, kept beside it as the artifacts ``provenance/``."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from components.code_deps.__main__ import is_code
from components.tracking import lineage

FOLDER = "provenance"
LOCK, PATCH, METRICS = "dvc.lock", "uncommitted.patch", "metrics.json"


@dataclass(frozen=True)
class Made:
    """How DVC made an output.

    Attributes:
        stage: name in ``dvc.lock``, e.g. ``finetune_lft@recorded-0``.
        hash: DVC's, of the output.
        data: dependencies that are not code, with DVC's hashes.
    """

    stage: str
    hash: str
    data: dict[str, str]


def made_by(lock: str, output: str) -> Made | None:
    """Find the stage that made an output, or the folder that holds it.

    Args:
        lock: text of ``dvc.lock``.
        output: path in the repository.
    """
    for name, stage in (yaml.safe_load(lock) or {}).get("stages", {}).items():
        data = {dep["path"]: dep["md5"] for dep in stage.get("deps", []) if not is_code(dep["path"])}
        for out in stage.get("outs", []):
            if Path(output).is_relative_to(out["path"]):
                return Made(name, out["md5"], data)
    return None


def write(folder: Path, result: Path) -> None:
    """Write what a result came from: ``dvc.lock``, its metrics, and what the working tree had not committed.

    Args:
        folder: to write to.
        result: folder of a training stage.
    """
    folder.mkdir(parents=True)
    shutil.copyfile(lineage.LOCK, folder / LOCK)
    shutil.copyfile(result / METRICS, folder / METRICS)
    changes = ["git", "diff", "--binary", "HEAD", "--", ".", f":(exclude){lineage.LOCK}"]
    patch = subprocess.run(changes, capture_output=True, check=True).stdout
    if patch:
        (folder / PATCH).write_bytes(patch)
