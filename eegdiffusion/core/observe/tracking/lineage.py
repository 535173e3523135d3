"""Where a result comes from: git revision, DVC hashes, the orchestrator's run."""

import os
from functools import lru_cache
from pathlib import Path

import yaml

from eegdiffusion.core.observe.tracking import dvc_lock
from eegdiffusion.core.runtime.git_repository import checked_out_revision
from eegdiffusion.core.runtime.hashing import content_hash


@lru_cache(maxsize=1)
def _locked_stages(text: str) -> dict:
    """Return the stages of ``dvc.lock``, which is long: libyaml's parser takes a tenth of the time."""
    return (yaml.load(text, yaml.CSafeLoader) or {}).get("stages", {})


def dvc_hash(path: Path) -> str:
    """Return the hash under which DVC holds an output, or the content's SHA-256 where the stage was run without DVC."""
    for stage in _locked_stages(dvc_lock.read() or "").values():
        for out in stage.get("outs", []):
            if out["path"] == path.as_posix():
                return out["md5"]
    return content_hash(path)


def tags(stage: str) -> dict[str, str]:
    """Return the tags that lead from a run back to the code and data that made it; without git, only the others.

    Raises:
        InputError: git refuses the repository.
    """
    origins = {
        "git.revision": checked_out_revision(),
        "dvc.stage": os.environ.get("DVC_STAGE", stage),
        "airflow.run_id": os.environ.get("AIRFLOW_CTX_DAG_RUN_ID", ""),
    }
    return {name: value for name, value in origins.items() if value}
