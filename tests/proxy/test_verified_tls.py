"""Client certificates as curl and the openssl program present them, answered in HTTP; and every way around by a name.

The gateway's own route to these answers is another test's matter: here a few lines of HTTP stand behind the transport.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from ingressd.policy.client_certificate import ClientCertificates, Connection, Verify, may_serve, upstream_lines
from ingressd.proxy.proxy_protocol import Relays
from ingressd.proxy.verified_tls import ChosenTls, HelloChoices
from ingressd.tls.verify import VerifyingContext
from tests.support.gateway import https_host, local_gateway
from tests.support.origin import origin as running_origin
from tests.support.tools import find_tool
from tests.tls import clients
from tests.tls.authority import leaf
from tests.tls.peers import Owner, server_context

Run = Callable[[Coroutine[Any, Any, None]], None]
on_both_loops = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])

ANOTHER_ROOT = clients.issue("another root", is_ca=True)


def verifying(ca: bytes, crl: bytes = b"") -> VerifyingContext:
    return VerifyingContext(leaf().pem, leaf().key_pem, ca_pem=ca, crl_pem=crl)


def revoked_list() -> bytes:
    revoked = clients.client("revoked")
    assert revoked is not None
    return clients.revocations(clients.root(), revoked)


SHOP, BANK = verifying(clients.root().pem, revoked_list()), verifying(ANOTHER_ROOT.pem)
CHOICES = HelloChoices({"shop.example": SHOP, "*.shop.example": SHOP, "bank.example": BANK})
HOSTS = {
    "shop.example": ClientCertificates(SHOP.trust),
    "lax.shop.example": ClientCertificates(SHOP.trust, Verify.OPTIONAL),
    "any.shop.example": ClientCertificates(SHOP.trust, Verify.OPTIONAL_NO_CA, pass_certificate=True),
    "help.shop.example": ClientCertificates(SHOP.trust, error_page="https://help.example/"),
    "bank.example": ClientCertificates(BANK.trust),
    "lost.example": ClientCertificates(""),
    "open.example": None,
}


class Http(asyncio.Protocol):
    """One answer a connection or more: 200 with what the upstream would be told, or the policy's."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, ChosenTls)
        self.transport = transport
        self.connection = Connection(
            True, transport.get_extra_info("server_name"), transport.get_extra_info("client_certificate")
        )

    def data_received(self, data: bytes) -> None:
        host = data.partition(b"Host: ")[2].partition(b"\r\n")[0].partition(b":")[0].decode()
        settings = HOSTS[host]
        refused = None if settings is None else may_serve(settings, self.connection)
        if refused is not None:
            self._write(refused.status, refused.fields, refused.reason.encode())
        else:
            self._write(200, b"", b"" if settings is None else upstream_lines(settings, self.connection))

    def _write(self, status: int, fields: bytes, body: bytes) -> None:
        self.transport.write(b"HTTP/1.1 %d x\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(body), body))


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    context, owner = server_context(), Owner()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ChosenTls(context, Http, owner, CHOICES), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def output_of(*command: str, given: bytes = b"") -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(given), 60)
    return output.decode()


async def curl(port: int, name: str, kind: str, folder: Path, *options: str) -> str:
    """Status and body for a request to ``name``, with the certificate of that kind."""
    signer = clients.client(kind)
    certificate = () if signer is None else ("--cert", str(signer.write(folder)))
    resolve = ("--resolve", f"*:{port}:127.0.0.1", "--noproxy", "*", "--max-time", "30")
    shown = ("--silent", "--insecure", "--http1.1", "--write-out", "\n%{http_code} %{redirect_url}\n")
    return await output_of(find_tool("curl"), *shown, *resolve, *certificate, *options, f"https://{name}:{port}/")


EXPECTED = {
    "none": (400, 200, 200),
    "good": (200, 200, 200),
    "revoked": (400, 400, 400),
    "expired": (400, 400, 400),
    "for servers": (400, 400, 400),
    "stranger's": (400, 400, 200),
    "expired and self-signed": (400, 400, 400),
}
"""Status on hosts that require, take and tolerate certificates."""


