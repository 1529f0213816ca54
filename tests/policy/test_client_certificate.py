"""Who gets in with which certificate, and what the upstream is told; every way round by another name."""

import re
from dataclasses import dataclass
from itertools import product

import pytest

from ingressd.policy.client_certificate import (
    UPSTREAM_FIELDS,
    ClientCertificates,
    Connection,
    Verify,
    may_serve,
    may_serve_name,
    needs_tls,
    upstream_lines,
)


@dataclass(frozen=True)
class Found:
    """A certificate as a connection has it."""

    verdict: str
    trust: str = "ours"
    is_merely_untrusted: bool = False
    subject: str = "CN=client,O=Acme"
    issuer: str = "CN=root"
    escaped_pem: bytes = b"-----BEGIN%20"


NONE = Found("NONE", subject="", issuer="", escaped_pem=b"")
GOOD = Found("SUCCESS")
UNTRUSTED = Found("FAILED:self-signed certificate", is_merely_untrusted=True)
EXPIRED = Found("FAILED:certificate has expired")

ASKING = [verify for verify in Verify if verify is not Verify.OFF]
MISSING, REFUSED = (400, "client_certificate_missing"), (400, "client_certificate_untrusted")
VERDICTS = {
    (Verify.REQUIRED, NONE): MISSING,
    (Verify.REQUIRED, GOOD): None,
    (Verify.REQUIRED, UNTRUSTED): REFUSED,
    (Verify.REQUIRED, EXPIRED): REFUSED,
    (Verify.OPTIONAL, NONE): None,
    (Verify.OPTIONAL, GOOD): None,
    (Verify.OPTIONAL, UNTRUSTED): REFUSED,
    (Verify.OPTIONAL, EXPIRED): REFUSED,
    (Verify.OPTIONAL_NO_CA, NONE): None,
    (Verify.OPTIONAL_NO_CA, GOOD): None,
    (Verify.OPTIONAL_NO_CA, UNTRUSTED): None,
    (Verify.OPTIONAL_NO_CA, EXPIRED): REFUSED,
}


def answer(settings: ClientCertificates, connection: Connection) -> tuple[int, str] | None:
    found = may_serve(settings, connection)
    return None if found is None else (found.status, found.reason)


@pytest.mark.parametrize(("verify", "certificate"), VERDICTS)
def test_what_each_mode_makes_of_each_verdict(verify: Verify, certificate: Found) -> None:
    expected = VERDICTS[verify, certificate]
    assert answer(ClientCertificates("ours", verify), Connection(True, "shop.example", certificate)) == expected
    assert answer(ClientCertificates("ours", verify), Connection(True, "", certificate)) == expected


@pytest.mark.parametrize("certificate", [NONE, UNTRUSTED, EXPIRED])
def test_an_error_page_instead(certificate: Found) -> None:
    settings = ClientCertificates("ours", error_page="https://help.example/certificates?a=b")
    found = may_serve(settings, Connection(True, "shop.example", certificate))
    assert found is not None
    assert (found.status, found.fields) == (302, b"Location: https://help.example/certificates?a=b\r\n")


NOT_OURS = [None, Found("SUCCESS", trust="another"), Found("SUCCESS", trust=""), Found("NONE", trust="another")]


@pytest.mark.parametrize("certificate", NOT_OURS)
@pytest.mark.parametrize("verify", ASKING)
@pytest.mark.parametrize("server_name", ["open.example", "shop.example", None])
def test_a_connection_made_for_another_host_is_misdirected(
    server_name: str | None, verify: Verify, certificate: Found | None
) -> None:
    """Also for the very name, when it was verified against what counts no more."""
    connection = Connection(True, server_name, certificate)
    assert answer(ClientCertificates("ours", verify, "https://help.example/"), connection) == (
        421,
        "client_certificate_misdirected",
    )


