"""What it takes to make a registered model again, kept beside it as the artifacts ``provenance/<version>/``."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.observe.tracking import dvc_lock
from eegdiffusion.core.runtime.git_repository import checked_out_revision, git
from eegdiffusion.operations.lineage.locked_graph import read_locked_graph

LOCK, PATCH, METRICS = "dvc.lock", "uncommitted.patch", "metrics.json"

PREDICTIONS = "predictions"
"""Folder of the test predictions of all seeds, where the model classifies."""


def provenance_path(version: str) -> str:
    """Return the folder of a version's provenance in the model's artifacts, which versions may share."""
    return f"provenance/{version}"


@dataclass(frozen=True)
class OutputOrigin:
    """Where an output comes from, by ``dvc.lock``.

    Attributes:
        stage: name in ``dvc.lock``, e.g. ``finetune_lft@recorded-0``.
        hash: DVC's, of the output.
        data: dependencies that are not code, with DVC's hashes.
    """

    stage: str
    hash: str
    data: dict[str, str]


def find_origin(lock: str, output: str) -> OutputOrigin | None:
    """Find the stage that made an output, or the folder that holds it.

    Args:
        lock: text of ``dvc.lock``.
        output: path in the repository.

    Returns:
        the stage, the hash of its output, and its data; None where no stage has such an output.
    """
    for stage, out in read_locked_graph(lock).outputs_behind(output):
        if Path(output).is_relative_to(out.path):
            return OutputOrigin(stage.name, out.md5, {data.path: data.md5 for data in stage.data})
    return None


def write_provenance(folder: Path, lock: str, patch: bytes, result: Path, results: Iterable[Path] = ()) -> None:
    """Write what a result came from: ``dvc.lock``, its metrics, and what had not been committed, new code included.

    The test predictions of all seeds go with it, so that later models can be compared window by window.

    Args:
        folder: folder to write to.
        lock: text of ``dvc.lock``.
        patch: what had not been committed, see :func:`uncommitted_patch`.
        result: folder of a training stage.
        results: folders of all seeds.
    """
    folder.mkdir(parents=True)
    (folder / LOCK).write_text(lock)
    shutil.copyfile(result / METRICS, folder / METRICS)
    predictions = [each / "predictions.parquet" for each in results if (each / "predictions.parquet").is_file()]
    for path in predictions:
        (folder / PREDICTIONS).mkdir(exist_ok=True)
        shutil.copyfile(path, folder / PREDICTIONS / f"{path.parent.name}.parquet")
    if patch:
        (folder / PATCH).write_bytes(patch)


def uncommitted_patch() -> bytes:
    """Return the difference of the working tree from the commit; of the files that git does not track, code only."""
    if not checked_out_revision():
        return b""
    index = git("rev-parse", "--git-path", "index")
    with tempfile.TemporaryDirectory() as temporary:
        # In an index of its own: the user's is not to change.
        index_copy = Path(shutil.copy(index, temporary))
        environment = os.environ | {"GIT_INDEX_FILE": str(index_copy)}
        subprocess.run(
            ["git", "add", "--intent-to-add", "--", "components", "eegdiffusion"], env=environment, check=True
        )
        words = ["git", "diff", "--binary", "HEAD", "--", ".", f":(exclude){dvc_lock.PATH}"]
        return subprocess.run(words, env=environment, capture_output=True, check=True).stdout
