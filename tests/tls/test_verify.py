"""Hosts that ask for client certificates: every client gets its handshake, and each its verdict."""

import ssl
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ingressd.proxy.verified_tls import ChosenTls, HelloChoices
from ingressd.tls import verify
from ingressd.tls.client_certificate import ClientCertificate, trust_key
from ingressd.tls.context import TlsParameters
from ingressd.tls.verify import VerifyingContext
from tests.tls import clients
from tests.tls.authority import leaf
from tests.tls.peers import BOTH_VERSIONS, Client, Wire, client_context, server_context

each_version = pytest.mark.parametrize("version", BOTH_VERSIONS, ids=lambda v: v.name)
SERVER = server_context()


@cache
def verifying(*, crl: bytes = b"", depth: int = 1, ca: bytes = b"") -> VerifyingContext:
    certificate = leaf()
    return VerifyingContext(
        certificate.pem, certificate.key_pem, ca_pem=ca or clients.root().pem, crl_pem=crl, depth=depth
    )


def context_of(kind: str, version: ssl.TLSVersion | None, folder: Path) -> ssl.SSLContext:
    context = client_context(version)
    signer = clients.client(kind)
    if signer is not None:
        context.load_cert_chain(signer.write(folder))
    return context


class ChosenWire(Wire):
    """A ``Wire`` whose server looks at hellos."""

    def __init__(self, choices: HelloChoices, client: Client, *, piece: int = 1 << 30) -> None:
        super().__init__(client=client, piece=piece)
        self.transport = ChosenTls(SERVER, lambda: self.inner, self.owner, choices)
        self.owner.started = 0
        self.tcp.attach(self.transport)

    @property
    def certificate(self) -> ClientCertificate:
        found = self.transport.get_extra_info("client_certificate")
        assert isinstance(found, ClientCertificate)
        return found