@pytest.mark.parametrize("certificate", NOT_OURS)
def test_a_connection_without_a_name_has_presented_nothing(certificate: Found | None) -> None:
    connection = Connection(True, "", certificate)
    assert answer(ClientCertificates("ours"), connection) == MISSING
    for verify in (Verify.OPTIONAL, Verify.OPTIONAL_NO_CA):
        settings = ClientCertificates("ours", verify, pass_certificate=True)
        assert answer(settings, connection) is None
        assert upstream_lines(settings, connection) == b"ssl-client-verify: NONE\r\n"


def test_without_the_authorities_the_host_is_closed_to_everybody() -> None:
    for is_tls, name, certificate, verify in product(
        (True, False), ("", "shop.example"), (None, GOOD, Found("SUCCESS", trust="")), ASKING
    ):
        settings = ClientCertificates("", verify, "https://help.example/")
        assert answer(settings, Connection(is_tls, name, certificate)) == (403, "client_certificate_authority_missing")


@pytest.mark.parametrize("certificate", [None, GOOD, Found("SUCCESS", trust="")])
@pytest.mark.parametrize("is_tls", [True, False])
def test_where_none_is_asked_for_nobody_is_refused_and_nobody_vouched_for(
    is_tls: bool, certificate: Found | None
) -> None:
    settings, connection = ClientCertificates(verify=Verify.OFF), Connection(is_tls, "shop.example", certificate)
    assert may_serve(settings, connection) is None
    assert needs_tls(settings, connection) is None
    assert upstream_lines(settings, connection) == (b"ssl-client-verify: NONE\r\n" if is_tls else b"")


def test_plain_http_is_redirected_before_it_is_refused() -> None:
    plain, tls = Connection(False), Connection(True, "shop.example", GOOD)
    settings = ClientCertificates("ours")
    assert answer(settings, plain) is None
    found = needs_tls(settings, plain)
    assert found is not None
    assert (found.status, found.reason) == (400, "client_certificate_needs_tls")
    assert needs_tls(settings, tls) is None
    assert needs_tls(ClientCertificates("ours", Verify.OPTIONAL), plain) is None
    assert upstream_lines(settings, plain) == b""


@pytest.mark.parametrize(
    ("pattern", "certificate", "passes"),
    [
        ("CN=client", GOOD, True),
        ("CN=(client|other)", GOOD, True),
        ("CN=Client", GOOD, False),
        ("^CN=client,O=Acme$", GOOD, True),
        ("CN=cli$", GOOD, False),
        ("CN=client", UNTRUSTED, True),  # whether it may come so far is the step before's to say
        ("CN=client", NONE, False),
        ("CN=client", None, False),
        ("CN=client", Found("SUCCESS", trust="another"), False),
        (".*", None, True),
    ],
)
def test_the_subject_must_match(pattern: str, certificate: Found | None, passes: bool) -> None:
    settings = ClientCertificates("ours", Verify.OPTIONAL_NO_CA, name_pattern=pattern)
    found = may_serve_name(settings, re.compile(pattern), Connection(True, "shop.example", certificate))
    assert (found is None) is passes
    assert found is None or (found.status, found.body) == (403, b"client certificate unauthorized")


def test_what_the_upstream_is_told() -> None:
    connection = Connection(True, "shop.example", GOOD)
    lines = (
        b"ssl-client-verify: SUCCESS\r\nssl-client-subject-dn: CN=client,O=Acme\r\nssl-client-issuer-dn: CN=root\r\n"
    )
    assert upstream_lines(ClientCertificates("ours"), connection) == lines
    passing = upstream_lines(ClientCertificates("ours", pass_certificate=True), connection)
    assert passing == lines + b"ssl-client-cert: -----BEGIN%20\r\n"
    failed = upstream_lines(ClientCertificates("ours"), Connection(True, "shop.example", UNTRUSTED))
    assert failed.startswith(b"ssl-client-verify: FAILED:self-signed certificate\r\n")


def test_every_name_we_send_is_dropped_from_what_the_client_sends() -> None:
    lines = upstream_lines(ClientCertificates("ours", pass_certificate=True), Connection(True, "", GOOD))
    assert {line.partition(b":")[0] for line in lines.splitlines()} == UPSTREAM_FIELDS
