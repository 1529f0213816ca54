"""Every row of the host and path tables, asked through a socket: what the matcher says is what clients get."""

import asyncio
import json
from collections.abc import Mapping

from ingressd.routing.compile import RouteDefaults, compile_routes
from ingressd.routing.snapshot import Snapshot
from tests.routing.cases import CASES, Case
from tests.support.gateway import local_gateway
from tests.support.objects import cluster, endpoint_slice, service
from tests.support.pods import PORT, Pod, Pods


def compiled(case: Case, pods: Mapping[str, Pod]) -> Snapshot:
    names = {rule.service for rule in case.rules}
    services = [service(name) for name in names]
    slices = [endpoint_slice(name, pods[name].address, ports=[PORT]) for name in names]
    state = cluster(case.ingress(), *services, *slices)
    return compile_routes(state, RouteDefaults(allow_loopback_endpoints=True)).snapshot


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, case: Case) -> str | None:
    """The Service that answered; None for a 404. Bytes as the case has them: nothing tidies the path or the host."""
    writer.write(f"GET {case.path} HTTP/1.1\r\nHost: {case.host}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    [length] = [line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length:")]
    body = await reader.readexactly(int(length))
    status = int(head.split()[1])
    if status == 404:
        return None
    assert status == 200, head
    answered: str = json.loads(body)["service"]
    return answered


async def test_every_row_through_a_socket() -> None:
    names = {rule.service for case in CASES.values() for rule in case.rules}
    with Pods() as running:
        pods = {name: running.start(name)[0] for name in names}
        async with local_gateway(Snapshot()) as gateway:
            # One connection for all: a table swapped under it answers its next request.
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.http_port)
            answers = {}
            for title, case in CASES.items():
                gateway.show(compiled(case, pods))
                answers[title] = await ask(reader, writer, case)
            writer.close()

    assert answers == {title: case.expected for title, case in CASES.items()}
