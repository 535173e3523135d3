"""What the registry recorded of a version: enough to make it again."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry import provenance
from eegdiffusion.operations.registry.model_address import registered_version
from eegdiffusion.operations.registry.verified_version import verified_files


@dataclass(frozen=True)
class RecordedVersion:
    """A version of a registered model, and where it came from.

    Attributes:
        name: name of the registered model.
        version: its version.
        revision: git commit.
        patch: what had not been committed then, as git writes it; empty where nothing.
        lock: text of ``dvc.lock``.
        stage: DVC's name of the stage that made it.
        result: folder of its result, in the repository.
        hash: DVC's, of the output that holds the result.
        data: what the stage depended on, besides code, with DVC's hashes.
        scores: metrics of the result.
    """

    name: str
    version: str
    revision: str
    patch: bytes
    lock: str
    stage: str
    result: str
    hash: str
    data: dict[str, str]
    scores: dict[str, float]


def read_recorded_version(uri: str, unsigned: bool = False) -> RecordedVersion:
    """Read what is recorded of a version, once it is verified.

    Args:
        uri: ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
        unsigned: read it without verifying it, which is written down; no patch is read then.

    Raises:
        InputError: there is no such version, it does not verify, no stage made it, or what was kept of its origin is
            missing or damaged.
    """
    version = registered_version(uri, "MODEL")
    name, number = version.name, str(version.version)
    with verified_files(f"models:/{name}/{number}", "made again", unsigned, "MODEL") as files:
        tags = version.tags if files.record is None else files.record.tags
        if "imported.file" in tags:
            raise InputError(f"{uri}: was imported from {tags['imported.file']}; no stage made it")
        for tag in ("git.revision", "dvc.lock", "result"):
            if tag not in tags:
                raise InputError(f"{uri}: has no tag {tag!r}; it was not registered by `eeg register`")
        folder = files.folder / provenance.provenance_path(number)
        if not folder.is_dir():
            raise InputError(
                f"{uri}: its artifacts {provenance.provenance_path(number)}/ cannot be had: there are none"
            )
        lock = _read_artifact(folder, provenance.LOCK, uri)
        if hashlib.sha256(lock).hexdigest() != tags["dvc.lock"]:
            raise InputError(f"{uri}: {provenance.LOCK} is not the one that the tag 'dvc.lock' has the hash of")
        patch = _read_patch(folder, tags["git.revision"], files.record is not None, uri)
        metrics = json.loads(_read_artifact(folder, provenance.METRICS, uri))
    origin = provenance.find_origin(lock.decode(), tags["result"])
    if origin is None:
        raise InputError(f"{uri}: {provenance.LOCK} has no stage that makes {tags['result']}")
    return RecordedVersion(
        name=name,
        version=number,
        revision=tags["git.revision"].removesuffix("-dirty"),
        patch=patch,
        lock=lock.decode(),
        stage=origin.stage,
        result=tags["result"],
        hash=origin.hash,
        data=origin.data,
        scores={tag.removesuffix(".mean"): metrics[tag.removesuffix(".mean")] for tag in tags if tag.endswith(".mean")},
    )


def _read_patch(folder: Path, revision: str, signed: bool, uri: str) -> bytes:
    """Read what had not been committed: it is code that will run, so it must be there by the record, and signed."""
    if revision.endswith("-dirty"):
        if not signed:
            raise InputError(
                f"{uri}: {provenance.PATCH}: must be signed, as it is code that would run; not with --unsigned"
            )
        return _read_artifact(folder, provenance.PATCH, uri)
    if (folder / provenance.PATCH).exists():
        raise InputError(f"{uri}: {provenance.PATCH}: must not be there, as {revision} was recorded without changes")
    return b""


def _read_artifact(folder: Path, name: str, uri: str) -> bytes:
    path = folder / name
    if not path.is_file():
        raise InputError(f"{uri}: {name} is not among its artifacts {folder.name}/")
    return path.read_bytes()
