"""Certificates of a site: an authority, and keys that it, or one below it, says whose they are."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

REGISTRY = "CN=EEG registry,O=Hospital"


@dataclass(frozen=True)
class Issued:
    """A private key, its certificate, and the certificates above it, without the root's."""

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    def issue(
        self,
        subject: str = REGISTRY,
        days: tuple[int, int] = (-1, 30),
        issues: bool = False,
        signs: bool = True,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    ) -> "Issued":
        """Issue a certificate, valid from and to so many days from now, of a key that may issue others or sign."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(key, subject, self.key, self.certificate.subject, days, issues, signs)
        above = () if self.certificate.issuer == self.certificate.subject else (self.certificate, *self.above)
        return Issued(key, certificate, above)

    def write_certificate(self, path: Path) -> Path:
        """Write the certificate alone."""
        path.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return path

    def write(self, path: Path) -> Path:
        """Write key, certificate and those above it in one file."""
        chain = b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.above))
        path.touch(mode=0o600)
        path.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain)
        return path

    def with_certificate_of(self, other: "Issued") -> "Issued":
        """Return this key with another's certificate."""
        return replace(self, certificate=other.certificate, above=other.above)


def _certificate(key, subject, issuer_key, issuer, days, issues, signs) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    usage |= {"digital_signature": signs, "key_encipherment": not signs, "key_cert_sign": issues, "crl_sign": issues}
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(issues, None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def authority(subject: str = "CN=Authority,O=Hospital", days: tuple[int, int] = (-100, 1000)) -> Issued:
    """Make a root: an authority whose certificate is its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    return Issued(key, _certificate(key, subject, key, name, days, issues=True, signs=False))
