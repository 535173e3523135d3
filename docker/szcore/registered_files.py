"""Brings the files of a registered model with their signature, and the trusted public keys, into a folder.

``registered_files.py MODEL FOLDER`` verifies the model before.
"""

import shutil
import sys
from pathlib import Path

from eegdiffusion.commands.registered_models import address
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry.model_address import registered_version
from eegdiffusion.operations.registry.signing_keys import trusted_folder
from eegdiffusion.operations.registry.verified_version import fetch_version, require_verified


def bring(model: str, folder: Path) -> None:
    """Write ``model`` and ``trusted`` to a folder.

    Args:
        model: a registered model, as ``eeg predict --model`` takes it.
        folder: an empty folder.

    Raises:
        InputError: there is no such version, or it is refused.
    """
    version = registered_version(address(model), "model")
    require_verified(version)
    (folder / "model").mkdir()
    fetch_version(version, folder / "model")
    (folder / "trusted").mkdir()
    for path in trusted_folder().iterdir():
        if path.suffix in (".pub", ".crt", ".subject"):
            shutil.copy(path, folder / "trusted")


if __name__ == "__main__":
    try:
        bring(sys.argv[1], Path(sys.argv[2]))
    except InputError as error:
        sys.exit(f"registered_files.py: {error}")
