"""Keys that versions of models are signed with, and those that are trusted.

The private key of this user or site is ``NAME.pem`` in :func:`keys_folder`, or the file that ``EEG_SIGNING_KEY`` names;
trusted public keys are ``NAME.pub`` in its folder ``trusted``, or in the folder that ``EEG_TRUSTED_KEYS`` names. None
of them is ever sent to the MLflow server: who can write there must not be able to sign. In place of public keys a site
can trust its authority, see :mod:`.certificates`.
"""

import hashlib
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.operations.registry import certificates
from eegdiffusion.operations.registry.certificates import CURVES, Authority

SIGNING_VARIABLE, TRUSTED_VARIABLE = "EEG_SIGNING_KEY", "EEG_TRUSTED_KEYS"

DEMO = "demo"
"""Name of the key that is made where nobody has made one."""

PRIVATE, PUBLIC = ".pem", ".pub"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class PublicKey:
    """A public key in a file.

    Attributes:
        name: whose it is: the name of its file.
        path: its file, PEM.
        fingerprint: SHA-256 of the key in PEM, in hexadecimal digits, as signatures name it.
    """

    name: str
    path: Path
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.name} ({short(self.fingerprint)})"


@dataclass(frozen=True)
class SigningKey:
    """A private key in a file.

    Attributes:
        name: whose it is: the name of its file.
        path: its file, PEM.
        public: the public key that belongs to it, PEM.
        certificate: the certificate that stands beside it in the file; None where it is a bare key.
    """

    name: str
    path: Path
    public: bytes
    certificate: x509.Certificate | None = None

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the public key, see :class:`PublicKey`."""
        return hashlib.sha256(self.public).hexdigest()

    def __str__(self) -> str:
        return f"{self.name} ({short(self.fingerprint)})"


def short(fingerprint: str) -> str:
    """Return as much of a fingerprint as a message shows."""
    return f"SHA256:{fingerprint[:16]}"


def keys_folder() -> Path:
    """Return the folder of this user's keys, which need not exist."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home, "eegdiffusion", "keys")


def trusted_folder() -> Path:
    """Return the folder of the public keys that are trusted, which need not exist."""
    named = os.environ.get(TRUSTED_VARIABLE)
    return Path(named) if named else keys_folder() / "trusted"


