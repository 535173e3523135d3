"""Certificates that versions of models are signed with, and the authorities of a site that are trusted to issue them.

A signing key with a certificate is one file of PEM: the private key, its certificate, and those that lead from it to
the site's authority. An authority that is trusted is two files of :func:`.signing_keys.trusted_folder`: ``NAME.crt``,
its certificate, and ``NAME.subject``, whose signatures count, as an authority issues certificates to many.

Signatures carry no proof of when they were made, so that a certificate must be valid when a model is *used*.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto

from eegdiffusion.core.runtime.errors import InputError

CERTIFICATE, SUBJECT = ".crt", ".subject"

BEGIN = b"-----BEGIN CERTIFICATE-----"

CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""Curves that OpenSSF Model Signing allows."""

LONGEST_CHAIN = 10
"""Certificates that a signature may carry."""


@dataclass(frozen=True)
class Authority:
    """An authority that is trusted to say whose key a key is.

    Attributes:
        name: what messages call it: the name of its file.
        path: its certificates, PEM.
        subject: whose signatures count, of all those that it issues certificates to.
    """

    name: str
    path: Path
    subject: x509.Name

    def __str__(self) -> str:
        return f"{self.name} ({named(self.subject)})"


def named(name: x509.Name) -> str:
    """Return a name of a certificate as messages and files have it, such as ``CN=EEG registry,O=Hospital``."""
    return repr(name.rfc4514_string())[1:-1][:200] or "nobody"


def parse_subject(text: str, where: str) -> x509.Name:
    """Read the name of a certificate's subject.

    Args:
        text: as RFC 4514 has it, such as ``CN=EEG registry,O=Hospital``.
        where: what gave it, for the message.

    Raises:
        InputError: it is no such name, or nobody's.
    """
    try:
        subject = x509.Name.from_rfc4514_string(text.strip())
    except ValueError as error:
        rule = "must be the subject of a certificate, as `openssl x509 -noout -subject -nameopt RFC2253` prints it"
        raise InputError(f"{where}: {rule} (found {text.strip()[:80]!r})") from error
    if not list(subject):
        raise InputError(f"{where}: must name somebody")
    return subject


def has_certificate(path: Path) -> bool:
    """Whether a file of PEM has a certificate in it; a file that cannot be read has none."""
    try:
        return BEGIN in path.read_bytes()
    except OSError:
        return False


