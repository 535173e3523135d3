"""What is signed of a version besides its files: whose version it is, and the tags that decide what becomes of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from eegdiffusion.core.runtime.errors import InputError

FILE = "signed_record.json"

SIGNED_TAG = re.compile(
    r".+\.(mean|sd)|corpus|seeds|split|split_hash|content|result|(git|dvc|airflow|imported|adapted)\..+"
)
"""Tags that say what a version is and how good: each is signed, and none of them may appear later."""


@dataclass(frozen=True)
class SignedRecord:
    """A version as it was registered.

    Attributes:
        name: name of the registered model.
        version: its version.
        model_id: MLflow's id of the logged model that holds its files.
        signer: name of the key, as who signed it calls it.
        tags: tags of the version that :data:`SIGNED_TAG` names: corpus, split, scores, origin.
    """

    name: str
    version: str
    model_id: str
    signer: str
    tags: dict[str, str]

    def write(self, path: Path) -> None:
        """Write the record as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, sort_keys=True))


def signed_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return those of a version's tags that are signed."""
    return {name: value for name, value in tags.items() if SIGNED_TAG.fullmatch(name)}


def read_record(path: Path) -> SignedRecord:
    """Read a record.

    Raises:
        InputError: there is none, or it is no record.
    """
    try:
        record = SignedRecord(**json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise InputError(f"{path.name} is not among its files; it was not signed by `eeg register`") from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path.name}: is no record of a version ({error})") from error
    return record


def check_version(record: SignedRecord, version: ModelVersion) -> None:
    """Check that a version of the registry is the one that a record is of, tag by tag.

    Raises:
        InputError: it is another version, or a tag differs, is gone, or was added.
    """
    signed = f"{record.name}/{record.version}"
    if signed != f"{version.name}/{version.version}":
        raise InputError(f"its files were signed as {signed}, and are not this version's")
    if version.source != f"models:/{record.model_id}":
        raise InputError(f"its source is {version.source}, and models:/{record.model_id} was signed")
    tags = signed_tags(version.tags)
    for name in sorted(record.tags.keys() | tags.keys()):
        was, now = record.tags.get(name, "none"), tags.get(name, "none")
        if was != now:
            raise InputError(f"its tag {name!r} is {now!r}, and {was!r} was signed")