@on_both_loops
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_with_every_kind_of_certificate(run: Run, version: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving() as port:
            for kind, statuses in EXPECTED.items():
                names = ("shop.example", "lax.shop.example", "any.shop.example")
                found = [await curl(port, name, kind, tmp_path, "--tls-max", version) for name in names]
                assert [int(text.splitlines()[-1].split()[0]) for text in found] == list(statuses), (kind, found)

    run(scenario())


@on_both_loops
def test_what_curl_is_told(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving() as port:
            good = await curl(port, "shop.example", "good", tmp_path)
            assert good.splitlines() == [
                "ssl-client-verify: SUCCESS",
                "ssl-client-subject-dn: CN=good,O=Test\\, Inc.",
                "ssl-client-issuer-dn: CN=root,O=Test\\, Inc.",
                "",
                "200 ",
            ]
            any_one = await curl(port, "any.shop.example", "stranger's", tmp_path)
            assert "ssl-client-verify: FAILED:unable to verify the first certificate" in any_one
            assert "ssl-client-cert: -----BEGIN%20CERTIFICATE-----%0A" in any_one
            assert await curl(port, "lax.shop.example", "none", tmp_path) == "ssl-client-verify: NONE\r\n\n200 \n"
            assert (await curl(port, "help.shop.example", "none", tmp_path)).endswith("302 https://help.example/\n")
            assert await curl(port, "lost.example", "good", tmp_path) == "client_certificate_authority_missing\n403 \n"

    run(scenario())


FRONTED = {
    "an open host's connection for a closed host": ("open.example", "shop.example", "good", 421),
    "an open host's connection for one that takes": ("open.example", "lax.shop.example", "none", 421),
    "an unknown name's connection": ("nobody.example", "shop.example", "good", 421),
    "verified against another authority": ("shop.example", "bank.example", "good", 421),
    "verified, for an open host": ("shop.example", "open.example", "good", 200),
    "refused, for an open host": ("shop.example", "open.example", "self-signed", 200),
    "a sibling with the same authority": ("lax.shop.example", "shop.example", "good", 200),
    "a sibling with the same authority, without a certificate": ("lax.shop.example", "shop.example", "none", 400),
    "a tolerant sibling, for a stranger": ("any.shop.example", "shop.example", "stranger's", 400),
}


@pytest.mark.parametrize(("server_name", "host", "kind", "status"), FRONTED.values(), ids=FRONTED)
async def test_one_name_in_the_handshake_and_another_in_the_request(
    server_name: str, host: str, kind: str, status: int, tmp_path: Path
) -> None:
    async with serving() as port:
        found = await curl(port, server_name, kind, tmp_path, "--header", f"Host: {host}")
        assert found.splitlines()[-1].split()[0] == str(status), found


@pytest.mark.parametrize(("host", "status"), [("shop.example", 400), ("lax.shop.example", 200), ("open.example", 200)])
async def test_no_name_in_the_handshake(host: str, status: int, tmp_path: Path) -> None:
    async with serving() as port:
        resolved = await curl(port, "127.0.0.1", "good", tmp_path, "--header", f"Host: {host}")
        assert resolved.splitlines()[-1].split()[0] == str(status), resolved


@on_both_loops
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_finds_nothing_to_resume(run: Run, version: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving() as port:
            session = tmp_path / "session"
            pem = clients.client("good")
            assert pem is not None
            start = (find_tool("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "shop.example")
            options = (version, "-cert", str(pem.write(tmp_path)), "-ign_eof", "-nocommands")
            get = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
            first = await until_answered(*start, *options, "-sess_out", str(session), given=get)
            assert "ssl-client-verify: SUCCESS" in first
            assert re.search("CN ?= ?root", first)  # the authorities named in the CertificateRequest
            if version == "-tls1_2":
                assert not session.exists()  # nothing that could be resumed was ever given
                return
            again = await until_answered(*start, *options, "-sess_in", str(session), given=get)
            assert "ssl-client-verify: SUCCESS" in again
            assert "New, " in again
            assert "Reused, " not in again

    run(scenario())


async def until_answered(*command: str, given: bytes) -> str:
    """What it prints up to the answer's last line, and then whatever it does when told to end."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(given)
    seen = b""
    while b"issuer-dn" not in seen and (line := await asyncio.wait_for(process.stdout.readline(), 60)):
        seen += line
    process.terminate()
    await process.communicate()
    return seen.decode()


@on_both_loops
@pytest.mark.parametrize("relays", [None, Relays()], ids=["direct", "relayed"])
def test_the_gateways_own_connections_stand_on_it(run: Run, relays: Relays | None, tmp_path: Path) -> None:
    """Requests pass through the whole data path, bodies both ways; the counts are right at its end."""
    body = tmp_path / "body"
    body.write_bytes(b"b" * 500_000)

    async def scenario() -> None:
        async with running_origin() as web, local_gateway(https_host([web.port])) as gateway:
            gateway.gateway.hellos = HelloChoices({"a.example": SHOP})
            gateway.gateway.relays = relays
            options = ["--haproxy-protocol"] if relays else []
            for kind in ("good", "none", "expired"):
                sent = await curl(
                    gateway.https_port, "a.example", kind, tmp_path, "--data-binary", f"@{body}", *options
                )
                assert sent == "ok\n200 \n"
            assert web.received.count(b"b" * 500_000) == 3
            assert web.received.count(b"X-Forwarded-Proto: https") == 3
            assert gateway.rejected() == {}

    run(scenario())


def test_nobody_loads_it_before_such_a_host_exists() -> None:
    program = "import sys, ingressd.proxy.listener; print(*sys.modules.keys() & {'OpenSSL', 'cryptography'})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "\n"