def _certificates(content: bytes, where: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise InputError(f"{where}: must be certificates in PEM ({error})") from error


def read_authority(path: Path) -> Authority:
    """Read an authority from its certificate and the file beside it that says whose signatures count.

    Raises:
        InputError: one of them cannot be read, or the certificate is none of an authority.
    """
    check_authority(path)
    beside = path.with_suffix(SUBJECT)
    try:
        subject = parse_subject(beside.read_text(), str(beside))
    except (OSError, UnicodeDecodeError) as error:
        rule = f"must say whose signatures count of those that {path.name} issues certificates to"
        raise InputError(f"{beside}: {rule} ({type(error).__name__})") from error
    return Authority(path.stem, path, subject)


def check_authority(path: Path) -> list[x509.Certificate]:
    """Check that a file holds the root certificate of an authority; return its certificates.

    Raises:
        InputError: it does not.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: must be the certificate of an authority in PEM ({error.strerror})") from error
    certificates = _certificates(content, str(path))
    if not any(each.issuer == each.subject and _may_issue(each) for each in certificates):
        raise InputError(f"{path}: must hold the root certificate of an authority, which it issued to itself")
    return certificates


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def read_own_certificate(content: bytes, key: ec.EllipticCurvePublicKey, path: Path) -> x509.Certificate | None:
    """Read the certificate that stands beside a private key in its file; None where there is none.

    Args:
        content: the file.
        key: the public key that belongs to the private one.
        path: the file, for messages.

    Raises:
        InputError: the first certificate is of another key, not valid now, or not for signing.
    """
    if BEGIN not in content:
        return None
    certificate = _certificates(content, str(path))[0]
    if certificate.public_key() != key:
        raise InputError(f"{path}: certificate: the first must be the key's own (found that of {_of(certificate)})")
    _check_dates(certificate, f"{path}: certificate")
    if not _may_sign(certificate):
        rule = "must be for signing: keyUsage digitalSignature, or extendedKeyUsage codeSigning"
        raise InputError(f"{path}: certificate: {rule} (found that of {_of(certificate)})")
    return certificate


def _may_sign(certificate: x509.Certificate) -> bool:
    extensions = certificate.extensions
    try:
        if extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return True
    except x509.ExtensionNotFound:
        pass
    try:
        return x509.ExtendedKeyUsageOID.CODE_SIGNING in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False


def _of(certificate: x509.Certificate) -> str:
    return named(certificate.subject)


def _check_dates(certificate: x509.Certificate, where: str) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    now = datetime.now(UTC)
    if now > end:
        raise InputError(f"{where}: that of {_of(certificate)} has expired, on {end:%Y-%m-%d}")
    if now < begin:
        raise InputError(f"{where}: that of {_of(certificate)} is not valid before {begin:%Y-%m-%d}")


def read_chain(material: Any) -> list[x509.Certificate]:
    """Read the certificates that a signature carries, the signer's own first.

    Args:
        material: field ``x509CertificateChain`` of a signature.

    Raises:
        InputError: there are none or too many, or one is no certificate.
    """
    try:
        encoded = [str(each["rawBytes"]) for each in material["certificates"]]
        if not 0 < len(encoded) <= LONGEST_CHAIN:
            raise ValueError(f"there are {len(encoded)}")
        return [x509.load_der_x509_certificate(base64.b64decode(each, validate=True)) for each in encoded]
    except (ValueError, KeyError, TypeError) as error:
        rule = f"must carry 1 to {LONGEST_CHAIN} certificates"
        raise InputError(f"its signature {rule} ({str(error)[:100]})") from error


def find_authority(chain: Sequence[x509.Certificate], authorities: Sequence[Authority]) -> Authority:
    """Return the authority that is trusted and says that a signer is who signs here.

    Args:
        chain: certificates of a signature, the signer's own first.
        authorities: those that are trusted.

    Raises:
        InputError: no authority that is trusted issued the certificate, it or one above it is not valid now, its key is
            of another kind, or it is another's than those whose signatures count.
    """
    key = chain[0].public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise InputError(f"the certificate of {_of(chain[0])} must have an elliptic-curve key, of {', '.join(CURVES)}")
    reasons, others = [], []
    for authority in authorities:
        if reason := _not_issued(chain, authority):
            reasons.append(f"{authority.name}: {reason}")
        elif authority.subject != chain[0].subject:
            others.append(str(authority))
        else:
            return authority
    if others:
        raise InputError(
            f"it is signed by {_of(chain[0])}, whom no authority is trusted for (trusted: {'; '.join(others)})"
        )
    raise InputError(
        f"its certificate, of {_of(chain[0])} by {named(chain[0].issuer)}, does not hold by an authority that is "
        f"trusted here ({'; '.join(reasons) or 'trusted: none'}); if it is of whom you expect, `eeg key trust FILE "
        "--subject SUBJECT` with the authority's certificate that they give you"
    )


def _not_issued(chain: Sequence[x509.Certificate], authority: Authority) -> str | None:
    """Return why an authority does not vouch for the first certificate of a chain today; None where it does."""
    store = crypto.X509Store()
    for certificate in check_authority(authority.path):
        store.add_cert(crypto.X509.from_cryptography(certificate))
    signer, *above = (crypto.X509.from_cryptography(certificate) for certificate in chain)
    try:
        crypto.X509StoreContext(store, signer, above).verify_certificate()
    except crypto.X509StoreContextError as error:
        failed = error.certificate.to_cryptography()
        end = f", on {failed.not_valid_after_utc:%Y-%m-%d}" if "expired" in str(error) else ""
        return f"{error}{end}, of {_of(failed)}"
    return None
