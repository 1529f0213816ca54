"""Canary Ingresses join the routes that others have declared: the same host, path and kind of match."""

from collections.abc import Sequence

from msgspec.structs import replace

from ingressd.model.finding import Finding
from ingressd.policy.policies import RoutePolicies
from ingressd.routing.claims import CanaryClaim, RouteClaim
from ingressd.routing.policies.backend import upstream_name
from ingressd.routing.snapshot import ANY_HOST

_NOTHING = RoutePolicies()


def attach_canaries(
    granted: list[RouteClaim], canaries: Sequence[CanaryClaim], findings: list[Finding]
) -> list[RouteClaim]:
    """The routes with their canaries, of which each has at most one: the oldest."""
    places = {(_text(claim.text), claim.route.kind): number for number, claim in enumerate(granted)}
    taken: dict[int, CanaryClaim] = {}
    made = list(granted)
    for canary in canaries:
        text = _text(canary.text)
        number = places.get((text, canary.kind), places.get((text, "regex")))
        if number is None:
            findings.append(_unmatched(canary))
        elif number in taken:
            findings.append(_beaten(canary, taken[number]))
        elif (claim := made[number]).target is None or claim.target.key == canary.target.key:
            message = "it names the Service that the path has already; it changes nothing"
            findings.append(canary.place.finding("warning", "CanaryConflict", message))
        else:
            taken[number] = canary
            made[number] = _with(claim, canary)
    return made


def unmatched_host(canary: CanaryClaim) -> Finding:
    """Nobody but canaries names the host."""
    return _unmatched(canary)


def _text(path: str) -> str:
    """A closing slash makes no difference but for ``/`` itself: which of the two was written decides nothing here."""
    return path.rstrip("/") or "/"


def _with(claim: RouteClaim, canary: CanaryClaim) -> RouteClaim:
    policies = claim.route.policies or _NOTHING
    sticky = policies.affinity
    own = replace(sticky, backend=upstream_name(canary.target)) if sticky is not None and canary.sticks else None
    route = replace(claim.route, policies=replace(policies, canary=canary.canary, canary_affinity=own))
    return replace(claim, route=route, others=(*claim.others, canary.target))


def _unmatched(canary: CanaryClaim) -> Finding:
    host = "any host" if canary.host == ANY_HOST else canary.host
    message = f"no other Ingress has the {canary.kind} path {canary.text!r} of {host}: this canary gets no requests"
    return canary.place.finding("warning", "CanaryWithoutPath", message)


def _beaten(canary: CanaryClaim, winner: CanaryClaim) -> Finding:
    name = f"{winner.place.namespace}/{winner.place.name}"
    return canary.place.finding("warning", "CanaryConflict", f"the path has a canary already: Ingress {name}")
