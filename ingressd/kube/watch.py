"""The cluster as a source of objects: an informer for each kind and namespace. This is their promise.

*What a reader of the store may rely on.* For each object it sees versions in the order they were written, perhaps not
all of them: states may be skipped, never swapped. An object deleted and made again may show up as one update; its uid
tells. A list takes its place at once: never half of one, and the old objects serve until the new list is complete. What
could not be read is a Finding, and the last good version of that object stays. Everything in the store was once true;
how long ago, when the API server is away for hours, is telemetry's to say, and no reason to forget it.

*What the API server may rely on.* The first list takes what the server has in memory (resourceVersion 0), streaming
where that is offered, by pages elsewhere. After that we watch, from the version of the last event or bookmark, and open
the watch again from there when it ends. We list again only when the server no longer knows our version, denied us the
resource, was away for more than a minute, or keeps sending what is not a watch. Versions are compared for nothing.
After each failure we wait longer (0.8 s doubled up to 30 s, with jitter, or what Retry-After says) until 120 s went
well.

The check-list by number, with where it is kept:

     1, 2, 3  list at 0, at the last version, at ""; pages; swapped at once      listing, informer._apply
     4        ready when every required informer has its first list             ClusterSource.is_synced
     5, 6, 7  watch parameters; what moves the version; clean ends              informer._watch, _follow
     8        backoff and Retry-After                                           backoff.Backoff, informer._after
     9, 10    410 in both forms; 401, 403, 404                                  informer._after, client._send
     11, 12   deadlines; broken streams                                         client.stream_lines, lines, api
     13, 14   order, uid, queue of keys                                         store
     15       retries of work on keys                                           backoff.KeyedRetries
     16       streaming list                                                    informer._stream_list
     17, 18   long absence; opaque versions                                     informer
"""

import asyncio
from collections.abc import Iterable, Sequence

from ingressd.kube.api import KINDS
from ingressd.kube.client import KubeClient
from ingressd.kube.informer import Informer, Timing
from ingressd.kube.observer import WatchObserver
from ingressd.kube.scope import Scope
from ingressd.kube.store import Store
from ingressd.model.cluster import Key

__all__ = ["REQUIRED", "ClusterSource", "Timing", "WatchObserver"]

REQUIRED = ("Ingress", "Service", "EndpointSlice")
OPTIONAL = ("Secret", "ConfigMap")


