"""What the demo writes, and that the rest of ingressd reads it as meant."""

import asyncio
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ingressd.demo import DemoPlan, prepare
from ingressd.kube.manifests import ManifestSource
from ingressd.kube.store import Store
from ingressd.model.objects import Secret
from ingressd.routing.compile import RouteDefaults, compile_routes


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "a demo"


@pytest.fixture
def plan(directory: Path) -> Iterator[DemoPlan]:
    plan = prepare(directory, http_port=8080, https_port=8443)
    yield plan
    plan.close()


async def read(directory: Path) -> Store:
    store = Store()
    source = ManifestSource([directory])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(source.run(store))
        await source.synced()
        running.cancel()
    return store


def again(directory: Path) -> None:
    prepare(directory, http_port=0, https_port=0).close()


async def test_manifests_are_read_without_a_finding(plan: DemoPlan, directory: Path) -> None:
    store = await read(directory)
    assert store.findings() == ()
    assert store.keys("Service") == {("demo", name) for name in ("offers", "menu", "welcome")}


async def test_routes_compile_without_a_finding(plan: DemoPlan, directory: Path) -> None:
    store = await read(directory)
    compiled = compile_routes(store.freeze({}), RouteDefaults(allow_loopback_endpoints=True))
    assert compiled.findings == ()
    assert compiled.served == {("demo", "shop"), ("demo", "cafe")}
    endpoints = {str(port) for port in (backend.port for backend in plan.backends)}
    assert all(port in repr(compiled.snapshot) for port in endpoints)


def test_every_endpoint_listens_already(plan: DemoPlan) -> None:
    assert [backend.service for backend in plan.backends] == ["offers"] * 2 + ["menu"] * 2 + ["welcome"] * 3
    assert len({backend.port for backend in plan.backends}) == 7


async def test_the_certificate_is_good_for_its_host_by_its_authority(plan: DemoPlan, directory: Path) -> None:
    secret = (await read(directory)).get("Secret", ("demo", "cafe-tls"))
    assert isinstance(secret, Secret)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=plan.authority)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    pair = directory / "pair.pem"
    pair.write_bytes(secret.data["tls.key"] + secret.data["tls.crt"])
    server.load_cert_chain(pair)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="cafe.example")
    for side in (theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert theirs.version() == "TLSv1.3"


def test_files_are_for_their_owner_alone(plan: DemoPlan, directory: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == dict.fromkeys(("routes.yaml", "services.yaml", "endpoints.yaml", "tls.yaml", "ca.pem"), 0o600)


def test_a_second_demo_keeps_what_was_edited_and_renews_the_rest(plan: DemoPlan, directory: Path) -> None:
    routes = directory / "routes.yaml"
    routes.write_text(routes.read_text().replace("/offers", "/bargains"))
    before = {path.name: path.read_text() for path in directory.iterdir()}
    again(directory)
    after = {path.name: path.read_text() for path in directory.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"endpoints.yaml", "tls.yaml", "ca.pem"}
    assert "/bargains" in after["routes.yaml"]


@pytest.mark.parametrize("name", ["routes.yaml", "services.yaml", "endpoints.yaml", "tls.yaml", "ca.pem"])
def test_files_of_others_are_left_alone(directory: Path, name: str) -> None:
    directory.mkdir()
    (directory / name).write_text("mine")
    with pytest.raises(FileExistsError, match="choose another directory"):
        again(directory)
    assert os.listdir(directory) == [name]
    assert (directory / name).read_text() == "mine"


def test_instructions(plan: DemoPlan, directory: Path) -> None:
    text = plan.instructions(1234, 5678)
    assert "curl -H 'Host: shop.example' http://127.0.0.1:1234/offers\n" in text
    trust = f"--cacert '{directory}/ca.pem'"
    assert f"curl --resolve cafe.example:5678:127.0.0.1 {trust} https://cafe.example:5678/\n" in text
    assert str(directory / "routes.yaml") in text


def test_manifests_are_plain_yaml(plan: DemoPlan, directory: Path) -> None:
    kinds = [doc["kind"] for path in sorted(directory.glob("*.yaml")) for doc in yaml.safe_load_all(path.read_text())]
    assert kinds == ["EndpointSlice"] * 7 + ["IngressClass", "Ingress", "Ingress"] + ["Service"] * 3 + ["Secret"]
