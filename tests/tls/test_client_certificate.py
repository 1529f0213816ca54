"""What is said of a client's certificate, beside what OpenSSL says."""

import contextlib
import hashlib
import subprocess
from urllib.parse import unquote_to_bytes

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from ingressd.tls.client_certificate import (
    ClientCertificate,
    UnreadableCertificate,
    distinguished_name,
    names_of,
    reason_of,
    trust_key,
)
from tests.support.tools import find_tool
from tests.tls import clients

Attribute = x509.NameAttribute

NAMES: dict[str, list[list[Attribute[str]]]] = {
    "plain": [
        [Attribute(NameOID.COUNTRY_NAME, "DE")],
        [Attribute(NameOID.ORGANIZATION_NAME, "Acme Co")],
        [Attribute(NameOID.COMMON_NAME, "client")],
    ],
    "specials": [[Attribute(NameOID.COMMON_NAME, ' #a,b+c"d\\e<f>g;h=i/j ')]],
    "a hash first": [[Attribute(NameOID.COMMON_NAME, "#1")]],
    "one space": [[Attribute(NameOID.TITLE, " ")]],
    "not ASCII": [[Attribute(NameOID.COMMON_NAME, "büche€r 😀")]],
    "controls": [[Attribute(NameOID.COMMON_NAME, "a\nb\rc\0d\x7f")]],
    "BMPString": [[Attribute(NameOID.SURNAME, "ü日", _type=_ASN1Type.BMPString)]],
    "UniversalString": [[Attribute(NameOID.SURNAME, "ü日", _type=_ASN1Type.UniversalString)]],
    "PrintableString": [[Attribute(NameOID.LOCALITY_NAME, "here", _type=_ASN1Type.PrintableString)]],
    "several in one": [
        [Attribute(NameOID.ORGANIZATION_NAME, "o"), Attribute(NameOID.COMMON_NAME, "cn")],
        [Attribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "one")],
        [Attribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "two")],
    ],
    "unknown attribute": [[Attribute(ObjectIdentifier("1.2.3.4.56789"), "x")]],
    "known attributes": [
        [Attribute(oid, "x1")]
        for oid in (
            NameOID.SERIAL_NUMBER,
            NameOID.STATE_OR_PROVINCE_NAME,
            NameOID.STREET_ADDRESS,
            NameOID.GIVEN_NAME,
            NameOID.INITIALS,
            NameOID.GENERATION_QUALIFIER,
            NameOID.DN_QUALIFIER,
            NameOID.PSEUDONYM,
            NameOID.USER_ID,
            NameOID.DOMAIN_COMPONENT,
            NameOID.EMAIL_ADDRESS,
            NameOID.BUSINESS_CATEGORY,
            NameOID.POSTAL_CODE,
            NameOID.UNSTRUCTURED_NAME,
            NameOID.ORGANIZATION_IDENTIFIER,
            ObjectIdentifier("2.5.4.13"),
            ObjectIdentifier("2.5.4.20"),
            ObjectIdentifier("2.5.4.41"),
            ObjectIdentifier("2.5.4.72"),
            ObjectIdentifier("0.9.2342.19200300.100.1.3"),
            ObjectIdentifier("1.2.840.113549.1.9.8"),
            ObjectIdentifier("1.3.6.1.4.1.311.60.2.1.1"),
            ObjectIdentifier("1.3.6.1.4.1.311.60.2.1.2"),
        )
    ],
    "jurisdiction": [[Attribute(NameOID.JURISDICTION_COUNTRY_NAME, "DE")]],
    "no name": [],
}


def certificate(subject: x509.Name) -> bytes:
    signer = clients.root()
    builder = x509.CertificateBuilder(signer.certificate.subject, subject, signer.key.public_key(), 7)
    made = builder.not_valid_before(clients.NOW).not_valid_after(clients.NOW).sign(signer.key, hashes.SHA256())
    return made.public_bytes(Encoding.DER)


def openssl_says(der: bytes, *what: str) -> str:
    command = [find_tool("openssl"), "x509", "-inform", "DER", "-noout", "-nameopt", "RFC2253", *what]
    return subprocess.run(command, input=der, capture_output=True, check=True, timeout=60).stdout.decode().rstrip("\n")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_are_printed_as_openssl_prints_them(name: list[list[Attribute[str]]]) -> None:
    der = certificate(x509.Name([x509.RelativeDistinguishedName(attributes) for attributes in name]))
    subject, issuer = names_of(der)
    assert subject == openssl_says(der, "-subject").removeprefix("subject=")
    assert issuer == "CN=root,O=Test\\, Inc." == openssl_says(der, "-issuer").removeprefix("issuer=")


