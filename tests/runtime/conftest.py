"""A small site in a manifest directory, and a daemon that serves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import sites
from tests.support.authority import Authority, Pair
from tests.support.daemon import Daemon
from tests.support.pods import Pod, Pods
from tests.support.receiver import Receiver

HOST = "shop.example"


@dataclass(frozen=True)
class Shop:
    """Manifests of one host on two pods, with a certificate."""

    directory: Path
    pods: list[Pod]
    authority: Authority
    pair: Pair

    @property
    def flags(self) -> tuple[str, str]:
        return "--manifests", str(self.directory)

    def write(self, *objects: sites.Json) -> None:
        sites.write(self.directory, *objects)

    def add_host(self, host: str) -> None:
        """One more Ingress, for the same Service."""
        self.write(sites.ingress(host.partition(".")[0], {host: {"/": "web"}}))


@pytest.fixture(scope="session")
def pods() -> Iterator[Pods]:
    with Pods() as pods:
        yield pods


@pytest.fixture(scope="session")
def _authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def _web(pods: Pods) -> list[Pod]:
    return pods.start("web", 2)


def make_shop(directory: Path, web: list[Pod], authority: Authority) -> Shop:
    directory.mkdir()
    shop = Shop(directory, web, authority, authority.issue(HOST))
    shop.write(
        sites.ingress_class(),
        sites.ingress("shop", {HOST: {"/": "web"}}, tls={"shop-tls": [HOST]}),
        sites.service("web"),
        sites.endpoints("web", web),
        sites.tls_secret("shop-tls", shop.pair.chain_pem, shop.pair.key_pem),
    )
    return shop


@pytest.fixture
def shop(tmp_path: Path, _web: list[Pod], _authority: Authority) -> Shop:
    return make_shop(tmp_path / "manifests", _web, _authority)


@pytest.fixture(scope="module")
def shared_shop(tmp_path_factory: pytest.TempPathFactory, _web: list[Pod], _authority: Authority) -> Shop:
    """For the daemon of a module, whose tests leave it as it was."""
    return make_shop(tmp_path_factory.mktemp("shop") / "manifests", _web, _authority)


@pytest.fixture
def daemon(shop: Shop) -> Iterator[Daemon]:
    """A daemon of the test's own, to be ill-treated."""
    with Daemon(*shop.flags) as daemon:
        yield daemon


@pytest.fixture
async def receiver() -> Receiver:
    return Receiver()
