"""PEM text of unknown worth to a pair that every worker can load; used by the control process only.

What passes here has been read by ``cryptography``, has signed something with its key, and has been loaded by the same
OpenSSL as workers use. No key material appears in a message or a repr.
"""

import ssl
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ingressd.tls import pem
from ingressd.tls.context import certificate_context

SELF_SIGNED_NAMES = ("ingress.local",)

MAX_CHAIN_BYTES = 96 * 1024  # DER; OpenSSL clients refuse more than 100 KiB of certificates
MAX_CERTIFICATES = 16
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192  # OpenSSL's security level 2; a larger key stalls a worker 50 ms a handshake
_CURVES = ("secp256r1", "secp384r1", "secp521r1")  # what TLS 1.3 has signature schemes for (RFC 8446 section 4.2.3)
_WEAK_DIGESTS = (hashes.MD5, hashes.SHA1)  # refused at security level 2

_PROBE = b"ingressd: does this key belong to that certificate?"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class CertificateError(ValueError):
    """A certificate and key that cannot be served. ``reason`` is CamelCase, ``message`` a sentence for their owner."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class CheckedPair:
    """A chain (PEM, leaf first) and its key (PEM), as OpenSSL takes them. Times are seconds since the epoch.

    ``names``: DNS names of the leaf, lower case. ``expired`` and ``not_yet_valid`` hold at the ``now`` of the check;
    such a pair can still be served. ``was_reordered``: the chain was not given leaf first and in order.
    """

    chain_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    not_before: float
    not_after: float
    names: tuple[str, ...]
    expired: bool = False
    not_yet_valid: bool = False
    was_reordered: bool = False


def check_pair(chain_pem: bytes, key_pem: bytes, *, now: float) -> CheckedPair:
    """The pair in the form to serve it in; raises CertificateError. Costs about 2 ms (RSA) or 1 ms (ECDSA)."""
    key_block = _key_block(key_pem)
    key = _private_key(key_block)
    _check_key_strength(key.public_key(), "the key pair")
    given = _certificates(chain_pem)
    chain = _ordered(given, _leaf(given, key))
    leaf = chain[0]
    _prove(key, leaf)
    for position, certificate in enumerate(chain):
        _check_strength(certificate, position)
    names = _dns_names(leaf)
    served_chain = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain)
    served_key = pem.armor(key_block)
    _load_as_a_worker_does(served_chain, served_key)
    not_before, not_after = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    return CheckedPair(
        served_chain,
        served_key,
        not_before,
        not_after,
        names,
        expired=now > not_after,
        not_yet_valid=now < not_before,
        was_reordered=chain != given,
    )


def covers(names: Collection[str], host: str) -> bool:
    """Whether a certificate with these DNS names is good for host; a wildcard stands for one label (RFC 6125, 6.4.3).

    ``host`` may itself be a wildcard, as in an Ingress; then only the same wildcard covers it.
    """
    wanted = host.lower().removesuffix(".")
    _, dot, parent = wanted.partition(".")
    wildcard = f"*.{parent}" if dot else wanted
    if wanted in names or wildcard in names:  # names as ``check_pair`` gives them: the usual case, ten times as fast
        return True
    return any(name in (wanted, wildcard) for name in (n.lower().removesuffix(".") for n in names))


def self_signed(names: Sequence[str] = SELF_SIGNED_NAMES, *, now: float, days: int = 365) -> CheckedPair:
    """A new ECDSA P-256 certificate for these DNS names, good from an hour before ``now`` (clocks differ)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ingressd"),
            x509.NameAttribute(NameOID.COMMON_NAME, "ingressd self-signed default certificate"),
        ]
    )
    start = datetime.fromtimestamp(int(now), UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(start - timedelta(hours=1))
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return check_pair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        now=now,
    )


def _certificates(text: bytes) -> list[x509.Certificate]:
    blocks = [b for b in _blocks(text, "certificate", "NoCertificate") if b.label in pem.CERTIFICATE_LABELS]
    blocks = list(dict.fromkeys(blocks))  # the same certificate twice is a slip of cat(1), not a chain
    if not blocks:
        raise CertificateError("NoCertificate", "the certificate holds no CERTIFICATE block")
    if len(blocks) > MAX_CERTIFICATES:
        raise CertificateError("TooLarge", f"the chain has {len(blocks)} certificates, at most {MAX_CERTIFICATES} fit")
    if sum(len(block.der) for block in blocks) > MAX_CHAIN_BYTES:
        raise CertificateError("TooLarge", f"the chain is larger than {MAX_CHAIN_BYTES // 1024} KiB")
    return [_certificate(block, number) for number, block in enumerate(blocks, 1)]


def _certificate(block: pem.Block, number: int) -> x509.Certificate:
    try:
        with warnings.catch_warnings():  # oddities such as a serial number of zero: a person's old CA, not our news
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(block.der)
            # All of these are parsed only when asked for.
            _ = certificate.public_key(), certificate.subject, certificate.issuer
            _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            return certificate
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError("InvalidCertificate", f"certificate {number} of the chain cannot be read") from None


