"""Versions of registered models, verified before anything of them is used.

The files are brought into a folder of this process's own first, then verified there, and used from there: what is used
is what was verified, whatever happens on the server meanwhile.
"""

import getpass
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.operations.registry import signature, signed_record
from eegdiffusion.operations.registry.certificates import Authority
from eegdiffusion.operations.registry.model_address import LOGGED, registered_version, require_model
from eegdiffusion.operations.registry.registered_names import REGISTERED
from eegdiffusion.operations.registry.signed_record import SignedRecord
from eegdiffusion.operations.registry.signing_keys import PublicKey, trusted_signers
from eegdiffusion.operations.registry.version_files import check_layout, fetch_files, fetch_logged_model

UNSIGNED = "unsigned"
"""Tag of a version that was used by somebody who did not want it verified: when, by whom, and what for."""


@dataclass(frozen=True)
class VerifiedFiles:
    """Files of a version in a folder of this process's own.

    Attributes:
        folder: the files.
        record: what was signed; None where the user did not want it verified.
        signer: whose signature it is; None as well then.
        version: the version of the registry, where the address is of one.
    """

    folder: Path
    record: SignedRecord | None
    signer: PublicKey | Authority | None
    version: ModelVersion | None

    def __str__(self) -> str:
        if self.record is None or self.signer is None:
            return "NOT verified (--unsigned)"
        return f"{self.record.name}/{self.record.version}, signed by {self.signer}"


def verify_files(folder: Path, version: ModelVersion | None = None) -> tuple[SignedRecord, PublicKey | Authority]:
    """Verify the files of a version, and that the version is the one that they were signed as.

    Args:
        folder: all files of the version, with its signature, which is moved out of it.
        version: the version of the registry; None where the files come from elsewhere.

    Raises:
        InputError: it is not signed, by a key that is not trusted, or something is not as it was signed.
    """
    with tempfile.TemporaryDirectory() as temporary:
        signed = Path(temporary, signature.FILE)
        if (folder / signature.FILE).is_file():
            shutil.move(folder / signature.FILE, signed)
        signer = signature.verify_folder(folder, signed, trusted_signers())
    record = signed_record.read_record(folder / signed_record.FILE)
    if version is not None:
        signed_record.check_version(record, version)
    return record, signer


@contextmanager
def verified_files(uri: str, purpose: str, unsigned: bool = False, option: str = "--model") -> Iterator[VerifiedFiles]:
    """Bring the files of a model into a folder, verify them, and remove them at the end of the block.

    Args:
        uri: an address of MLflow's, or the folder of a saved model.
        purpose: what they are for, for the tag that is set where they are not verified.
        unsigned: whether the user wants them without being verified; a line and the version's tag ``unsigned`` say so.
        option: where the address was given, for messages.

    Raises:
        InputError: there is no such model, or it is refused; the message says why.
        UnavailableError: the server is away for too long.
    """
    version, fetch = _find(uri, option)
    with tempfile.TemporaryDirectory(prefix="eeg-model-") as temporary:
        folder = Path(temporary, "model")
        folder.mkdir()
        try:
            fetch(folder)
            if unsigned:
                (folder / signature.FILE).unlink(missing_ok=True)
                check_layout(folder)
                record = signer = None
                record_unsigned_use(uri, version, purpose)
            else:
                record, signer = verify_files(folder, version)
                check_layout(folder)
        except InputError as error:
            raise InputError(f"{option}: {uri}: is refused: {error}") from error
        files = VerifiedFiles(folder, record, signer, version)
        if not unsigned:
            say(f"{uri}: {files}", stream=sys.stderr)
        yield files


def _find(uri: str, option: str) -> tuple[ModelVersion | None, Callable[[Path], None]]:
    """Return the version of the registry that an address is of, if it is, and a function that brings its files."""
    if REGISTERED.fullmatch(uri):
        version = registered_version(uri, option)
        return version, lambda folder: fetch_version(version, folder)
    require_model(uri, option)
    if LOGGED.fullmatch(uri):
        return None, lambda folder: fetch_logged_model(uri.removeprefix("models:/"), folder)
    return None, lambda folder: fetch_files(uri, folder)


def fetch_version(version: ModelVersion, folder: Path) -> None:
    """Bring the files of a version into an empty folder.

    Raises:
        InputError: they cannot be had, or they hold links.
    """
    if LOGGED.fullmatch(version.source or ""):
        fetch_logged_model(version.source.removeprefix("models:/"), folder)
        return
    try:
        fetch_files(version.source, folder)
    except (mlflow.MlflowException, OSError) as error:
        raise InputError(f"its files cannot be had ({getattr(error, 'message', error)})") from error


def require_verified(version: ModelVersion) -> None:
    """Verify a version whose tags are about to be trusted.

    Raises:
        InputError: it is refused; the message says why.
    """
    with tempfile.TemporaryDirectory(prefix="eeg-model-") as temporary:
        fetch_version(version, Path(temporary))
        verify_files(Path(temporary), version)
        check_layout(Path(temporary))


def record_unsigned_use(uri: str, version: ModelVersion | None, purpose: str) -> None:
    """Say, and write down in the registry where that can be done, that a model is used without being verified."""
    line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {purpose} by {_user()}"
    noted = "; the version's tag 'unsigned' says so"
    try:
        if version is None:
            raise mlflow.MlflowException("it is no version of a registered model")
        mlflow.MlflowClient().set_model_version_tag(version.name, version.version, UNSIGNED, line)
    except mlflow.MlflowException:
        noted = ""
    say(f"WARNING: {uri}: is used without being verified (--unsigned){noted}", stream=sys.stderr)


def _user() -> str:
    try:
        return re.sub(r"[^\w.@-]", "_", getpass.getuser())
    except (KeyError, OSError):  # a user id without a name
        return "a user without a name"
