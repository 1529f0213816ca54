"""A directory where good manifests stand beside broken ones: the good are served, each broken one is one finding."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from ingressd.kube.manifests import ManifestSource
from ingressd.kube.store import Store
from ingressd.model.finding import Finding
from ingressd.routing.compile import Compiled, CompileMemo, RouteDefaults, compile_routes
from ingressd.routing.snapshot import Snapshot
from tests.bad_input.cases import ALL, NOW, Case, Expected, write_good

GOOD_HOSTS = {"good.example", "listed.example"}


class Served:
    """What came of a directory."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.memo = CompileMemo()

    def compiled(self) -> Compiled:
        return compile_routes(self.store.freeze({}), RouteDefaults(), self.memo, now=NOW)

    def findings(self) -> list[Finding]:
        return sorted({*self.store.findings(), *self.compiled().findings})


async def serve(directory: Path) -> Served:
    store = Store()
    source = ManifestSource([directory])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(source.run(store))
        await source.synced()
        running.cancel()
    return Served(store)


def good_part(snapshot: Snapshot) -> Mapping[str, object]:
    """What the good manifests were compiled to."""
    named = {**snapshot.hosts, **snapshot.server_names}
    own = {**snapshot.backends, **snapshot.certificates}
    return {name: value for name, value in named.items() if name in GOOD_HOSTS} | {
        key: value for key, value in own.items() if key.startswith("good/")
    }


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_good(tmp_path)
    return tmp_path


async def test_the_good_ones_are_good(directory: Path) -> None:
    served = await serve(directory)
    assert served.findings() == []
    assert set(served.compiled().snapshot.hosts) == GOOD_HOSTS
    services = {name for _, name in served.store.keys("Service")}
    assert services >= {"good", "marked", "marked-json", "wide", "cr", "bare", "aliased", "many-0", "many-299"}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
async def test_one_broken_file_is_one_finding(directory: Path, case: Case) -> None:
    before = good_part((await serve(directory)).compiled().snapshot)
    path = directory / f"broken-{case.name}"
    case.write(path)
    served = await serve(directory)
    [finding] = served.findings()
    assert Expected.of(finding) == case.expected
    assert finding.source.partition("#")[0] == str(path)
    assert finding.message
    assert good_part(served.compiled().snapshot) == before


async def test_all_of_them_together(directory: Path) -> None:
    before = good_part((await serve(directory)).compiled().snapshot)
    for case in ALL:
        case.write(directory / f"broken-{case.name}")
    served = await serve(directory)
    found = Counter(Path(finding.source.partition("#")[0]).name for finding in served.findings())
    assert found == {f"broken-{case.name}": 1 for case in ALL}
    assert good_part(served.compiled().snapshot) == before


async def test_no_secret_in_any_finding(directory: Path) -> None:
    for case in ALL:
        case.write(directory / f"broken-{case.name}")
    said = repr((await serve(directory)).findings())
    assert "PRIVATE KEY" not in said
    assert "MIG" not in said  # how the base64 of a P-256 key begins
