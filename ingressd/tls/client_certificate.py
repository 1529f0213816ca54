"""What a client's certificate says and what was found about it, as upstreams are told by nginx.

Pure, and without ``cryptography``, which workers do not load for hosts that ask for no certificate. Names are read
from DER that OpenSSL has accepted already; what cannot be read all the same is ``UnreadableCertificate``.
"""

import hashlib
import ssl
from collections.abc import Iterator
from urllib.parse import quote

SUCCESS, NONE, FAILED = "SUCCESS", "NONE", "FAILED:"

_SEQUENCE, _SET, _OID, _VERSION = 0x30, 0x31, 0x06, 0xA0

# OpenSSL's short names of the attributes that occur in names; any other is printed by number and in hexadecimal.
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.13": "description",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.20": "telephoneNumber",
    "2.5.4.41": "name",
    "2.5.4.42": "GN",
    "2.5.4.43": "initials",
    "2.5.4.44": "generationQualifier",
    "2.5.4.45": "x500UniqueIdentifier",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.72": "role",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.3": "mail",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",
    "1.2.840.113549.1.9.8": "unstructuredAddress",
    "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
    "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
    "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}
# ASN.1 string types and how their bytes read; T61String as Latin-1, as everybody does.
_CODECS = {12: "utf-8", 18: "latin-1", 19: "latin-1", 20: "latin-1", 22: "latin-1", 26: "latin-1"} | {
    23: "latin-1",
    24: "latin-1",
    28: "utf-32-be",
    30: "utf-16-be",
}
_SPECIAL = frozenset(b',+"\\<>;')  # RFC 2253 section 2.4

# What is wrong with a chain that merely leads to no authority of ours: what ``optional_no_ca`` lets pass, in nginx too.
_UNTRUSTED = frozenset({18, 19, 20, 21, 27})
# What OpenSSL may find on the way there: a stranger's issuer is on no list of ours; a chain is too long to be followed.
_TOLERABLE = _UNTRUSTED | {3, 22}
_REASONS = {  # X509_verify_cert_error_string, in OpenSSL 3's words
    2: "unable to get issuer certificate",
    3: "unable to get certificate CRL",
    7: "certificate signature failure",
    8: "CRL signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    11: "CRL is not yet valid",
    12: "CRL has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    22: "certificate chain too long",
    23: "certificate revoked",
    25: "path length constraint exceeded",
    26: "unsuitable certificate purpose",
    27: "certificate not trusted",
    28: "certificate rejected",
    29: "subject issuer mismatch",
    30: "authority and subject key identifier mismatch",
    32: "key usage does not include certificate signing",
    33: "unable to get CRL issuer certificate",
    34: "unhandled critical extension",
    35: "key usage does not include CRL signing",
    37: "invalid non-CA certificate (has CA markings)",
    47: "permitted subtree violation",
    48: "excluded subtree violation",
    66: "EE certificate key too weak",
    67: "CA certificate key too weak",
    68: "CA signature digest algorithm too weak",
    79: "invalid CA certificate",
}
_NOT_JUDGED = "not verified"


class UnreadableCertificate(ValueError):
    """DER that is not a certificate as X.509 has it."""


class ClientCertificate:
    """Of one connection whose host asks for certificates: what the client presented, and the verdict.

    ``trust`` says against what it was verified: a connection's verdict counts only where the same was asked for.
    ``verdict`` is ``SUCCESS``, ``NONE`` (nothing was presented) or ``FAILED:why``. ``is_merely_untrusted``: nothing is
    wrong but that no authority of ours vouches for it.
    """

    __slots__ = ("_der", "_escaped_pem", "is_merely_untrusted", "issuer", "subject", "trust", "verdict")

    def __init__(self, trust: str, der: bytes, problems: tuple[int, ...], *, is_judged: bool) -> None:
        """``problems`` are OpenSSL's numbers; ``is_judged`` False: nobody has looked at it, whatever was found."""
        self.trust = trust
        self.subject = self.issuer = ""
        self._der = der
        self._escaped_pem: bytes | None = None
        self.is_merely_untrusted = False
        if not der:
            self.verdict = NONE
            return
        try:
            self.subject, self.issuer = names_of(der)
        except UnreadableCertificate:
            is_judged = False
        if not is_judged:
            self.verdict = FAILED + _NOT_JUDGED
        elif problems:
            self.verdict = FAILED + reason_of(problems[-1])  # the last one found, as nginx says it
            # nginx looks at the last one alone; a certificate that has expired besides is nothing to tolerate.
            self.is_merely_untrusted = problems[-1] in _UNTRUSTED and _TOLERABLE.issuperset(problems)
        else:
            self.verdict = SUCCESS

    @property
    def pem(self) -> str:
        """ "" when none was presented."""
        return ssl.DER_cert_to_PEM_cert(self._der) if self._der else ""

    @property
    def escaped_pem(self) -> bytes:
        """PEM with everything but RFC 3986's unreserved characters percent-encoded; made once."""
        if self._escaped_pem is None:
            self._escaped_pem = quote(self.pem, safe="").encode()
        return self._escaped_pem

    @property
    def fingerprint(self) -> str:
        """SHA-1 of the certificate in hexadecimal, nginx's ``$ssl_client_fingerprint``; "" without one."""
        return hashlib.sha1(self._der, usedforsecurity=False).hexdigest() if self._der else ""

    def __repr__(self) -> str:
        return f"<ClientCertificate {self.verdict} {self.subject!r}>"