def _key_block(text: bytes) -> pem.Block:
    blocks = _blocks(text, "key", "NoPrivateKey")
    keys = [block for block in blocks if block.label.endswith("PRIVATE KEY")]
    if not keys:
        raise CertificateError("NoPrivateKey", "the key holds no PRIVATE KEY block")
    if len(keys) > 1:
        raise CertificateError("SeveralPrivateKeys", f"the key holds {len(keys)} private keys; exactly one is needed")
    if keys[0].is_encrypted:
        raise CertificateError("EncryptedKey", "the key is encrypted with a passphrase; store it without one")
    return keys[0]


def _blocks(text: bytes, what: str, reason_if_empty: str) -> list[pem.Block]:
    if not text.strip():
        raise CertificateError(reason_if_empty, f"the {what} is empty")
    try:
        blocks = pem.blocks(text)
    except pem.PemError as error:
        raise CertificateError(error.reason, f"the {what} {error}") from None
    if not blocks:
        looks_like_der = text[:1] == b"\x30"
        advice = " (it looks like DER or PKCS#12; convert it with openssl)" if looks_like_der else ""
        raise CertificateError("NotPEM", f"the {what} is not PEM{advice}")
    return blocks


def _private_key(block: pem.Block) -> PrivateKey:
    try:
        # Validation means primality tests, 60 ms for each RSA key. Instead the key has to sign (`_prove`), which is
        # what it will be used for; it harms only its owner when it is made with bad primes.
        key = serialization.load_der_private_key(block.der, None, unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm:
        raise CertificateError("UnsupportedKey", "the key is of a kind that cannot be served") from None
    except (ValueError, TypeError):
        raise CertificateError("InvalidKey", "the key cannot be read") from None
    if isinstance(key, PrivateKey):
        return key
    raise CertificateError("UnsupportedKey", "the key is neither RSA, ECDSA, Ed25519 nor Ed448")


def _leaf(certificates: Sequence[x509.Certificate], key: PrivateKey) -> x509.Certificate:
    wanted = _public_bytes(key.public_key())
    for certificate in certificates:
        if _public_bytes(certificate.public_key()) == wanted:
            return certificate
    raise CertificateError("KeyMismatch", "the key does not belong to the certificate")


def _public_bytes(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _ordered(certificates: Sequence[x509.Certificate], leaf: x509.Certificate) -> list[x509.Certificate]:
    """Leaf, its issuer, and so on (RFC 5246 section 7.4.2); what is left over, such as a cross-signed twin, last."""
    chain, rest = [leaf], [c for c in certificates if c is not leaf]
    while (issuer := next((c for c in rest if _issued(c, chain[-1])), None)) is not None:
        chain.append(issuer)
        rest.remove(issuer)
    return chain + rest


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _prove(key: PrivateKey, leaf: x509.Certificate) -> None:
    """Sign with the key, verify with the certificate: a key whose private part is damaged still looks like its pair."""
    public = leaf.public_key()
    try:
        if isinstance(key, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey):
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
            public.verify(key.sign(_PROBE, scheme, hashes.SHA256()), _PROBE, scheme, hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(key.sign(_PROBE, ec.ECDSA(hashes.SHA256())), _PROBE, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
            assert isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)  # noqa: S101
            public.verify(key.sign(_PROBE), _PROBE)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        raise CertificateError("InvalidKey", "the key is damaged: what it signs, its certificate denies") from None


def _check_strength(certificate: x509.Certificate, position: int) -> None:
    what = f"certificate {position + 1} of the chain"
    _check_key_strength(certificate.public_key(), f"the key of {what}")
    if certificate.subject == certificate.issuer:
        return  # nobody relies on a self-signature, so OpenSSL does not judge it either
    try:
        digest = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("WeakSignature", f"{what} is signed with an unknown algorithm") from None
    if isinstance(digest, _WEAK_DIGESTS):
        raise CertificateError("WeakSignature", f"{what} is signed with {digest.name.upper()}, which clients refuse")


def _check_key_strength(key: CertificatePublicKeyTypes, what: str) -> None:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise CertificateError("WeakKey", f"{what} is RSA of {key.key_size} bits; {MIN_RSA_BITS} are needed")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size > MAX_RSA_BITS:
        raise CertificateError("TooLarge", f"{what} is RSA of {key.key_size} bits; at most {MAX_RSA_BITS} are served")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in _CURVES:
        raise CertificateError("UnsupportedKey", f"{what} is on curve {key.curve.name}; use P-256, P-384 or P-521")


def _dns_names(leaf: x509.Certificate) -> tuple[str, ...]:
    """Subject alternative names; the common name counts only where there are none (RFC 6125 section 6.4.4)."""
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        found = [str(a.value) for a in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, x509.UnsupportedGeneralNameType):
        raise CertificateError("InvalidCertificate", "the certificate's extensions cannot be read") from None
    return tuple(dict.fromkeys(name.lower().removesuffix(".") for name in found))


def _load_as_a_worker_does(chain_pem: bytes, key_pem: bytes) -> None:
    """The last word is OpenSSL's, which is not the one inside ``cryptography``: no pair may fail only in a worker."""
    try:
        certificate_context(chain_pem, key_pem)
    except ssl.SSLError as error:
        why = (getattr(error, "reason", None) or "unknown reason").replace("_", " ").lower()
        raise CertificateError("Refused", f"OpenSSL refuses the certificate: {why}") from None