def _pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_public_key(path: Path) -> PublicKey:
    """Read a public key.

    Raises:
        InputError: there is no such file, it is no public key in PEM, or of another kind than signatures are made with.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path}: file: there is no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: must be a public key in PEM, as `eeg key show` prints it ({error})") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise InputError(f"{path}: must be an elliptic-curve key, of {', '.join(CURVES)}")
    return PublicKey(path.stem, path, hashlib.sha256(_pem(key)).hexdigest())


def trusted_signers() -> list[PublicKey | Authority]:
    """Read all public keys and authorities that are trusted here; none where none was made or trusted yet.

    Raises:
        InputError: one cannot be read, or anybody could have put it there.
    """
    keys, authorities = _trusted_files(PUBLIC), _trusted_files(certificates.CERTIFICATE)
    _trusted_files(certificates.SUBJECT)  # their modes
    return [*map(read_public_key, keys), *map(certificates.read_authority, authorities)]


def _trusted_files(suffix: str) -> list[Path]:
    folder = trusted_folder()
    paths = sorted(folder.glob(f"*{suffix}")) if folder.is_dir() else []
    for path in [folder, *paths] if paths else []:
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IWOTH:
            raise InputError(
                f"{path}: mode: must not let everybody write, as its keys are trusted (`chmod o-w {path}`)"
            )
    return paths


def _read_signing_key(path: Path) -> SigningKey:
    try:
        if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXO | stat.S_IWGRP):
            raise InputError(f"{path}: mode: a private key must be its owner's alone (`chmod 600 {path}`)")
        content = path.read_bytes()
        key = serialization.load_pem_private_key(content, None)
    except OSError as error:
        raise InputError(f"{path}: a signing key cannot be read ({error.strerror}); see {SIGNING_VARIABLE}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: must be a private key in PEM without a password ({error})") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in CURVES:
        raise InputError(f"{path}: must be an elliptic-curve key, of {', '.join(CURVES)}")
    certificate = certificates.read_own_certificate(content, key.public_key(), path)
    return SigningKey(path.stem, path, _pem(key.public_key()), certificate)


def find_signing_key() -> SigningKey | None:
    """Return the key that this user or site signs with; None where there is none yet.

    Raises:
        InputError: the file that ``EEG_SIGNING_KEY`` names is not there or is no such key, or there are several.
    """
    if named := os.environ.get(SIGNING_VARIABLE):
        return _read_signing_key(Path(named))
    paths = sorted(keys_folder().glob(f"*{PRIVATE}"))
    chosen = [path for path in paths if path.stem != DEMO] or paths
    if len(chosen) > 1:
        names = ", ".join(path.name for path in chosen)
        raise InputError(f"{keys_folder()}: must hold one signing key (found {names}); {SIGNING_VARIABLE} chooses one")
    return _read_signing_key(chosen[0]) if chosen else None


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file with a mode that it has from the beginning."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    except FileExistsError as error:
        raise InputError(f"{path}: is there already; choose another name, or `eeg key forget` it first") from error


def _named(name: str) -> str:
    if not NAME.fullmatch(name):
        raise InputError(f"NAME: must be letters, digits, '-', '_' and '.', 64 at most (found {name!r})")
    return name


def create_key(name: str, folder: Path | None = None) -> SigningKey:
    """Make a signing key of this user or site, and trust it.

    Args:
        name: whose it is, as messages call it.
        folder: where the private key goes; None: :func:`keys_folder`.

    Raises:
        InputError: the name is none, or there is a key already.
    """
    folder, trusted = folder or keys_folder(), trusted_folder()
    path = folder / f"{_named(name)}{PRIVATE}"
    if os.environ.get(SIGNING_VARIABLE):
        raise InputError(f"{SIGNING_VARIABLE}: {os.environ[SIGNING_VARIABLE]} is the signing key; unset it to make one")
    others = [other for other in sorted(folder.glob(f"*{PRIVATE}")) if other.stem != DEMO]
    if others:
        raise InputError(f"{others[0]}: is the signing key already; move it away to make another")
    key = ec.generate_private_key(ec.SECP256R1())
    public = _pem(key.public_key())
    for where in (folder, trusted):
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(trusted / f"{name}{PUBLIC}", public, 0o644)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, secret, 0o600)
    return SigningKey(name, path, public)


def signing_key() -> SigningKey:
    """Return the key that this user or site signs with; where there is none, one called ``demo`` is made."""
    key = find_signing_key()
    if key is None:
        key = create_key(DEMO)
        line = f"{key.path}: made a signing key called {DEMO}; `eeg key create NAME` makes that of your site"
        say(line, stream=sys.stderr)
    return key


def trust_key(path: Path, name: str) -> PublicKey:
    """Trust a public key from now on: what it has signed is loaded.

    Args:
        path: file of the public key.
        name: whose it is, as messages call it.

    Raises:
        InputError: it is no public key, or another of this name is trusted.
    """
    key = read_public_key(path)
    target = _target(name, PUBLIC)
    if target.is_file() and read_public_key(target).fingerprint == key.fingerprint:
        return PublicKey(name, target, key.fingerprint)
    _require_free(name)
    _write(target, path.read_bytes(), 0o644)
    return PublicKey(name, target, key.fingerprint)


def trust_authority(path: Path, name: str, subject: str) -> Authority:
    """Trust an authority from now on: what the subject has signed with a certificate of its is loaded.

    Args:
        path: file of the authority's root certificate.
        name: whose it is, as messages call it.
        subject: whose signatures count, see :func:`.certificates.parse_subject`.

    Raises:
        InputError: it is no certificate of an authority, the subject is none, or another of this name is trusted.
    """
    certificates.check_authority(path)
    whose = certificates.parse_subject(subject, "--subject")
    target = _target(name, certificates.CERTIFICATE)
    _require_free(name)
    # The subject first: an authority without one is refused.
    _write(target.with_suffix(certificates.SUBJECT), f"{subject.strip()}\n".encode(), 0o644)
    _write(target, path.read_bytes(), 0o644)
    return Authority(name, target, whose)


def _target(name: str, suffix: str) -> Path:
    folder = trusted_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / f"{_named(name)}{suffix}"


def _require_free(name: str) -> None:
    for suffix in (PUBLIC, certificates.CERTIFICATE, certificates.SUBJECT):
        if (path := trusted_folder() / f"{name}{suffix}").exists():
            raise InputError(f"{path}: is there already; choose another name, or `eeg key forget {name}` it first")


def forget_key(name: str) -> Path:
    """Trust a public key or an authority no more: what it vouches for is refused.

    Returns:
        the file that held it.

    Raises:
        InputError: none of this name is trusted.
    """
    files = [path for suffix in (PUBLIC, certificates.CERTIFICATE) for path in _trusted_files(suffix)]
    for path in files:
        if path.stem == name:
            path.unlink()
            path.with_suffix(certificates.SUBJECT).unlink(missing_ok=True)
            return path
    names = ", ".join(path.stem for path in files) or "none"
    raise InputError(f"NAME: {name} is not among the trusted keys in {trusted_folder()}: {names}")
