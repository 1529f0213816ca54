"""The fast index over virtual hosts: one ``find`` per request, in well under a microsecond.

``match.py`` says what the answer is. Here a host is two dictionaries: paths that a request may equal, and prefixes,
tried from the longest to the shortest. Each host has its own index, so that a change of one host builds one host.
A host with patterns puts something else in the first dictionary's place, so that all others pay nothing for it.
"""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from ingressd.policy.pattern import Pattern, PatternError, PatternSet, location_pattern
from ingressd.routing.match import as_served, regex_order, sure_beginning
from ingressd.routing.snapshot import ANY_HOST, Route, VirtualHost

_MANY = 32
"""Routes of a host from which on it remembers what is bound to each. Nearly all have fewer, and spare the memory."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Lookup(Protocol[T_co]):
    """A dictionary, as far as ``find`` knows."""

    def get(self, path: str, /) -> T_co | None: ...


class _Patterns(Generic[T]):
    """Patterns in the order in which they are asked, with what is bound to each."""

    __slots__ = ("_all", "_bound", "_broken", "_compiled", "_places", "sizes")

    def __init__(
        self, routes: list[tuple[Route, str]], bind: Callable[[Route], T], before: "_Patterns[T] | None"
    ) -> None:
        compiled: list[Pattern] = []
        self._places: list[int] = []  # of each compiled pattern among all
        self._broken: list[tuple[int, str]] = []
        self._bound: list[T] = []
        self.sizes = [len(route.path) for route, _ in routes]
        for place, (route, regex) in enumerate(routes):
            self._bound.append(bind(as_served(route)))
            try:
                compiled.append(location_pattern(regex))
                self._places.append(place)
            except PatternError:
                if beginning := sure_beginning(regex):
                    self._broken.append((place, beginning))
        self._places.append(-1)  # what PatternSet's -1 for nothing found leads to
        self._compiled = compiled
        # To ask them all at once is made ready in a millisecond for fifty: most changes leave the patterns alone.
        is_same = before is not None and before._compiled == compiled
        self._all: PatternSet = before._all if before is not None and is_same else PatternSet(compiled)

    def first(self, path: str) -> int:
        """Place of the first route that matches; -1: none."""
        place = self._places[self._all.first(path)]
        if self._broken:
            lower = path.lower()
            for one, beginning in self._broken:
                if (place < 0 or one < place) and lower.startswith(beginning):
                    return one
        return place

    def at(self, place: int) -> T:
        return self._bound[place]

    def get(self, path: str, /) -> T | None:
        """For a regex host: what is bound to the first route that matches."""
        place = self.first(path)
        return None if place < 0 else self._bound[place]


class _Mixed(Generic[T]):
    """A plain host of which some routes are patterns: exact paths, then the longest of prefixes and patterns."""

    __slots__ = ("_exact", "_has_root", "_lengths", "_patterns", "_prefixes")

    def __init__(
        self, exact: dict[str, T], prefixes: dict[str, T], patterns: _Patterns[T], lengths: tuple[int, ...], root: bool
    ) -> None:
        self._exact = exact
        self._prefixes = prefixes
        self._patterns = patterns
        self._lengths = lengths
        self._has_root = root

    def get(self, path: str, /) -> T | None:
        """None: the host's prefix ``/``, or its fallback."""
        found = self._exact.get(path)
        if found is not None:
            return found
        place = self._patterns.first(path)
        pattern_size = self._patterns.sizes[place] if place >= 0 else 0
        size = len(path)
        for length in self._lengths:
            if length < pattern_size:
                break
            if length == size or (length < size and path[length] == "/"):
                found = self._prefixes.get(path[:length])
                if found is not None:
                    return found
        if place < 0 or (self._has_root and pattern_size <= 1):
            return None
        return self._patterns.at(place)