BAD_NAMES = {
    "nothing": b"",
    "not a sequence": b"\x31\x00",
    "cut": b"\x30\x05\x31\x03",
    "bytes behind": b"\x30\x00\x00",
    "indefinite length": b"\x30\x80\x00\x00",
    "a length of five bytes": b"\x30\x85\x00\x00\x00\x00\x00",
    "no set": b"\x30\x02\x30\x00",
    "an attribute without a value": b"\x30\x09\x31\x07\x30\x05\x06\x03\x55\x04\x03",
    "an unfinished object identifier": b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x83\x0c\x01a",
}


@pytest.mark.parametrize("der", BAD_NAMES.values(), ids=BAD_NAMES)
def test_what_is_not_a_name(der: bytes) -> None:
    with pytest.raises(UnreadableCertificate):
        distinguished_name(der)


def test_text_that_breaks_its_own_encoding_is_printed_in_hexadecimal() -> None:
    assert distinguished_name(b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\xff") == "CN=#0C01FF"
    assert distinguished_name(b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x03\x01\x00") == "CN=#030100"


@given(st.data())
def test_noise_is_unreadable_or_printable(draw: st.DataObject) -> None:
    der = bytearray(clients.root().certificate.public_bytes(Encoding.DER))
    for _ in range(draw.draw(st.integers(1, 5))):
        der[draw.draw(st.integers(0, len(der) - 1))] = draw.draw(st.integers(0, 255))
    del der[draw.draw(st.integers(0, len(der))) :]
    with contextlib.suppress(UnreadableCertificate):
        for name in names_of(bytes(der)):
            assert all(" " <= character <= "~" for character in name)


def test_pem_and_fingerprint() -> None:
    signer = clients.root()
    der = signer.certificate.public_bytes(Encoding.DER)
    found = ClientCertificate("trust", der, (), is_judged=True)
    assert found.pem.encode() == signer.pem
    assert unquote_to_bytes(found.escaped_pem) == signer.pem
    assert found.escaped_pem.startswith(b"-----BEGIN%20CERTIFICATE-----%0A")
    assert found.escaped_pem.endswith(b"-----END%20CERTIFICATE-----%0A")
    assert found.escaped_pem is found.escaped_pem
    assert found.fingerprint == hashlib.sha1(der).hexdigest()
    assert found.fingerprint in openssl_says(der, "-fingerprint", "-sha1").replace(":", "").lower()


DER = clients.root().certificate.public_bytes(Encoding.DER)
FOUND = {
    "nothing presented": (b"", (), True, "NONE", False),
    "nothing presented, nothing judged": (b"", (), False, "NONE", False),
    "good": (DER, (), True, "SUCCESS", False),
    "never judged": (DER, (), False, "FAILED:not verified", False),
    "unreadable": (b"\x30\x00", (), True, "FAILED:not verified", False),
    "untrusted": (DER, (20, 21), True, "FAILED:unable to verify the first certificate", True),
    "untrusted and expired": (DER, (18, 10), True, "FAILED:certificate has expired", False),
    "expired and then untrusted": (DER, (10, 18), True, "FAILED:self-signed certificate", False),
    "untrusted, so on no list": (DER, (20, 3, 21), True, "FAILED:unable to verify the first certificate", True),
    "too long a chain": (DER, (22, 20), True, "FAILED:unable to get local issuer certificate", True),
    "self-signed, and lists there are": (DER, (18, 3), True, "FAILED:unable to get certificate CRL", False),
    "on no list": (DER, (3,), True, "FAILED:unable to get certificate CRL", False),
    "unheard of": (DER, (9999,), True, "FAILED:error number 9999", False),
}


@pytest.mark.parametrize(("der", "problems", "is_judged", "verdict", "is_merely_untrusted"), FOUND.values(), ids=FOUND)
def test_verdicts(
    der: bytes, problems: tuple[int, ...], is_judged: bool, verdict: str, is_merely_untrusted: bool
) -> None:
    found = ClientCertificate("trust", der, problems, is_judged=is_judged)
    assert (found.verdict, found.is_merely_untrusted) == (verdict, is_merely_untrusted)
    assert found.verdict in repr(found)
    assert bool(found.pem) is bool(found.fingerprint) is bool(der)


def test_the_trust_differs_with_each_part() -> None:
    parts = [(b"a", b"", 1), (b"b", b"", 1), (b"a", b"c", 1), (b"a", b"", 2), (b"", b"a", 1)]
    assert len({trust_key(*part) for part in parts}) == len(parts)
    assert trust_key(b"a", b"c", 1) == trust_key(b"a", b"c", 1)


def test_reasons_are_words_that_fit_a_field() -> None:
    assert all(reason_of(number).isascii() and reason_of(number).isprintable() for number in range(120))
