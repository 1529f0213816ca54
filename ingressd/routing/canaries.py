"""Canary Ingresses join the routes that others have declared: the same host, path and kind of match."""

from collections.abc import Sequence

from msgspec.structs import replace

from ingressd.model.finding import Finding
from ingressd.policy.policies import RoutePolicies
from ingressd.routing.claims import CanaryClaim, RouteClaim
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.policies.backend import upstream_name
from ingressd.routing.snapshot import ANY_HOST

_NOTHING = RoutePolicies()


def attach_canaries(
    granted: list[RouteClaim], canaries: Sequence[CanaryClaim], findings: list[Finding]
) -> list[RouteClaim]:
    """The routes with their canaries, of which each has at most one: the oldest.

    ``granted`` as they hold on the host, the fallback last: one that an Ingress declares may have a canary too.
    """
    places = _places(granted)
    taken: dict[int, CanaryClaim] = {}
    made = list(granted)
    for canary in canaries:
        text = _text(canary.text)
        wanted = ((canary.text, canary.kind), (text, canary.kind), (text, "regex"))
        number = next((places[one] for one in wanted if one in places), None)
        target = None if number is None else made[number].target
        if number is None or target is None:
            findings.append(_unmatched(canary))
        elif number in taken:
            findings.append(_beaten(canary, taken[number]))
        elif upstream_name(target) == upstream_name(canary.target):
            message = "it names the Service that the path has already; it changes nothing"
            findings.append(canary.place.finding("warning", "CanaryConflict", message))
        else:
            taken[number] = canary
            made[number] = _with(made[number], target, canary)
    return made


def _places(granted: list[RouteClaim]) -> dict[tuple[str, str], int]:
    """Where each path is: as it was written, and without its closing slash. What no Ingress declares has no canary."""
    places: dict[tuple[str, str], int] = {}
    for spelled in (str, _text):
        for number, claim in enumerate(granted):
            if claim.place.kind == "Ingress":
                kind = "prefix" if claim.is_pattern and claim.route.kind == "regex" else claim.route.kind
                places.setdefault((spelled(claim.text), kind), number)
    return places


def unmatched_host(canary: CanaryClaim) -> Finding:
    """Nobody but canaries names the host."""
    return _unmatched(canary)


def _text(path: str) -> str:
    """A closing slash makes no difference but for ``/`` itself: which of the two was written decides nothing here."""
    return path.rstrip("/") or "/"


def _with(claim: RouteClaim, primary: ServiceTarget, canary: CanaryClaim) -> RouteClaim:
    """The canary is spoken to as its primary is: its own Ingress has no say in that, as in ingress-nginx."""
    policies = claim.route.policies or _NOTHING
    target = replace(canary.target, tls=primary.tls)
    settings, others = replace(canary.canary, backend=target.key), [*claim.others, target]
    if policies.secure_backend:
        tls = next(one.tls for one in claim.others if one.key == policies.secure_backend)
        secure = replace(canary.target, tls=tls)
        settings = replace(settings, secure_backend=secure.key)
        others.append(secure)
    sticky = policies.affinity
    own = replace(sticky, backend=upstream_name(canary.target)) if sticky is not None and canary.sticks else None
    route = replace(claim.route, policies=replace(policies, canary=settings, canary_affinity=own))
    places = {**claim.other_places, **dict.fromkeys((settings.backend, settings.secure_backend), canary.place)}
    return replace(claim, route=route, others=tuple(others), other_places=places)


def _unmatched(canary: CanaryClaim) -> Finding:
    host = "any host" if canary.host == ANY_HOST else canary.host
    message = f"no other Ingress has the {canary.kind} path {canary.text!r} of {host}: this canary gets no requests"
    return canary.place.finding("warning", "CanaryWithoutPath", message)


def _beaten(canary: CanaryClaim, winner: CanaryClaim) -> Finding:
    name = f"{winner.place.namespace}/{winner.place.name}"
    return canary.place.finding("warning", "CanaryConflict", f"the path has a canary already: Ingress {name}")
