"""TLS as people write it: what is served of it, and what they are told."""

import ssl
import time

import pytest

from ingressd.tls.checks import TrustError, check_ciphers, check_protocols, check_trust
from ingressd.tls.context import CIPHERS, certificate_context
from tests.tls import clients
from tests.tls.authority import leaf

NOW = time.time()

GOOD_CIPHERS = [
    "HIGH:!aNULL:!MD5",
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256",
    "AES128-SHA,AES256-SHA",
    "ALL:!aNULL@SECLEVEL=1".replace("@", ":@"),
    "ECDHE+AESGCM no-such-cipher",
]
BAD_CIPHERS = {
    "garbage": "names no cipher",
    "": "is no OpenSSL cipher list",
    "TLS_AES_128_GCM_SHA256": "TLS 1.3 cannot be chosen",
    "HIGH;DROP": "is no OpenSSL cipher list",
    "HIGH\n": "is no OpenSSL cipher list",
    "H" * 3000: "is no OpenSSL cipher list",
    "ALL:@SECLEVEL=0": "security level 0",
    "eNULL": "do not encrypt",
    "aNULL:@SECLEVEL=1": "prove nobody's identity",
}


@pytest.mark.parametrize("text", GOOD_CIPHERS)
def test_cipher_lists_that_workers_can_load(text: str) -> None:
    served, problem = check_ciphers(text)
    assert problem == ""
    assert served.startswith(text)
    assert certificate_context(leaf().pem, leaf().key_pem, ciphers=served).security_level == (1 if "=1" in text else 2)


@pytest.mark.parametrize("text", BAD_CIPHERS)
def test_cipher_lists_that_are_not_served(text: str) -> None:
    served, problem = check_ciphers(text)
    assert served == CIPHERS
    assert BAD_CIPHERS[text] in problem
    assert "the default is used" in problem
    assert len(problem) < 300


V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
PROTOCOLS = {
    "TLSv1.2 TLSv1.3": (V1_2, V1_3, ""),
    "TLSv1.3": (V1_3, V1_3, ""),
    "TLSv1.2": (V1_2, V1_2, ""),
    " TLSv1.3   TLSv1.2 ": (V1_2, V1_3, ""),
    "TLSv1 TLSv1.1 TLSv1.2": (V1_2, V1_2, "TLSv1, TLSv1.1 is not served"),
    "TLSv1.1": (V1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED, "hold none that is served"),
    "": (V1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED, "hold none that is served"),
    "TLSv1.3 tls": (V1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED, "'tls' is no TLS protocol"),
}


@pytest.mark.parametrize("text", PROTOCOLS)
def test_protocols(text: str) -> None:
    lowest, highest, problem = check_protocols(text)
    assert (lowest, highest) == PROTOCOLS[text][:2]
    assert PROTOCOLS[text][2] in problem
    assert bool(problem) is bool(PROTOCOLS[text][2])


ROOT, OTHER = clients.root(), clients.issue("other", is_ca=True)
EXPIRED = clients.issue("old", is_ca=True, days=(-3, -2))
TRUST = {
    "one authority": (ROOT.pem, b"", ""),
    "two": (ROOT.pem + OTHER.pem, b"", ""),
    "one of two expired": (ROOT.pem + EXPIRED.pem, b"", ""),
    "expired": (EXPIRED.pem, b"", "has expired"),
    "with revocations": (ROOT.pem, clients.revocations(ROOT), ""),
    "old revocations": (ROOT.pem, clients.revocations(ROOT, days=(-3, -1)), "out of date"),
    "revocations of one of two": (ROOT.pem + OTHER.pem, clients.revocations(ROOT), "has no revocation list"),
}
NO_TRUST = {
    "nothing": (b"", b"", "no authority certificate"),
    "text": (b"garbage", b"", "no authority certificate"),
    "a key instead": (ROOT.key_pem, b"", "no authority certificate"),
    "half a block": (ROOT.pem[:-40], b"", "without its END line"),
    "base64 of nothing much": (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"",
        "1 cannot be read",
    ),
    "revocations that are none": (ROOT.pem, b"garbage", "no X509 CRL block"),
    "revocations that are broken": (
        ROOT.pem,
        b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        "1 cannot be read",
    ),
}


@pytest.mark.parametrize(("ca", "crl", "problem"), TRUST.values(), ids=TRUST)
def test_trust(ca: bytes, crl: bytes, problem: str) -> None:
    found = check_trust(ca, crl, now=NOW)
    assert problem in found
    assert bool(found) is bool(problem)


@pytest.mark.parametrize(("ca", "crl", "problem"), NO_TRUST.values(), ids=NO_TRUST)
def test_what_nobody_could_be_verified_against(ca: bytes, crl: bytes, problem: str) -> None:
    with pytest.raises(TrustError, match=problem):
        check_trust(ca, crl, now=NOW)
