"""TLS that hosts and backends ask for, from a snapshot to sockets: client certificates, profiles, what becomes of both
when a Secret changes.
"""

import asyncio
import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace

from ingressd.policy.client_certificate import ClientCertificates
from ingressd.policy.policies import GlobalPolicies, HostTls, ListenerTls, RoutePolicies
from ingressd.policy.upstream_tls import BackendTls
from ingressd.routing.snapshot import Backend, CertificatePair, Endpoint, Material, Route, Snapshot, VirtualHost
from tests.support.gateway import LocalGateway, local_gateway
from tests.support.origin import origin as running_origin
from tests.support.tools import find_tool
from tests.tls import clients
from tests.tls.authority import intermediate, leaf, root

TRUST = Material("trust:ns/ca", {"ca.crt": clients.root().pem})
IDENTITY = "identity:ns/backend"


def asking(port: int, trust: Material = TRUST) -> Snapshot:
    """``shop.example`` asks for client certificates, ``open.example`` does not."""
    backend = Backend("default/app:80", "default", "app", "80", (Endpoint("127.0.0.1", port),))
    policies = RoutePolicies(client_certificates=ClientCertificates(trust.key))
    pair = CertificatePair("default/tls", leaf().pem, leaf().key_pem)
    return Snapshot(
        hosts={
            "shop.example": VirtualHost(
                "shop.example", (Route("prefix", "/", backend.key, policies=policies),), tls=HostTls(trust=trust.key)
            ),
            "open.example": VirtualHost("open.example", (Route("prefix", "/", backend.key),)),
        },
        backends={backend.key: backend},
        certificates={pair.key: pair},
        default_certificate=pair.key,
        materials={trust.key: trust},
    )


async def status(gateway: LocalGateway, name: str, kind: str, folder: Path) -> int:
    """What curl is answered that has a certificate of that kind."""
    signer = clients.client(kind)
    certificate = () if signer is None else ("--cert", str(signer.write(folder)))
    port = gateway.https_port
    shown = ("--silent", "--insecure", "--http1.1", "--output", "/dev/null", "--write-out", "%{http_code}")
    resolve = ("--resolve", f"*:{port}:127.0.0.1", "--noproxy", "*", "--max-time", "30")
    process = await asyncio.create_subprocess_exec(
        find_tool("curl"), *shown, *resolve, *certificate, f"https://{name}:{port}/", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return int(output)


async def test_who_presents_what(tmp_path: Path) -> None:
    async with running_origin() as web, local_gateway(asking(web.port)) as gateway:
        statuses = [await status(gateway, "shop.example", kind, tmp_path) for kind in ("none", "good", "stranger's")]
        assert statuses == [400, 200, 400]
        assert await status(gateway, "open.example", "none", tmp_path) == 200
        assert await status(gateway, "open.example", "good", tmp_path) == 200


async def test_a_renewed_list_of_the_revoked_counts_at_once(tmp_path: Path) -> None:
    async with running_origin() as web, local_gateway(asking(web.port)) as gateway:
        assert await status(gateway, "shop.example", "revoked", tmp_path) == 200
        revoked = clients.client("revoked")
        assert revoked is not None
        renewed = replace(TRUST, values={**TRUST.values, "ca.crl": clients.revocations(clients.root(), revoked)})
        gateway.show(asking(web.port, renewed))
        assert await status(gateway, "shop.example", "revoked", tmp_path) == 400
        assert await status(gateway, "shop.example", "good", tmp_path) == 200


@pytest.mark.parametrize(
    "trust", [replace(TRUST, values={}, problem="there is no Secret"), replace(TRUST, values={"ca.crt": b"nonsense"})]
)
async def test_a_host_whose_authorities_are_gone_is_closed_and_opens_again(trust: Material, tmp_path: Path) -> None:
    async with running_origin() as web, local_gateway(asking(web.port, trust)) as gateway:
        assert await status(gateway, "shop.example", "good", tmp_path) == 403
        assert await status(gateway, "shop.example", "none", tmp_path) == 403
        assert await status(gateway, "open.example", "none", tmp_path) == 200
        gateway.show(asking(web.port))
        assert await status(gateway, "shop.example", "good", tmp_path) == 200


async def test_a_verified_backend_until_its_authority_is_another(tmp_path: Path) -> None:
    pem = tmp_path / "backend.pem"
    backend_leaf = leaf("p256", "backend.test")
    pem.write_bytes(backend_leaf.key_pem + backend_leaf.pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    settings = BackendTls(verify=True, name="backend.test", material=IDENTITY, verify_depth=2)
    key = "default/app:443" + settings.suffix()
    backend = Backend(
        key, "default", "app", "443", (Endpoint("127.0.0.1", server.sockets[0].getsockname()[1]),), tls=settings
    )
    pair = CertificatePair("default/tls", leaf().pem, leaf().key_pem)

    def serving(ca: bytes) -> Snapshot:
        return Snapshot(
            hosts={"shop.example": VirtualHost("shop.example", (Route("prefix", "/", key),))},
            backends={key: backend},
            certificates={pair.key: pair},
            default_certificate=pair.key,
            materials={IDENTITY: Material(IDENTITY, {"ca.crt": ca})},
        )

    async with local_gateway(serving(intermediate().pem + root().pem)) as gateway:
        assert await status(gateway, "shop.example", "none", tmp_path) == 200
        gateway.show(serving(clients.root().pem))
        assert await status(gateway, "shop.example", "none", tmp_path) == 502
        gateway.show(serving(b"nonsense"))
        assert await status(gateway, "shop.example", "none", tmp_path) == 503
        gateway.show(serving(intermediate().pem + root().pem))
        assert await status(gateway, "shop.example", "none", tmp_path) == 200
    server.close()


async def test_unknown_names_when_they_are_to_be_rejected(tmp_path: Path) -> None:
    async with running_origin() as web:
        rejecting = replace(asking(web.port), policies=GlobalPolicies(tls=ListenerTls(rejects_unknown_names=True)))
        async with local_gateway(rejecting) as gateway:
            assert await status(gateway, "open.example", "none", tmp_path) == 200
            assert await status(gateway, "shop.example", "good", tmp_path) == 200
            assert await status(gateway, "nobody.example", "none", tmp_path) == 0  # no handshake, no answer
