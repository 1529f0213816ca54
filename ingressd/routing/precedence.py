"""Who wins when several objects claim one host, path or server name: the oldest, then by namespace and name.

A claim is (host, kind of match, path); an exact path and a prefix of the same text are two. Claims arrive here in order
of seniority, so the first one is granted and every later one is told by whom it was beaten. Nothing depends on the
order in which objects were seen.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.finding import Finding
from ingressd.routing.reading import HostClaim, Place, RouteClaim
from ingressd.routing.snapshot import ANY_HOST, VirtualHost


class SettledHost(Struct, frozen=True, gc=False):
    """A host with the claims that were granted, in the order of its routes with the fallback last."""

    vhost: VirtualHost
    granted: tuple[RouteClaim, ...]
    findings: tuple[Finding, ...]


def settle_host(claims: Sequence[HostClaim], last_resort: RouteClaim) -> SettledHost:
    """Grant the claims on one host, given in order of seniority.

    The fallback is always set: a path that no route matches must not go on to wildcard or host-less rules, which would
    open what the owner of this host left closed.
    """
    host = claims[0].host
    findings: list[Finding] = []
    paths: dict[tuple[str, str], RouteClaim] = {}
    fallback: RouteClaim | None = None
    for claim in claims:
        for one in claim.paths:
            holder = paths.setdefault((one.route.path, one.route.kind), one)
            if holder is not one and _differs(holder, one):
                findings.append(_beaten(one, holder, host))
        if claim.fallback is not None:
            fallback = fallback or claim.fallback
            if fallback.route.backend != claim.fallback.route.backend:
                findings.append(_beaten_default(claim.fallback, fallback, host))
    granted = [paths[key] for key in sorted(paths)] if len(paths) > 1 else list(paths.values())
    fallback = fallback or last_resort
    vhost = VirtualHost(host, tuple([claim.route for claim in granted]), fallback.route)
    return SettledHost(vhost, (*granted, fallback), tuple(findings))


def _differs(holder: RouteClaim, other: RouteClaim) -> bool:
    """The same Ingress saying the same twice (``/foo`` and ``/foo/``) is no conflict."""
    return _owner(holder.place) != _owner(other.place) or holder.route.backend != other.route.backend


def _beaten(loser: RouteClaim, winner: RouteClaim, host: str) -> Finding:
    what = f"{loser.route.kind} path {loser.route.path!r} of {_shown(host)}"
    place = replace(loser.place, field=_path_of(loser.place))
    return place.finding("warning", "PathConflict", f"{what} is already claimed by {_winner(loser.place, winner)}")


def _beaten_default(loser: RouteClaim, winner: RouteClaim, host: str) -> Finding:
    what = f"the default backend of {_shown(host)}"
    return loser.place.finding(
        "warning", "DefaultBackendConflict", f"{what} is already claimed by {_winner(loser.place, winner)}"
    )


def _winner(loser: Place, winner: RouteClaim) -> str:
    field = _path_of(winner.place)
    if _owner(loser) == _owner(winner.place):
        return f"{field} of the same Ingress"
    return f"Ingress {winner.place.namespace}/{winner.place.name} ({field})"


def _path_of(place: Place) -> str:
    """A claim is placed at its backend, where most can be wrong with it; a conflict is about the path."""
    return place.field.removesuffix(".backend")


def _owner(place: Place) -> tuple[str, str]:
    return place.namespace, place.name


def _shown(host: str) -> str:
    return "any host" if host == ANY_HOST else f"host {host!r}"