class _HostIndex(Generic[T]):
    """Routes of one host. ``lengths`` are those its prefixes have, longest first: only there may a request path be cut,
    so what a look-up costs depends on what the host declares and never on how deep a path the client makes up.
    """

    __slots__ = ("_known", "_patterns", "equal", "lengths", "otherwise", "prefixes")

    def __init__(
        self, vhost: VirtualHost, bind: Callable[[VirtualHost, Route], T], before: "_HostIndex[T] | None" = None
    ) -> None:
        """``before`` is the same host's: what is bound to a route that has not changed stays so."""
        self.equal: _Lookup[T]
        self.prefixes: dict[str, T] = {}
        self.lengths: tuple[int, ...] = ()
        self._known: dict[tuple[str, str], tuple[Route, T]] | None = {} if len(vhost.routes) >= _MANY else None
        self._patterns: _Patterns[T] | None = None
        self.otherwise: T | None = None if vhost.fallback is None else bind(vhost, vhost.fallback)
        if self._known is not None:
            bind = self._reusing(bind, self._known, before._known if before is not None and before._known else {})
        if vhost.regex:
            self.equal = self._patterns = _ordered(vhost, vhost.routes, bind, before)
        else:
            self._index(vhost, bind, before)

    def _reusing(
        self,
        bind: Callable[[VirtualHost, Route], T],
        known: dict[tuple[str, str], tuple[Route, T]],
        before: dict[tuple[str, str], tuple[Route, T]],
    ) -> Callable[[VirtualHost, Route], T]:
        """Binding a route with policies costs up to a hundred microseconds, and a host may have a thousand of them."""

        def bound(vhost: VirtualHost, route: Route) -> T:
            key = route.kind, route.path
            found = before.get(key)
            if found is None or found[0] != route:
                found = route, bind(vhost, route)
            known[key] = found
            return found[1]

        return bound

    def _index(
        self, vhost: VirtualHost, bind: Callable[[VirtualHost, Route], T], before: "_HostIndex[T] | None"
    ) -> None:
        exact: dict[str, T] = {}
        patterns: list[Route] = []
        has_root = False
        for route in vhost.routes:
            if route.kind == "regex":
                patterns.append(route)
                continue
            bound = bind(vhost, route)
            if route.kind == "exact":
                exact[route.path] = bound
            elif route.path == "/":
                self.otherwise = bound
                has_root = True
            else:
                self.prefixes[route.path.rstrip("/")] = bound
        lengths = tuple(sorted(set(map(len, self.prefixes)), reverse=True))
        if patterns:
            self._patterns = ordered = _ordered(vhost, patterns, bind, before)
            self.equal = _Mixed[T](exact, self.prefixes, ordered, lengths, has_root)
        else:
            for path, bound in self.prefixes.items():
                exact.setdefault(path, bound)  # most requests for a prefix's own path end at the first look-up
            self.equal, self.lengths = exact, lengths


def _ordered(
    vhost: VirtualHost,
    routes: Iterable[Route],
    bind: Callable[[VirtualHost, Route], T],
    before: _HostIndex[T] | None,
) -> _Patterns[T]:
    earlier = None if before is None else before._patterns
    return _Patterns(regex_order(routes), lambda route: bind(vhost, route), earlier)


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
        """A table without ``removed`` and with ``upserts``; ``bind`` is called once for each of their routes.

        Not for routes of a host of many that are what they were: what is bound depends on host and route alone.
        """
        exact, wildcard, any_host = self._exact.copy(), self._wildcard.copy(), self._any
        for name in removed:
            if name == ANY_HOST:
                any_host = None
            elif name.startswith("*."):
                wildcard.pop(name[2:], None)
            else:
                exact.pop(name, None)
        for vhost in upserts:
            if vhost.name == ANY_HOST:
                any_host = _HostIndex(vhost, bind, any_host)
            elif vhost.name.startswith("*."):
                wildcard[vhost.name[2:]] = _HostIndex(vhost, bind, wildcard.get(vhost.name[2:]))
            else:
                exact[vhost.name] = _HostIndex(vhost, bind, exact.get(vhost.name))
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
