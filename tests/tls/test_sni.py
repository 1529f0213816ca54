import ssl
import sys

import pytest

from ingressd.tls.context import certificate_context, listener_context
from ingressd.tls.sni import CertificateSwitch, ServerNames, silence_unreadable_names
from tests.tls.authority import leaf
from tests.tls.peers import BOTH_VERSIONS, Client, Wire, client_context, connected

A, B, W, DEFAULT = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(4))
NAMES = ServerNames(
    {"ns/a": A, "ns/b": B, "ns/w": W, "": DEFAULT},
    {"a.example": "ns/a", "*.example": "ns/w", "b.a.example": "ns/b", "gone.example": "ns/gone"},
)

each_version = pytest.mark.parametrize("version", BOTH_VERSIONS, ids=lambda v: v.name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.example", A),
        ("A.EXAMPLE", A),
        ("a.example.", A),
        ("b.a.example", B),
        ("c.example", W),
        ("C.Example.", W),
        ("c.a.example", DEFAULT),  # a wildcard is one label
        ("example", DEFAULT),
        ("", DEFAULT),
        (".", DEFAULT),
        (None, DEFAULT),
        ("192.0.2.1", DEFAULT),
        ("gone.example", DEFAULT),  # its certificate is not there
    ],
)
def test_exact_then_one_label_of_wildcard_then_default(name: str | None, expected: ssl.SSLContext) -> None:
    assert NAMES.choose(name) is expected


def test_without_a_default_there_may_be_nothing() -> None:
    assert ServerNames().choose("a.example") is None
    assert ServerNames().choose(None) is None


def test_a_change_makes_a_copy_that_shares_what_did_not_change() -> None:
    fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    rotated = NAMES.with_changes(contexts={"ns/a": fresh})
    assert rotated.choose("a.example") is fresh
    assert NAMES.choose("a.example") is A
    assert rotated._names is NAMES._names
    renamed = rotated.with_changes(names={"new.example": "ns/b"}, names_removed=["a.example"])
    assert renamed.choose("new.example") is B
    assert renamed.choose("a.example") is W
    assert renamed._contexts is rotated._contexts
    without = renamed.with_changes(contexts_removed=["ns/b", "never there"], default="ns/w")
    assert without.choose("new.example") is W
    assert without.choose(None) is W


@pytest.fixture
def switch() -> CertificateSwitch:
    contexts = {
        kind: certificate_context(leaf(kind, *names).pem, leaf(kind).key_pem)
        for kind, names in {"p256": ["shop.example"], "rsa": ["*.wild.example"], "p384": ["default.example"]}.items()
    }
    return CertificateSwitch(ServerNames(contexts, {"shop.example": "p256", "*.wild.example": "rsa"}, "p384"))


@pytest.fixture
def listener(switch: CertificateSwitch) -> ssl.SSLContext:
    context = listener_context()
    switch.install(context)
    return context


def served(wire: Wire) -> bytes | None:
    return wire.client.tls.getpeercert(binary_form=True)


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


@each_version
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop.example", leaf("p256", "shop.example")),
        ("SHOP.example", leaf("p256", "shop.example")),
        ("a.wild.example", leaf("rsa", "*.wild.example")),
        ("elsewhere.example", leaf("p384", "default.example")),
        ("", leaf("p384", "default.example")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_handshake_sees_the_chosen_certificate(
    version: ssl.TLSVersion, name: str, expected: object, listener: ssl.SSLContext
) -> None:
    wire = connected(server=listener, client=Client(client_context(version), name))
    assert hasattr(expected, "pem")
    assert served(wire) == der(expected.pem)
    assert wire.client.tls.selected_alpn_protocol() == "http/1.1"


@each_version
async def test_a_rotated_certificate_is_for_the_next_handshake(
    version: ssl.TLSVersion, switch: CertificateSwitch, listener: ssl.SSLContext
) -> None:
    before = connected(server=listener, client=Client(client_context(version)))
    new = leaf("p521", "shop.example")
    switch.names = switch.names.with_changes(contexts={"p256": certificate_context(new.pem, new.key_pem)})
    after = connected(server=listener, client=Client(client_context(version)))
    assert served(before) == der(leaf("p256", "shop.example").pem)
    assert served(after) == der(new.pem)
    before.inner.on_data = before.transport.write
    before.send(b"still here")
    before.exchange()
    assert bytes(before.client.received) == b"still here"


async def test_a_name_that_is_not_ascii_fails_quietly(
    listener: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    silence_unreadable_names()
    wire = Wire(server=listener)
    wire.to_server(wire.client.step().replace(b"shop.example", b"sh\xffp.example"))
    wire.transport.connection_lost(None)
    assert wire.owner.ended == ["no_certificate"]
    assert printed == []


def test_everything_else_is_still_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    silence_unreadable_names()

    class Troubled:
        def __del__(self) -> None:
            raise ValueError

    Troubled()
    assert len(printed) == 1


OWN = NAMES.with_changes(own={"a.example": None, "*.example": B, "x.y.example": W, "*": A})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("c.example", B),
        ("C.EXAMPLE.", B),
        ("a.example", A),  # None: the certificate of the name
        ("x.y.example", W),
        ("else.where", A),
        (None, A),
    ],
)
def test_contexts_of_their_own_come_before_certificates(name: str | None, expected: ssl.SSLContext) -> None:
    assert OWN.choose(name) is expected


def test_unknown_names_get_no_context_of_the_catch_all_host_where_they_are_rejected() -> None:
    strict = OWN.with_changes(rejects_unknown=True, known={"known.test", "*.wild.test"})
    for name in ("known.test", "a.wild.test"):
        assert strict.choose(name) is A
    assert strict.choose("c.example") is B
    assert [strict.choose(name) for name in ("else.where", "", None)] == [None] * 3
    without = strict.with_changes(own={})
    assert without.choose("known.test") is DEFAULT
    assert without.choose("else.where") is None


def test_the_certificate_of_a_name() -> None:
    names = NAMES.with_changes(default="ns/b")
    keys = [names.key(name) for name in ("a.example", "*.example", "c.example", "*", "else.where")]
    assert keys == ["ns/a", "ns/w", "ns/w", "ns/b", "ns/b"]