def trust_key(ca_pem: bytes, crl_pem: bytes, depth: int) -> str:
    """A name for what certificates are verified against: other authorities, other revocations, other key."""
    parts = (hashlib.sha256(part).digest() for part in (ca_pem, crl_pem))
    return hashlib.sha256(b"".join(parts) + str(depth).encode()).hexdigest()


def reason_of(number: int) -> str:
    """OpenSSL's words for one of its verification errors."""
    return _REASONS.get(number, f"error number {number}")


def names_of(certificate: bytes) -> tuple[str, str]:
    """Subject and issuer of a DER certificate, each as ``distinguished_name`` prints it.

    Raises UnreadableCertificate.
    """
    (body,) = _values(_only(certificate, _SEQUENCE), 1)
    fields = [field for field in _elements(_only(body, _SEQUENCE)) if field[0] != _VERSION]
    if len(fields) < 6:  # RFC 5280 section 4.1: serial, signature, issuer, validity, subject, key
        raise UnreadableCertificate("a certificate without subject")
    return distinguished_name(fields[4][1]), distinguished_name(fields[2][1])


def distinguished_name(name: bytes) -> str:
    """A DER Name in the form of RFC 2253, letter for letter as OpenSSL (and so nginx) prints it.

    Raises UnreadableCertificate.
    """
    relative_names = []
    for _, relative_name in _elements(_only(name, _SEQUENCE)):
        attributes = [_attribute(attribute) for _, attribute in _elements(_only(relative_name, _SET))]
        relative_names.append("+".join(reversed(attributes)))
    return ",".join(reversed(relative_names))


def _attribute(attribute: bytes) -> str:
    kind, value = _values(_only(attribute, _SEQUENCE), 2)
    oid = _object_id(_only(kind, _OID))
    short_name = _SHORT_NAMES.get(oid)
    if short_name is None:
        return f"{oid}=#{value.hex().upper()}"
    return f"{short_name}={_attribute_value(value)}"


def _attribute_value(element: bytes) -> str:
    tag, content = element[0], _only(element, element[0])
    try:
        text = content.decode(_CODECS[tag])
    except (KeyError, UnicodeDecodeError):
        return f"#{element.hex().upper()}"
    return _escaped(text.encode("utf-8", "surrogatepass"))


def _escaped(text: bytes) -> str:
    """RFC 2253 section 2.4, with control characters and all that is not ASCII in hexadecimal."""
    out = []
    for position, byte in enumerate(text):
        edge = (byte in b" #" and position == 0) or (byte == 0x20 and position == len(text) - 1)
        if byte in _SPECIAL or edge:
            out.append("\\" + chr(byte))
        elif byte < 0x20 or byte > 0x7E:
            out.append(f"\\{byte:02X}")
        else:
            out.append(chr(byte))
    return "".join(out)


# ── DER, as much of it as names need (X.690 section 8.1) ──


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and whole encoding of each element."""
    position = 0
    while position < len(data):
        end = position + _size(data, position)
        yield data[position], data[position:end]
        position = end


def _values(data: bytes, least: int) -> list[bytes]:
    """The first ``least`` elements, whole."""
    found = [element for _, element in zip(range(least), (whole for _, whole in _elements(data)), strict=False)]
    if len(found) < least:
        raise UnreadableCertificate("an element is missing")
    return found


def _only(element: bytes, tag: int) -> bytes:
    """Content of what must be exactly one element of this type."""
    if not element or element[0] != tag or _size(element, 0) != len(element):
        raise UnreadableCertificate("not the element expected")
    return element[_header(element, 0) :]


def _size(data: bytes, position: int) -> int:
    """Header and content of the element there."""
    header = _header(data, position)
    first = data[position + 1]
    content = first if first < 0x80 else int.from_bytes(data[position + 2 : position + header])
    if position + header + content > len(data):
        raise UnreadableCertificate("an element goes beyond its end")
    return header + content


def _header(data: bytes, position: int) -> int:
    if position + 2 > len(data) or data[position] & 0x1F == 0x1F:
        raise UnreadableCertificate("a tag without a length, or a long one")
    first = data[position + 1]
    if first < 0x80:
        return 2
    if not 0x81 <= first <= 0x84 or position + 2 + (first & 0x7F) > len(data):
        raise UnreadableCertificate("a length that DER does not have")
    return 2 + (first & 0x7F)


def _object_id(content: bytes) -> str:
    """Dotted numbers (X.690 section 8.19)."""
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise UnreadableCertificate("an object identifier that is none")
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))
