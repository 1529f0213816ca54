"""A ClusterSource running against the API-server fixture, and ways to wait for what it does. Nothing here sleeps."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from ingressd.kube.client import KubeClient
from ingressd.kube.store import Store
from ingressd.kube.watch import ClusterSource, Timing
from ingressd.model.cluster import Key
from tests.support.apiserver.harness import ApiServer, Recorded, in_thread

QUICK = Timing(backoff_first_s=0.01, backoff_cap_s=0.05, slow_retry_s=0.05)
"""As the defaults, but failures cost a test no time."""
NEVER_AGAIN = Timing(backoff_first_s=3600.0, backoff_cap_s=3600.0, slow_retry_s=3600.0)
"""Any wait after a failure outlasts the test: what happens all the same happened at once."""
LONGEST_WAIT_S = 20.0


class Observer:
    def __init__(self) -> None:
        self.restarts: Counter[str] = Counter()
        self.last: dict[str, float] = {}
        self.on_news: Callable[[], None] = lambda: None

    def restarted(self, kind: str) -> None:
        self.restarts[kind] += 1
        self.on_news()

    def event(self, kind: str, at: float) -> None:
        self.last[kind] = at
        self.on_news()


class Watched:
    """One running source with its store. ``on_change`` may be set to look at each change as it happens."""

    def __init__(self, api: ApiServer, client: KubeClient, **options: Any) -> None:
        self.api = api
        self.observer = Observer()
        self.observer.on_news = self._wake
        self.on_change: Callable[[], None] = lambda: None
        self.store = Store(self._changed)
        self.source = ClusterSource(client, observer=self.observer, **({"timing": QUICK} | options))
        self._woken = asyncio.Event()

    def found(self, kind: str = "Ingress") -> set[Key]:
        return set(self.store.keys(kind))

    def names(self, kind: str = "Ingress") -> set[str]:
        return {name for _, name in self.store.keys(kind)}

    def version(self, kind: str, name: str, namespace: str = "default") -> str:
        found = self.store.get(kind, (namespace, name))
        return found.meta.resource_version if found else ""

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so; looks again at each change of the store and each sign of life of the server."""
        async with asyncio.timeout(LONGEST_WAIT_S):
            while not is_so():
                self._woken.clear()
                await self._woken.wait()

    async def until_restarted(self, kind: str, times: int) -> None:
        await self.until(lambda: self.observer.restarts[kind] >= times)

    async def synced(self) -> None:
        async with asyncio.timeout(LONGEST_WAIT_S):
            await self.source.synced()

    async def watching(self, resource: str = "ingresses", namespace: str = "") -> None:
        """Wait until the server has our watch open."""
        await in_thread(self.api.wait_for_watch, resource, namespace)

    async def asked(self, since: int = 0, **wanted: Any) -> Recorded:
        return await in_thread(self.api.wait_for_request, since=since, timeout_s=LONGEST_WAIT_S, **wanted)

    async def asked_times(self, count: int, since: int = 0, **wanted: Any) -> list[Recorded]:
        """The first so many such requests, waited for."""
        seen: list[Recorded] = []
        while len(seen) < count:
            seen.append(await self.asked(seen[-1].number if seen else since, **wanted))
        return seen

    def _changed(self) -> None:
        self.on_change()
        self._wake()

    def _wake(self) -> None:
        self._woken.set()


@asynccontextmanager
async def watched(
    api: ApiServer, *, client_options: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Watched]:
    """A source of everything, started; not synced yet. ``options`` are ClusterSource's."""
    async with KubeClient.from_kubeconfig(str(api.kubeconfig), **(client_options or {})) as client:
        it = Watched(api, client, **options)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(it.source.run(it.store))
            yield it
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
