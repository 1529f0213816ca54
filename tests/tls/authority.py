"""Certificates for tests: keys of every kind, chains, and ones that are wrong in one way each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 20, tzinfo=UTC).timestamp()


@cache
def new_key(kind: str, number: int = 0) -> Any:
    """A private key; the same one for the same kind and number, because RSA keys take long to make."""
    makers: dict[str, Callable[[], Any]] = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
        "dsa": lambda: dsa.generate_private_key(2048),
    }
    return makers[kind]()


def key_pem(
    key: Any,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    passphrase: bytes = b"",
) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, form, encryption)
    return pem


@dataclass(frozen=True)
class Issued:
    """A certificate and its key; it can issue others."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)


def issue(
    common_name: str,
    key: Any,
    *,
    issuer: Issued | None = None,
    names: Sequence[str] = (),
    ca: bool = False,
    days: tuple[int, int] = (-1, 90),
) -> Issued:
    """A certificate valid from days[0] to days[1] after NOW; self-signed without an issuer."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.fromtimestamp(NOW, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    signer = issuer.key if issuer else key
    unhashed = isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return Issued(builder.sign(signer, None if unhashed else hashes.SHA256()), key)


@cache
def root() -> Issued:
    return issue("test root", new_key("p256", 1), ca=True)


@cache
def intermediate() -> Issued:
    return issue("test intermediate", new_key("p256", 2), issuer=root(), ca=True)


@cache
def leaf(kind: str = "p256", *names: str) -> Issued:
    """A leaf under the intermediate, for ``shop.example`` unless other names are given."""
    return issue("leaf", new_key(kind, 3), issuer=intermediate(), names=names or ("shop.example",))
