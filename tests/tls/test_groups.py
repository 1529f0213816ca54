"""Key exchange: cheap groups only, whichever way they had to be set."""

import importlib
import ssl

import pytest

from ingressd.tls import groups
from ingressd.tls.context import TlsParameters, apply_parameters, certificate_context, listener_context
from ingressd.tls.sni import CertificateSwitch, ServerNames
from tests.tls.authority import leaf
from tests.tls.peers import BOTH_VERSIONS, Client, Wire, client_context, connected, server_context

each_version = pytest.mark.parametrize("version", BOTH_VERSIONS, ids=lambda v: v.name)


def wire(offer: str, version: ssl.TLSVersion, server: ssl.SSLContext) -> Wire:
    context = client_context(version)
    assert groups._set_groups(context, offer)
    return Wire(server=server, client=Client(context))


@each_version
@pytest.mark.parametrize("offer", ["X25519", "P-256", "P-384", "P-521:X448:P-256", "ffdhe8192:X25519"])
async def test_cheap_groups_are_accepted(offer: str, version: ssl.TLSVersion) -> None:
    good = wire(offer, version, server_context("rsa"))
    good.exchange()
    assert good.client.handshake_done


@each_version
@pytest.mark.parametrize(
    ("wanted", "offer", "is_accepted"),
    [
        ("P-384", "P-384", True),
        ("P-384", "X25519:P-256", False),
        ("X25519:P-256", "P-384", False),
        ("X25519:P-256", "P-384:P-256", True),
        ("X25519MLKEM768:P-384", "P-384", True),
        ("nonsense", "X25519", True),  # then it is as if nothing was wanted
        ("nonsense", "P-521", False),
        ("", "P-256", True),
    ],
)
async def test_groups_may_be_chosen(wanted: str, offer: str, is_accepted: bool, version: ssl.TLSVersion) -> None:
    server = server_context("rsa")
    apply_parameters(server, TlsParameters(groups="P-256"))
    apply_parameters(server, TlsParameters(groups=wanted))
    met = wire(offer, version, server)
    if is_accepted:
        met.exchange()
        assert met.client.handshake_done
        return
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        met.exchange()
    met.transport.connection_lost(None)


@pytest.mark.parametrize("offer", ["ffdhe2048", "ffdhe8192", "P-521", "X448"])
async def test_dear_groups_are_refused(offer: str) -> None:
    refused = wire(offer, ssl.TLSVersion.TLSv1_3, server_context("rsa"))
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        refused.exchange()
    refused.transport.connection_lost(None)
    assert refused.owner.ended == ["no_shared_cipher"]


@each_version
@pytest.mark.parametrize("kind", ["rsa", "p256", "p384", "p521", "ed25519", "ed448"])
async def test_every_kind_of_certificate_works_with_them(kind: str, version: ssl.TLSVersion) -> None:
    connected(version=version, server=server_context(kind))


async def test_where_groups_cannot_be_set_the_cheap_one_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_set_groups", lambda context, offer: False)
    listener = listener_context()
    monkeypatch.undo()
    contexts = {"default": certificate_context(leaf().pem, leaf().key_pem)}
    CertificateSwitch(ServerNames(contexts, {}, "default")).install(listener)
    good = wire("X25519:P-256", ssl.TLSVersion.TLSv1_3, listener)
    good.exchange()
    assert good.client.handshake_done
    refused = wire("ffdhe2048", ssl.TLSVersion.TLSv1_3, listener)
    with pytest.raises(ssl.SSLError):
        refused.exchange()


def test_an_openssl_linked_statically_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutFile:
        __file__ = "/nowhere/_ssl.so"

    monkeypatch.setattr(importlib, "import_module", lambda name: WithoutFile)
    assert not groups._set_groups(FakeContext(), "X25519")


def test_python_3_15s_own_way_is_preferred() -> None:
    class Modern(FakeContext):
        def set_groups(self, offer: str) -> None:
            if offer == "unknown":
                raise ssl.SSLError(1, "no such group")
            self.offer = offer

    context = Modern()
    assert groups._set_groups(context, "X25519")
    assert context.offer == "X25519"
    assert not groups._set_groups(context, "unknown")


class FakeContext(ssl.SSLContext):
    def __new__(cls) -> "FakeContext":
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
