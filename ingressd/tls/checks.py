"""What people write about TLS, to what workers can load; used by the control process only.

Each function returns what to serve and what was wrong with it: "" when nothing was. The sentences quote what was
written, which is no secret, but no certificate.
"""

import re
import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from ingressd.tls import pem
from ingressd.tls.context import CIPHERS, TlsParameters

MAX_CIPHERS = 2048  # characters
MAX_AUTHORITIES = 1024  # bundles of all public ones hold some 150
_CIPHER_TEXT = re.compile(r"[A-Za-z0-9:!+@=_., -]+")
_LEVEL = ":@SECLEVEL=2"  # pinned as in tls/context.py: distributions differ

_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")


class TrustError(ValueError):
    """Authorities or revocations that no certificate could be verified against. The message is for their owner."""


@lru_cache(maxsize=256)
def check_ciphers(text: str) -> tuple[str, str]:
    """An OpenSSL cipher list, or the default and why."""
    problem = _cipher_problem(text)
    if problem:
        return CIPHERS, f"the cipher list {text[:100]!r} {problem}; the default is used"
    return (text if "@SECLEVEL" in text else text + _LEVEL), ""


def _cipher_problem(text: str) -> str:
    if len(text) > MAX_CIPHERS or not _CIPHER_TEXT.fullmatch(text):
        return "is no OpenSSL cipher list"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(text if "@SECLEVEL" in text else text + _LEVEL)
    except ssl.SSLError:
        return "names no cipher that OpenSSL has for TLS 1.2 (those of TLS 1.3 cannot be chosen)"
    if context.security_level < 1:
        return "asks for security level 0"
    if any(not cipher["strength_bits"] or cipher["auth"] == "auth-null" for cipher in context.get_ciphers()):
        return "has ciphers that do not encrypt, or prove nobody's identity"
    return ""


@lru_cache(maxsize=256)
def upstream_cipher_problem(text: str) -> str:
    """Why a cipher list towards a backend cannot be used; "" when it can: there its owner may choose a weak one."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(text)
    except ssl.SSLError:
        return f"the cipher list {text[:100]!r} names no cipher that OpenSSL knows"
    return ""


def check_protocols(text: str) -> tuple[ssl.TLSVersion, ssl.TLSVersion, str]:
    """Lowest and highest version of a list such as ``TLSv1.2 TLSv1.3``, and what of it is not served."""
    default = TlsParameters()
    wanted = text.split()
    unknown = [name for name in wanted if name not in _VERSIONS and name not in _OLD_VERSIONS]
    found = sorted(_VERSIONS[name] for name in wanted if name in _VERSIONS)
    if unknown or not found:
        problem = f"the protocols {text[:100]!r} hold none that is served; TLSv1.2 and TLSv1.3 are used"
        if unknown:
            problem = f"{unknown[0][:20]!r} is no TLS protocol; TLSv1.2 and TLSv1.3 are used"
        return default.minimum_version, default.maximum_version, problem
    old = [name for name in wanted if name in _OLD_VERSIONS]
    return found[0], found[-1], f"{', '.join(old)} is not served: too weak (RFC 8996)" if old else ""


def check_trust(ca_pem: bytes, crl_pem: bytes = b"", *, now: float) -> str:
    """What the owner of these authorities and revocations should know; "" when there is nothing.

    Raises TrustError when a worker could not load them, or they would verify nobody.
    """
    authorities = _loaded(ca_pem, pem.CERTIFICATE_LABELS, x509.load_der_x509_certificate, "authority certificate")
    if not authorities:
        raise TrustError("there is no authority certificate: nobody could be let in")
    moment = datetime.fromtimestamp(now, UTC)
    if all(authority.not_valid_after_utc < moment for authority in authorities):
        return "every authority certificate has expired: nobody is let in"
    if not crl_pem.strip():
        return ""
    lists = _loaded(crl_pem, ("X509 CRL",), x509.load_der_x509_crl, "revocation list")
    if not lists:
        raise TrustError("there is no X509 CRL block among the revocations")
    if any(known.next_update_utc is not None and known.next_update_utc < moment for known in lists):
        return "a revocation list is out of date: nobody of that authority is let in"
    issuers = {known.issuer for known in lists}
    if any(authority.subject not in issuers for authority in authorities):
        return "an authority has no revocation list: nobody of it is let in"
    return ""


def _loaded(text: bytes, labels: tuple[str, ...], load: Callable[[bytes], Any], what: str) -> list[Any]:
    try:
        blocks = [block for block in pem.blocks(text, MAX_AUTHORITIES) if block.label in labels]
    except pem.PemError as error:
        raise TrustError(f"the {what}s: the text {error}") from None
    loaded = []
    for number, block in enumerate(blocks, 1):
        try:
            with warnings.catch_warnings():  # oddities of a person's old authority
                warnings.simplefilter("ignore")
                loaded.append(load(block.der))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise TrustError(f"{what} {number} cannot be read") from None
    return loaded
