"""The fast index over virtual hosts: one ``find`` per request, in well under a microsecond.

``match.py`` says what the answer is. Here a host is two dictionaries: paths that a request may equal, and prefixes,
tried from the longest to the shortest. Each host has its own index, so that a change of one host builds one host.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from ingressd.routing.snapshot import ANY_HOST, Route, VirtualHost

T = TypeVar("T")


class _HostIndex(Generic[T]):
    """Routes of one host. ``lengths`` are those its prefixes have, longest first: only there may a request path be cut,
    so what a look-up costs depends on what the host declares and never on how deep a path the client makes up.
    """

    __slots__ = ("equal", "lengths", "otherwise", "prefixes")

    def __init__(self, vhost: VirtualHost, bind: Callable[[VirtualHost, Route], T]) -> None:
        self.equal: dict[str, T] = {}
        self.prefixes: dict[str, T] = {}
        self.otherwise: T | None = None if vhost.fallback is None else bind(vhost, vhost.fallback)
        for route in vhost.routes:
            bound = bind(vhost, route)
            if route.kind == "exact":
                self.equal[route.path] = bound
            elif route.path == "/":
                self.otherwise = bound
            else:
                self.prefixes[route.path.rstrip("/")] = bound
        for path, bound in self.prefixes.items():
            self.equal.setdefault(path, bound)  # most requests for a prefix's own path end at the first look-up
        self.lengths = tuple(sorted(set(map(len, self.prefixes)), reverse=True))


class RouteTable(Generic[T]):
    """Immutable in use: ``with_changes`` returns a new table that shares the index of every untouched host.

    ``T`` is whatever the caller binds to a route, such as its live counters and endpoints.
    """

    __slots__ = ("_any", "_exact", "_wildcard")

    def __init__(
        self,
        exact: dict[str, _HostIndex[T]],
        wildcard: dict[str, _HostIndex[T]],
        any_host: _HostIndex[T] | None,
    ) -> None:
        self._exact = exact
        self._wildcard = wildcard  # by what follows the wildcard label: "*.foo.com" is under "foo.com"
        self._any = any_host

    @staticmethod
    def empty() -> "RouteTable[T]":
        return RouteTable({}, {}, None)

    def __len__(self) -> int:
        return len(self._exact) + len(self._wildcard) + (self._any is not None)

    def with_changes(
        self, upserts: Iterable[VirtualHost], removed: Iterable[str], bind: Callable[[VirtualHost, Route], T]
    ) -> "RouteTable[T]":
        """A table without ``removed`` and with ``upserts``; ``bind`` is called once for each of their routes."""
        exact, wildcard, any_host = self._exact.copy(), self._wildcard.copy(), self._any
        for name in removed:
            if name == ANY_HOST:
                any_host = None
            elif name.startswith("*."):
                wildcard.pop(name[2:], None)
            else:
                exact.pop(name, None)
        for vhost in upserts:
            index = _HostIndex(vhost, bind)
            if vhost.name == ANY_HOST:
                any_host = index
            elif vhost.name.startswith("*."):
                wildcard[vhost.name[2:]] = index
            else:
                exact[vhost.name] = index
        return RouteTable(exact, wildcard, any_host)

    def take_apart(self, count: int) -> bool:
        """Let go of up to ``count`` hosts; True while some are left.

        For a table that nobody uses any more: freeing ten thousand hosts at once would be a pause of tens of
        milliseconds. Tables that share hosts with this one keep theirs.
        """
        for hosts in (self._exact, self._wildcard):
            while hosts and count:
                hosts.popitem()
                count -= 1
        return bool(self._exact or self._wildcard)

    def find(self, host: str, path: str) -> T | None:
        """What is bound to the route of a request; None leaves it to the snapshot's fallback.

        ``host`` is lower case without port and trailing dot, ``path`` normalised and beginning with ``/``.
        Measured by ``benchmarks/match.py``; hence one function, and no look-up that a host's own paths cannot answer.
        """
        index = self._exact.get(host)
        if index is None:
            if self._wildcard and (dot := host.find(".")) > 0:
                index = self._wildcard.get(host[dot + 1 :])
            if index is None:
                index = self._any
                if index is None:
                    return None
        found = index.equal.get(path)
        if found is not None:
            return found
        size = len(path)
        for length in index.lengths:
            if length < size and path[length] == "/":
                found = index.prefixes.get(path[:length])
                if found is not None:
                    return found
        return index.otherwise