def visit(context: VerifyingContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ChosenWire:
    wire = ChosenWire(HelloChoices({"shop.example": context}), Client(client, session=session))
    wire.exchange()
    assert wire.inner.transcript == ["made"]
    return wire


@each_version
@pytest.mark.parametrize(("kind", "verdict"), clients.VERDICTS.items(), ids=clients.VERDICTS)
async def test_each_client_is_let_in_with_its_verdict(
    kind: str, verdict: str, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    wire = visit(verifying(), context_of(kind, version, tmp_path))
    assert wire.certificate.verdict == verdict
    signer = clients.client(kind)
    assert wire.certificate.pem == ("" if signer is None else signer.pem.decode())
    assert wire.certificate.subject == (
        "" if signer is None else wire.certificate.subject and f"CN={name_of(signer)},O=Test\\, Inc."
    )
    wire.inner.on_data = lambda data: wire.transport.write(data.upper())
    wire.send(b"hello")
    wire.exchange()
    assert bytes(wire.client.received) == b"HELLO"
    assert wire.client.tls.version() == wire.transport.get_extra_info("ssl_object").version()
    assert wire.client.tls.selected_alpn_protocol() == "http/1.1"


def name_of(signer: clients.Signer) -> str:
    return str(signer.certificate.subject.rdns[-1].rfc4514_string().removeprefix("CN="))


@each_version
@pytest.mark.parametrize(
    ("kind", "depth", "verdict"),
    [
        ("good", 0, "SUCCESS"),
        ("one between", 0, "FAILED:unable to get local issuer certificate"),
        ("two between", 2, "SUCCESS"),
    ],
)
async def test_depth(kind: str, depth: int, verdict: str, version: ssl.TLSVersion, tmp_path: Path) -> None:
    assert visit(verifying(depth=depth), context_of(kind, version, tmp_path)).certificate.verdict == verdict


def revoked_list(days: tuple[int, int] = (-1, 30)) -> bytes:
    revoked = clients.client("revoked")
    assert revoked is not None
    return clients.revocations(clients.root(), revoked, days=days)


@each_version
async def test_revocations(version: ssl.TLSVersion, tmp_path: Path) -> None:
    context = verifying(crl=revoked_list())
    revoked = visit(context, context_of("revoked", version, tmp_path)).certificate
    assert (revoked.verdict, revoked.is_merely_untrusted) == ("FAILED:certificate revoked", False)
    assert visit(context, context_of("good", version, tmp_path)).certificate.verdict == "SUCCESS"
    # As nginx: with a list, every issuer of the chain must have one.
    between = visit(context, context_of("one between", version, tmp_path)).certificate
    assert between.verdict == "FAILED:unable to get certificate CRL"
    stale = visit(verifying(crl=revoked_list((-3, -1))), context_of("good", version, tmp_path)).certificate
    assert stale.verdict == "FAILED:CRL has expired"


@each_version
async def test_no_session_is_resumed_so_that_no_verdict_is_skipped(version: ssl.TLSVersion, tmp_path: Path) -> None:
    client = context_of("good", version, tmp_path)
    first = visit(verifying(), client)
    first.transport.write(b"answer")
    first.exchange()
    session = first.client.tls.session
    again = visit(verifying(), client, session)
    assert not again.client.tls.session_reused
    assert again.certificate.verdict == "SUCCESS"
    # The same client, the same session, but revoked meanwhile: another context, nothing carried over.
    good = clients.client("good")
    assert good is not None
    later = visit(verifying(crl=clients.revocations(clients.root(), good)), client, session)
    assert later.certificate.verdict == "FAILED:certificate revoked"


@each_version
async def test_a_session_of_another_host_does_not_open_this_one(version: ssl.TLSVersion, tmp_path: Path) -> None:
    client = context_of("none", version, tmp_path)
    choices = HelloChoices({"closed.example": verifying()})
    open_host = ChosenWire(choices, Client(client, "open.example"))
    open_host.exchange()
    open_host.transport.write(b"answer")
    open_host.exchange()
    assert open_host.transport.get_extra_info("client_certificate") is None
    session = open_host.client.tls.session
    closed_host = ChosenWire(choices, Client(client, "closed.example", session))
    closed_host.exchange()
    assert not closed_host.client.tls.session_reused
    assert closed_host.certificate.verdict == "NONE"


async def test_its_face_before_and_after(tmp_path: Path) -> None:
    wire = visit(verifying(), context_of("good", None, tmp_path))
    connection = wire.transport.get_extra_info("ssl_object")
    assert connection.cipher()[0].startswith("TLS_")
    assert connection.selected_alpn_protocol() == "http/1.1"
    assert wire.certificate.trust == verifying().trust == trust_key(clients.root().pem, b"", 1)
    assert wire.transport.get_extra_info("server_name") == "shop.example"
    assert wire.transport.get_extra_info("peername") == ("192.0.2.1", 4711)
    wire.to_server(wire.client.close_notify())
    assert wire.inner.transcript == ["made", "eof"]
    wire.transport.connection_lost(None)
    assert wire.inner.transcript == ["made", "eof", "lost"]
    assert wire.transport.get_extra_info("ssl_object") is None


@each_version
@pytest.mark.parametrize("piece", [1, 100, 1 << 30])
async def test_large_bodies_both_ways_in_pieces_of_any_size(
    version: ssl.TLSVersion, piece: int, tmp_path: Path
) -> None:
    wire = ChosenWire(
        HelloChoices({"shop.example": verifying()}), Client(context_of("good", version, tmp_path)), piece=piece
    )
    wire.exchange()
    wire.send(b"u" * 100_000)
    assert bytes(wire.inner.received) == b"u" * 100_000
    wire.transport.write(b"d" * 300_000)
    wire.exchange()
    assert bytes(wire.client.received) == b"d" * 300_000
    wire.transport.close()
    wire.exchange()
    assert wire.client.saw_close_notify
    assert wire.is_tcp_closed()


async def test_a_hello_that_only_openssl_understands_presents_nothing(tmp_path: Path) -> None:
    """Its name was not read, so nothing was verified: ``may_serve`` calls every closed host misdirected."""
    wire = ChosenWire(HelloChoices({"shop.example": verifying()}), Client(context_of("good", None, tmp_path)))
    hello = wire.client.step()
    wire.to_server(hello[:1] + b"\x03\x01" + len(hello[5:]).to_bytes(2) + hello[5:])
    assert wire.transport.get_extra_info("server_name") == "shop.example"
    odd = ChosenWire(HelloChoices({"shop.example": verifying()}), Client(context_of("good", None, tmp_path)))
    odd.to_server(odd.client.step().replace(b"shop.example", b"shop\x01example"))
    assert odd.transport.get_extra_info("server_name", "default") is None
    assert odd.transport.get_extra_info("client_certificate") is None


async def test_an_openssl_with_costly_groups_gets_one_that_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(verify, "_LIMITED_GROUPS_SINCE", 1 << 40)
    context = VerifyingContext(leaf().pem, leaf().key_pem, ca_pem=clients.root().pem)
    wire = visit(context, context_of("good", None, tmp_path))
    assert wire.certificate.verdict == "SUCCESS"
    assert wire.transport.get_extra_info("ssl_object")._connection.get_group_name() in ("secp256r1", "prime256v1")


async def test_a_breach_of_protocol(tmp_path: Path) -> None:
    wire = visit(verifying(), context_of("good", None, tmp_path))
    wire.to_server(b"\x17\x03\x03\0\x20" + b"x" * 32)
    assert wire.is_tcp_closed()
    wire.transport.connection_lost(None)
    assert wire.inner.transcript == ["made", ssl.SSLError]


async def test_a_handshake_that_fails_says_why() -> None:
    context = client_context(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    wire = ChosenWire(HelloChoices({"shop.example": verifying()}), Client(context))
    with pytest.raises(ssl.SSLError):
        wire.exchange()
    wire.transport.connection_lost(None)
    assert wire.owner.ended == ["no_shared_cipher"]


BAD = {
    "chain": {"chain_pem": b"garbage"},
    "key": {"key_pem": b"garbage"},
    "another key": {"key_pem": leaf("rsa").key_pem},
    "an encrypted key": {"key_pem": b"-----BEGIN ENCRYPTED PRIVATE KEY-----"},
    "authorities": {"ca_pem": b"garbage"},
    "no authorities": {"ca_pem": b""},
    "revocations": {"crl_pem": b"garbage"},
    "ciphers": {"parameters": TlsParameters("garbage")},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_what_cannot_be_loaded_is_said_at_once(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"chain_pem": leaf().pem, "key_pem": leaf().key_pem, "ca_pem": clients.root().pem}
    VerifyingContext(**good)
    with pytest.raises(ssl.SSLError):
        VerifyingContext(**(good | change))
