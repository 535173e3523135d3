"""Signatures of folders by OpenSSF Model Signing: every file is in a manifest, and the manifest is signed."""

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from model_signing import hashing, signing, verifying

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry.certificates import Authority, find_authority, read_chain
from eegdiffusion.operations.registry.signing_keys import PublicKey, SigningKey, short

FILE = "model.sig"
"""Name of the signature's file, which lies beside the folder's files and is not among those that are signed."""

LARGEST_BYTES = 1 << 24
"""Size that a signature may have; each file that is signed takes 100 bytes or so."""


def _every_file() -> hashing.Config:
    """Hash every file, those of git too, and refuse links. BLAKE3: SHA-256 takes a second a GB where this takes 0.3."""
    config = hashing.Config().use_file_serialization(hashing_algorithm="blake3", allow_symlinks=False)
    return config.set_ignored_paths(paths=[], ignore_git_paths=False)


def sign_folder(folder: Path, signature: Path, key: SigningKey) -> None:
    """Sign all files of a folder.

    Args:
        folder: without links.
        signature: file to write, outside of the folder.
        key: whose signature it is; with its certificate, where it has one.
    """
    config = signing.Config()
    if key.certificate is None:
        config.use_elliptic_key_signer(private_key=key.path)
    else:  # one file has the key, its certificate and those above it
        config.use_certificate_signer(private_key=key.path, signing_certificate=key.path, certificate_chain=[key.path])
    config.set_hashing_config(_every_file()).sign(folder, signature)


def verify_folder(folder: Path, signature: Path, trusted: Sequence[PublicKey | Authority]) -> PublicKey | Authority:
    """Check that a folder holds the files that were signed by somebody who is trusted, unchanged, and no others.

    Args:
        folder: the files, without the signature.
        signature: its file, outside of the folder.
        trusted: public keys, of which the one that the signature names is asked, and authorities, one of which must
            have issued the certificate that the signature carries.

    Returns:
        whose signature it is.

    Raises:
        InputError: the signature is none, is by somebody who is not trusted, or a file is not as signed.
    """
    signer = _signer(signature, trusted)
    config = verifying.Config().set_hashing_config(_every_file())
    if isinstance(signer, Authority):
        config.use_certificate_verifier(certificate_chain=[signer.path])
    else:
        config.use_elliptic_key_verifier(public_key=signer.path)
    try:
        config.verify(folder, signature)
    except InvalidSignature as error:
        raise InputError(f"its signature is not by the key {signer} that it names, or was altered") from error
    except Exception as error:  # a signature is anybody's file, and the library raises nearly anything on a crafted one
        raise InputError(_reason(error, folder)) from error
    return signer


def _signer(signature: Path, trusted: Sequence[PublicKey | Authority]) -> PublicKey | Authority:
    material = _material(signature)
    if "x509CertificateChain" in material:
        authorities = [signer for signer in trusted if isinstance(signer, Authority)]
        return find_authority(read_chain(material["x509CertificateChain"]), authorities)
    try:
        hint = str(material["publicKey"]["hint"])
    except (KeyError, TypeError) as error:
        raise InputError(f"its signature {FILE} cannot be read ({type(error).__name__})") from error
    for signer in trusted:
        if isinstance(signer, PublicKey) and signer.fingerprint == hint:
            return signer
    names = ", ".join(map(str, trusted)) or "none"
    raise InputError(
        f"it is signed by a key that is not trusted here, {short(hint)!r} (trusted: {names}); if it is of whom you "
        "expect, `eeg key trust FILE` with the public key that they give you"
    )


def _material(signature: Path) -> dict[str, Any]:
    """Read what a signature says of its signer."""
    try:
        if (size := signature.stat().st_size) > LARGEST_BYTES:
            raise InputError(f"its signature {FILE} must have {LARGEST_BYTES} bytes or less (found {size})")
        return dict(json.loads(signature.read_bytes())["verificationMaterial"])
    except FileNotFoundError as error:
        raise InputError("it is not signed") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"its signature {FILE} cannot be read ({type(error).__name__})") from error


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
