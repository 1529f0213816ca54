"""Everything that happens to a cluster and to us happens, several times, under steady load: no request is lost."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from ingressd.runtime.tasks import TaskSet
from tests.support import sites
from tests.support.apiserver.harness import ApiServer, in_thread
from tests.support.authority import Authority
from tests.support.daemon import Daemon
from tests.support.eventually import soon
from tests.support.load import Aim, Load
from tests.support.pods import Pod, Pods

PLAIN, SECURE = "shop.example", "secure.example"
ROUNDS = 3
REPLICAS = 3
LINGER_S = 1.0
"""How long a pod goes on after it left its Service, as `preStop` hooks have it."""
CLIENTS = 12


class Site:
    """The cluster, what serves it, and the load on it."""

    def __init__(self, api: ApiServer, daemon: Daemon, load: Load, pods: Pods, authority: Authority) -> None:
        self.api = api
        self.daemon = daemon
        self.load = load
        self.pods = pods
        self.authority = authority
        self.ending = TaskSet()
        self.replicas: dict[str, list[Pod]] = {}

    async def apply(self, obj: sites.Json) -> None:
        """Returns when every worker serves what has become of the change."""
        before = (await in_thread(self.daemon.status))["generation"]
        await in_thread(self.api.apply, obj)
        await soon(lambda: self.daemon.status()["served_generation"] > before)

    async def next_answers(self, count: int = 100) -> tuple[Counter[str], Counter[str]]:
        """Services and pods of answers to requests that were sent from now on."""
        await self.load.more(CLIENTS)  # at most one request of each client was under way
        tally = self.load.tally
        services, pods = Counter(tally.services), Counter(tally.pods)
        await self.load.more(count)
        return tally.services - services, tally.pods - pods

    async def end_slowly(self, pod: Pod) -> None:
        async def end() -> None:
            await asyncio.sleep(LINGER_S)
            await in_thread(self.pods.stop, pod)

        self.ending.start(end(), name=f"end of {pod.name}")


def routes_to(service: str) -> sites.Json:
    hosts = {PLAIN: {"/": service}, SECURE: {"/": service}}
    return sites.ingress("shop", hosts, tls={"shop-tls": [SECURE]})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    authority = Authority()
    pair = authority.issue(SECURE)
    with ApiServer() as api, Pods() as pods:
        replicas = {name: pods.start(name, REPLICAS) for name in ("blue", "green")}
        for name, running in replicas.items():
            api.apply(sites.service(name))
            api.apply(sites.endpoints(name, running))
        api.apply(sites.tls_secret("shop-tls", pair.chain_pem, pair.key_pem))
        api.apply(sites.ingress_class())
        api.apply(routes_to("blue"))
        with Daemon("--kubeconfig", str(api.kubeconfig), "--allow-loopback-endpoints") as daemon:
            plain = Aim(daemon.http_port, PLAIN, "/offers")
            secure = Aim(daemon.https_port, SECURE, "/menu", tls=authority.client_context())
            async with Load([plain, secure], clients=CLIENTS, per_connection=20) as load:
                site = Site(api, daemon, load, pods, authority)
                site.replicas = replicas
                yield site
                await site.ending.cancel()
                await load.more(100)
            assert load.tally.failures == []


async def change_route(site: Site, service: str) -> None:
    await site.apply(routes_to(service))

    services, _ = await site.next_answers()

    assert set(services) == {service}


async def replace_endpoints(site: Site, service: str) -> None:
    """One by one, as a rolling update does."""
    for _ in range(REPLICAS):
        [new] = await in_thread(site.pods.start, service)
        old = site.replicas[service].pop(0)
        site.replicas[service].append(new)
        await site.apply(sites.endpoints(service, site.replicas[service]))
        await site.end_slowly(old)

    _, pods = await site.next_answers()

    assert set(pods) == {pod.name for pod in site.replicas[service]}


async def rotate_certificate(site: Site) -> None:
    pair = site.authority.issue(SECURE)
    await site.apply(sites.tls_secret("shop-tls", pair.chain_pem, pair.key_pem))
    connections = site.load.tally.connections

    await soon(lambda: site.load.tally.connections >= connections + CLIENTS)

    shown = {site.daemon.get("/", host=SECURE, scheme="https").certificate for _ in range(8)}
    assert shown == {pair.der}
    assert site.load.tally.certificates[pair.der] > 0


async def restart_watches(site: Site, how: str) -> None:
    for resource in ("ingresses", "services", "endpointslices", "secrets"):
        await in_thread(site.api.wait_for_watch, resource)
    before = site.api.mark()

    assert await in_thread(site.api.close_watches, how) >= 4

    for resource in ("ingresses", "services", "endpointslices", "secrets"):
        await in_thread(site.api.wait_for_request, verb="watch", resource=resource, since=before)


async def kill_control(site: Site) -> None:
    old = site.daemon.control

    os.kill(old, signal.SIGKILL)

    await soon(lambda: site.daemon.control != old and site.daemon.is_ready())
    await site.load.more(100)


async def test_no_request_is_lost(site: Site) -> None:
    for number in range(ROUNDS):
        service = ("green", "blue")[number % 2]
        await change_route(site, service)
        await replace_endpoints(site, service)
        await rotate_certificate(site)
        await restart_watches(site, ("end_watch", "gone_event", "reset_watch")[number])
        await change_route(site, ("blue", "green")[number % 2])
        await kill_control(site)
        await change_route(site, service)
        assert site.load.tally.failures == []

    assert len(site.load.tally.certificates) == ROUNDS + 1