class ClusterSource:
    """Source of the objects of a cluster.

    Without ``namespaces`` and ``namespace_selector`` all namespaces are watched, each kind by one informer. With
    ``namespaces`` there is one per kind and namespace, so that a Role in each of them is permission enough. With
    ``namespace_selector`` (labels, ``team=web,stage!=test``) the Namespaces are watched, and informers start and stop
    as Namespaces come to match or cease to: nothing of the others is ever read, at the price of four connections for
    each that matches.

    ``wanted`` names single objects that are needed wherever they are: the ConfigMap of global settings, the default
    certificate, the default backend (its Service, and its EndpointSlices by the name of the Service). ``want`` names
    more of them later.

    The client is the caller's, entered already.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        namespaces: Sequence[str] = (),
        namespace_selector: str = "",
        wanted: Iterable[tuple[str, Key]] = (),
        observer: WatchObserver | None = None,
        timing: Timing | None = None,
        streaming: bool = True,
    ) -> None:
        self._client = client
        self._namespaces = tuple(dict.fromkeys(namespaces))
        self._selector = namespace_selector
        self._wanted = frozenset(wanted)
        self._named: frozenset[Key] = frozenset()
        self._observer = observer
        self._timing = timing
        self._streaming = streaming
        self._fixed: list[Informer] = []
        self._selected: dict[str, list[tuple[Informer, asyncio.Task[None]]]] = {}
        self._following: dict[Key, tuple[Informer, asyncio.Task[None]]] = {}
        self._moved = asyncio.Event()
        self._synced = asyncio.Event()
        self._has_named = asyncio.Event()
        self._has_named.set()

    @property
    def is_synced(self) -> bool:
        """Every required list is in the store, and every optional one that the server lets us have. Once true, it
        stays: a cluster that is away is served as it was."""
        return self._synced.is_set()

    async def synced(self) -> None:
        await self._synced.wait()

    def describe(self) -> str:
        if self._selector:
            return f"cluster, namespaces with {self._selector}"
        return f"cluster, {'namespaces ' + ', '.join(self._namespaces) if self._namespaces else 'all namespaces'}"

    def want(self, config_maps: Iterable[Key]) -> None:
        """From now on these ConfigMaps are read wherever they are, and no others that were wanted so before: those that
        the ConfigMap of global settings names. See ``named``.
        """
        others = (key for key in config_maps if ("ConfigMap", key) not in self._wanted)
        named = frozenset(key for key in others if not self._is_watched(key[0]))
        if named != self._named:
            self._named = named
            self._has_named.clear()
            self._moved.set()

    async def named(self) -> None:
        """Wait until what was wanted last is in the store, or the server has said that we may not have it."""
        await self._has_named.wait()

    async def run(self, store: Store) -> None:
        """For ever; cancelled to stop."""
        async with asyncio.TaskGroup() as group:
            self._fixed = [self._informer(store, scope) for scope in self._fixed_scopes()]
            for informer in self._fixed:
                group.create_task(informer.run())
            while True:
                self._moved.clear()
                if self._selector and self._is_settled(self._fixed):
                    self._select(store, group)
                self._follow_named(store, group)
                if self._is_settled(informer for informer, _ in self._following.values()):
                    self._has_named.set()
                if self._is_settled((*self._fixed, *self._of_selected())):
                    self._synced.set()
                await self._moved.wait()

    def _fixed_scopes(self) -> list[Scope]:
        scopes = [Scope(kind=KINDS["IngressClass"])]
        if self._selector:
            scopes.append(Scope(kind=KINDS["Namespace"], selector=self._selector, is_required=True))
        if self._namespaces:
            scopes += [scope for namespace in self._namespaces for scope in _scopes_in(namespace)]
        elif not self._selector:
            scopes += _scopes_in("")
        scopes += [
            Scope(kind=KINDS[kind], namespace=namespace, name=name)
            for kind, (namespace, name) in sorted(self._wanted)
            if kind not in (*REQUIRED, *OPTIONAL) or not self._is_watched(namespace)
        ]
        return scopes

    def _is_watched(self, namespace: str) -> bool:
        return namespace in self._namespaces or not (self._namespaces or self._selector)

    def _informer(self, store: Store, scope: Scope) -> Informer:
        return Informer(
            self._client,
            store,
            scope,
            observer=self._observer,
            timing=self._timing,
            streaming=self._streaming,
            on_change=self._moved.set if scope.kind.name == "Namespace" else self._on_change,
        )

    def _on_change(self) -> None:
        if not self._synced.is_set() or not self._has_named.is_set():
            self._moved.set()

    def _select(self, store: Store, group: asyncio.TaskGroup) -> None:
        """Start and stop informers, so that they are those of the Namespaces selected now."""
        selected = {name for _, name in store.keys("Namespace")}
        for name in sorted(self._selected.keys() - selected):
            for informer, task in self._selected.pop(name):
                # A cancelled task runs no further than its next await, where it is now: it puts nothing more.
                task.cancel()
                informer.forget(keep=self._of_kind(informer.scope.kind.name))
        for name in sorted(selected - self._selected.keys()):
            informers = [self._informer(store, scope) for scope in _scopes_in(name)]
            self._selected[name] = [(informer, group.create_task(informer.run())) for informer in informers]

    def _follow_named(self, store: Store, group: asyncio.TaskGroup) -> None:
        """Start and stop informers, so that they are those of the ConfigMaps named now."""
        for key in sorted(self._following.keys() - self._named):
            informer, task = self._following.pop(key)
            task.cancel()
            informer.forget(keep=frozenset((key,)) if key[0] in self._selected else frozenset())
        for namespace, name in sorted(self._named - self._following.keys()):
            informer = self._informer(store, Scope(kind=KINDS["ConfigMap"], namespace=namespace, name=name))
            self._following[namespace, name] = (informer, group.create_task(informer.run()))

    def _of_kind(self, kind: str) -> frozenset[Key]:
        """Single objects that are wanted wherever they are."""
        named = self._named if kind == "ConfigMap" else frozenset[Key]()
        return named | {key for wanted, key in self._wanted if wanted == kind}

    def _of_selected(self) -> Iterable[Informer]:
        return (informer for pairs in self._selected.values() for informer, _ in pairs)

    @staticmethod
    def _is_settled(informers: Iterable[Informer]) -> bool:
        return all(informer.is_settled for informer in informers)


def _scopes_in(namespace: str) -> list[Scope]:
    """The kinds that are read wherever Ingresses are; "" is all namespaces."""
    return [
        Scope(kind=KINDS[name], namespace=namespace, is_required=name in REQUIRED) for name in (*REQUIRED, *OPTIONAL)
    ]
