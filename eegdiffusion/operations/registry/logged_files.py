"""Whether a logged model holds what a result and the library here are made of: the server is not taken at its word."""

import filecmp
import os
import shutil
import tempfile
from pathlib import Path
from types import ModuleType

from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry import signature, signed_record
from eegdiffusion.operations.registry.version_files import (
    check_layout,
    fetch_logged_model,
    files_below,
    read_mlmodel,
)

REGISTERED = ("model_card", "provenance", signed_record.FILE, signature.FILE)
"""What registering adds to a logged model."""

OF_THE_LOGGING = (
    "artifact_path", "model_id", "model_size_bytes", "model_uuid", "run_id", "utc_time_created"
)  # fmt: skip
"""Fields of ``MLmodel`` that say when and where a model was logged."""


def fetch_as_made(model_id: str, serving: ModuleType, result: Path, folder: Path) -> None:
    """Bring the files of a logged model into a folder, if they are those that a result makes with the library here.

    Args:
        model_id: MLflow's id of the logged model.
        serving: module that loads and runs it, see :func:`.log_model.log`.
        result: folder of the result.
        folder: an empty folder.

    Raises:
        InputError: they are others, or cannot be had; the message names them.
    """
    fetch_logged_model(model_id, folder)
    for name in REGISTERED:  # what a registration that was interrupted has added, and the next one writes
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    check_layout(folder)
    with tempfile.TemporaryDirectory() as temporary:
        saved = Path(temporary, "model")
        log_model.save(serving, result, saved)
        if names := _differences(saved, folder):
            listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise InputError(f"not what {result} and the code here make: {listed}")


def _differences(saved: Path, fetched: Path) -> list[str]:
    ours, theirs = files_below(saved), files_below(fetched)
    both = (ours.keys() & theirs.keys()) - {"MLmodel"}
    different = [name for name in both if not filecmp.cmp(ours[name], theirs[name], shallow=False)]
    if _described(saved) != _described(fetched):
        different.append("MLmodel")
    return sorted([*different, *(ours.keys() ^ theirs.keys())])


def _described(folder: Path) -> dict:
    """Return what ``MLmodel`` says of the model, without where it was logged and from which folder."""
    document = {key: value for key, value in read_mlmodel(folder).items() if key not in OF_THE_LOGGING}
    flavor = dict(document["flavors"]["python_function"])
    flavor["model_code_path"] = os.path.basename(flavor["model_code_path"])
    flavor["artifacts"] = {name: value["path"] for name, value in flavor.get("artifacts", {}).items()}
    return document | {"flavors": {"python_function": flavor}}
