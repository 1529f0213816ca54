"""What of a host's or the whole listener's TLS parameters takes effect, as clients see it."""

import asyncio
import ssl
from collections.abc import Callable

import pytest

from ingressd.proxy.verified_tls import ChosenTls, HelloChoices
from ingressd.tls.context import TlsParameters, apply_parameters, certificate_context, listener_context, whole_context
from ingressd.tls.sni import CertificateSwitch, ServerNames
from ingressd.tls.verify import VerifyingContext
from tests.support.tools import find_tool
from tests.tls import clients
from tests.tls.authority import leaf
from tests.tls.peers import Client, Inner, Owner, Wire, client_context, connected

AES_128, AES_256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
CLIENTS_ORDER = f"{AES_128}:{AES_256}"
OUR_ORDER = TlsParameters(f"{AES_256}:{AES_128}")
INSISTING = TlsParameters(OUR_ORDER.ciphers, prefers_server_order=True)
ONLY_1_2 = TlsParameters(maximum_version=ssl.TLSVersion.TLSv1_2)
ONLY_1_3 = TlsParameters(minimum_version=ssl.TLSVersion.TLSv1_3)


def listener(listens: TlsParameters = TlsParameters(), *, host: str = "") -> ssl.SSLContext:  # noqa: B008 - frozen
    """With these parameters, switching to a certificate with the ciphers ``host``."""
    made = listener_context()
    apply_parameters(made, listens)
    certificate = certificate_context(leaf().pem, leaf().key_pem, **({"ciphers": host} if host else {}))
    CertificateSwitch(ServerNames({"default": certificate}, {}, "default")).install(made)
    return made


def agreed(server: ssl.SSLContext, version: ssl.TLSVersion | None = ssl.TLSVersion.TLSv1_2) -> str:
    """The cipher that a client gets."""
    return cipher_of(connected(server=server, client=Client(client(version))))


def client(version: ssl.TLSVersion | None) -> ssl.SSLContext:
    context = client_context(version)
    context.set_ciphers(CLIENTS_ORDER)
    return context


def cipher_of(wire: Wire) -> str:
    cipher = wire.client.tls.cipher()
    assert cipher
    return cipher[0]


CASES: dict[str, tuple[Callable[[], ssl.SSLContext], str]] = {
    "neither says anything": (listener, AES_128),
    "the host's ciphers count": (lambda: listener(host=AES_256), AES_256),
    "the listener's own do not": (lambda: listener(TlsParameters(AES_256)), AES_128),
    "the host's order does not count": (lambda: listener(host=OUR_ORDER.ciphers), AES_128),
    "unless the listener insists": (lambda: listener(INSISTING, host=OUR_ORDER.ciphers), AES_256),
    "or the connection began with the host's": (
        lambda: whole_context(leaf().pem, leaf().key_pem, INSISTING),
        AES_256,
    ),
}


@pytest.mark.parametrize(("server", "cipher"), CASES.values(), ids=CASES)
async def test_whose_ciphers_count(server: Callable[[], ssl.SSLContext], cipher: str) -> None:
    assert agreed(server()) == cipher


async def test_ciphers_do_not_reach_tls_1_3() -> None:
    assert agreed(listener(TlsParameters(AES_128), host=AES_128), None).startswith("TLS_")


async def test_versions_are_the_listeners() -> None:
    wire = connected(server=listener(ONLY_1_2), client=Client(client(None)))
    assert wire.client.tls.version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        agreed(listener(ONLY_1_3))


async def test_a_listener_changes_for_handshakes_from_now_on() -> None:
    server = listener()
    for parameters, version in ((ONLY_1_2, "TLSv1.2"), (ONLY_1_3, "TLSv1.3"), (ONLY_1_2, "TLSv1.2")):
        apply_parameters(server, parameters)
        assert connected(server=server, client=Client(client_context())).client.tls.version() == version
    with pytest.raises(ssl.SSLError):
        apply_parameters(server, TlsParameters("garbage", minimum_version=ssl.TLSVersion.TLSv1_3))
    assert server.minimum_version is ssl.TLSVersion.TLSv1_2


class ChosenWire(Wire):
    """A server that looks at hellos."""

    def __init__(self, choices: HelloChoices, client: Client) -> None:
        super().__init__(client=client)
        self.transport = ChosenTls(listener(), lambda: self.inner, Owner(), choices)
        self.tcp.attach(self.transport)


async def test_a_name_with_parameters_of_its_own() -> None:
    own = whole_context(leaf().pem, leaf().key_pem, INSISTING)
    choices = HelloChoices({"own.example": own})
    for name, cipher in (("own.example", AES_256), ("other.example", AES_128)):
        wire = ChosenWire(choices, Client(client(ssl.TLSVersion.TLSv1_2), name))
        wire.exchange()
        assert cipher_of(wire) == cipher
        assert wire.transport.get_extra_info("client_certificate") is None


@pytest.mark.parametrize(
    ("parameters", "version", "cipher"),
    [
        (OUR_ORDER, "TLSv1.2", AES_128),
        (INSISTING, "TLSv1.2", AES_256),
        (TlsParameters(AES_256), "TLSv1.2", AES_256),
        (ONLY_1_2, "TLSv1.2", AES_128),
    ],
)
async def test_hosts_that_ask_for_certificates_keep_to_them_too(
    parameters: TlsParameters, version: str, cipher: str
) -> None:
    context = VerifyingContext(leaf().pem, leaf().key_pem, ca_pem=clients.root().pem, parameters=parameters)
    asked = client(None if parameters is ONLY_1_2 else ssl.TLSVersion.TLSv1_2)
    wire = ChosenWire(HelloChoices({"shop.example": context}), Client(asked))
    wire.exchange()
    assert (wire.client.tls.version(), cipher_of(wire)) == (version, cipher)


async def test_the_openssl_program_agrees() -> None:
    choices = HelloChoices({"own.example": whole_context(leaf().pem, leaf().key_pem, INSISTING)})
    context, owner = listener(host=AES_128), Owner()
    server = await asyncio.get_running_loop().create_server(
        lambda: ChosenTls(context, Inner, owner, choices), "127.0.0.1", 0
    )
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for name, cipher in (("own.example", AES_256), ("other.example", AES_128)):
        options = ("-connect", address, "-servername", name, "-tls1_2", "-cipher", f"{AES_128}:{AES_256}")
        process = await asyncio.create_subprocess_exec(
            find_tool("openssl"),
            "s_client",
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert f"Cipher is {cipher}" in output.decode()
    server.close()
    await server.wait_closed()


# ── ssl-reject-handshake ──


@pytest.mark.parametrize("name", ["nobody.example", "", "x.y.shop.example"])
async def test_unknown_names_are_rejected_when_asked_for(name: str) -> None:
    contexts = {"default": certificate_context(leaf().pem, leaf().key_pem)}
    names = ServerNames(contexts, {"bare.example": "default", "*.shop.example": "gone"}, "default")
    server = listener_context()
    switch = CertificateSwitch(names)
    switch.install(server)
    connected(server=server, client=Client(client_context(), name))
    switch.names = names.with_changes(rejects_unknown=True)
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        connected(server=server, client=Client(client_context(), name))
    for known in ("bare.example", "BARE.example.", "a.shop.example"):
        connected(server=server, client=Client(client_context(), known))
    assert switch.names.with_changes(names={"x.example": "default"}).choose("nobody.example") is None
    assert switch.names.with_changes(rejects_unknown=False).choose("nobody.example") is not None
