"""Signatures of folders by OpenSSF Model Signing: every file is in a manifest, and the manifest is signed."""

import ast
import json
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from model_signing import hashing, signing, verifying

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry.signing_keys import PublicKey, SigningKey, short

FILE = "model.sig"
"""Name of the signature's file, which lies beside the folder's files and is not among those that are signed."""


def _every_file() -> hashing.Config:
    """Hash every file, those of git too, and refuse links. BLAKE3: SHA-256 takes a second a GB where this takes 0.3."""
    config = hashing.Config().use_file_serialization(hashing_algorithm="blake3", allow_symlinks=False)
    return config.set_ignored_paths(paths=[], ignore_git_paths=False)


def sign_folder(folder: Path, signature: Path, key: SigningKey) -> None:
    """Sign all files of a folder.

    Args:
        folder: without links.
        signature: file to write, outside of the folder.
        key: whose signature it is.
    """
    config = signing.Config().use_elliptic_key_signer(private_key=key.path)
    config.set_hashing_config(_every_file()).sign(folder, signature)


def verify_folder(folder: Path, signature: Path, trusted: list[PublicKey]) -> PublicKey:
    """Check that a folder holds the files that were signed by a trusted key, unchanged, and no others.

    Args:
        folder: the files, without the signature.
        signature: its file, outside of the folder.
        trusted: public keys; the one that the signature names is asked.

    Returns:
        the key that signed it.

    Raises:
        InputError: the signature is none, is by a key that is not trusted, or a file is not as signed.
    """
    key = _signer(signature, trusted)
    config = verifying.Config().use_elliptic_key_verifier(public_key=key.path).set_hashing_config(_every_file())
    try:
        config.verify(folder, signature)
    except InvalidSignature as error:
        raise InputError(f"its signature is not by the key {key} that it names, or was altered") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(_reason(error, folder)) from error
    return key


def _signer(signature: Path, trusted: list[PublicKey]) -> PublicKey:
    try:
        hint = json.loads(signature.read_bytes())["verificationMaterial"]["publicKey"]["hint"]
        hint = str(hint)
    except FileNotFoundError as error:
        raise InputError("it is not signed") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"its signature {FILE} cannot be read ({type(error).__name__})") from error
    for key in trusted:
        if key.fingerprint == hint:
            return key
    names = ", ".join(map(str, trusted)) or "none"
    raise InputError(
        f"it is signed by a key that is not trusted here, {short(hint)!r} (trusted: {names}); if it is of whom you "
        "expect, `eeg key trust FILE` with the public key that they give you"
    )


MISMATCH = "Signature mismatch: "

FINDINGS = {
    r"Extra files found in model '.*': (.*)": "files more: ",
    r"Missing files in model '.*': (.*)": "files missing: ",
    r"Hash mismatch for '(.*)': Expected '.*": "altered: ",
}
"""What the library says of a folder that is not as it was signed, and how it is said here."""


def _reason(error: Exception, folder: Path) -> str:
    """Say in a line what the library found, with paths in the folder."""
    text = str(error).replace(f"{folder}/", "")
    if not text.startswith(MISMATCH):
        return f"its signature does not hold ({text or type(error).__name__})"
    said = []
    for finding in ast.literal_eval(text.removeprefix(MISMATCH)):
        matches = ((re.fullmatch(pattern, finding, re.DOTALL), plain) for pattern, plain in FINDINGS.items())
        said.append(next((plain + match[1] for match, plain in matches if match), finding))
    listed = "; ".join(said[:5]) + (f" and {len(said) - 5} more" if len(said) > 5 else "")
    return f"its files are not those that were signed: {listed}"
