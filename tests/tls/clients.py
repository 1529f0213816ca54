"""Client certificates valid now, and ones that are wrong in one way each. OpenSSL asks the real clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Signer:
    """A certificate with its key; ``chain`` is what a client sends: itself and what leads towards the root."""

    certificate: x509.Certificate
    key: Any = field(repr=False)
    chain: bytes = field(repr=False)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        pem: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem

    def write(self, folder: Path) -> Path:
        """Chain and key in one file."""
        path = folder / "client.pem"
        path.write_bytes(self.key_pem + self.chain)
        return path


def issue(
    name: str,
    issuer: Signer | None = None,
    *,
    is_ca: bool = False,
    days: tuple[int, int] = (-2, 30),
    usage: x509.ObjectIdentifier | None = None,
) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test, Inc."), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    signer = issuer or Signer(None, key, b"")  # type: ignore[arg-type]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    made = builder.sign(signer.key, hashes.SHA256())
    above = issuer.chain if issuer and issuer.certificate.issuer != issuer.certificate.subject else b""
    return Signer(made, key, made.public_bytes(Encoding.PEM) + above)


def revocations(issuer: Signer, *revoked: Signer, days: tuple[int, int] = (-1, 30)) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW + timedelta(days=days[0]))
        .next_update(NOW + timedelta(days=days[1]))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    for signer in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(signer.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW - timedelta(hours=1)).build())
    pem: bytes = builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return pem


@cache
def root() -> Signer:
    return issue("root", is_ca=True)


@cache
def client(kind: str) -> Signer | None:
    """A client of ``root``'s by what is peculiar about it; see ``VERDICTS``."""
    intermediate = issue("intermediate", root(), is_ca=True)
    deeper = issue("deeper", intermediate, is_ca=True)
    makers: dict[str, Callable[[], Signer | None]] = {
        "none": lambda: None,
        "good": lambda: issue("good", root()),
        "good for clients": lambda: issue("good", root(), usage=ExtendedKeyUsageOID.CLIENT_AUTH),
        "one between": lambda: issue("one between", intermediate),
        "two between": lambda: issue("two between", deeper),
        "revoked": lambda: issue("revoked", root()),
        "expired": lambda: issue("expired", root(), days=(-2, -1)),
        "not yet": lambda: issue("not yet", root(), days=(1, 2)),
        "for servers": lambda: issue("for servers", root(), usage=ExtendedKeyUsageOID.SERVER_AUTH),
        "stranger's": lambda: issue("stranger's", issue("stranger", is_ca=True)),
        "of a false root": lambda: issue("good", issue("root", is_ca=True)),
        "self-signed": lambda: issue("self-signed"),
        "expired and self-signed": lambda: issue("self-signed", days=(-2, -1)),
    }
    return makers[kind]()


VERDICTS = {
    "none": "NONE",
    "good": "SUCCESS",
    "good for clients": "SUCCESS",
    "one between": "SUCCESS",
    "two between": "FAILED:unable to get local issuer certificate",
    "expired": "FAILED:certificate has expired",
    "not yet": "FAILED:certificate is not yet valid",
    "for servers": "FAILED:unsuitable certificate purpose",
    "stranger's": "FAILED:unable to verify the first certificate",
    "of a false root": "FAILED:unable to verify the first certificate",
    "self-signed": "FAILED:self-signed certificate",
    "expired and self-signed": "FAILED:certificate has expired",
}
"""Verdict of each kind against ``root`` with depth 1, without a revocation list."""
