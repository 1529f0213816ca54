"""Who wins when several objects claim one host, path or server name: the oldest, then by namespace and name.

A claim is (host, kind of match, path); an exact path and a prefix of the same text are two. Claims arrive here in order
of seniority, so the first one is granted and every later one is told by whom it was beaten. Nothing depends on the
order in which objects were seen.
"""

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from ingressd.model.finding import Finding
from ingressd.policy.pattern import PatternError, location_pattern
from ingressd.routing.canaries import attach_canaries
from ingressd.routing.claims import CanaryClaim, HostClaim, Root, RouteClaim
from ingressd.routing.hostwide import HostSettings, settle_wishes
from ingressd.routing.place import Place
from ingressd.routing.policies.context import PolicyContext
from ingressd.routing.snapshot import ANY_HOST, MatchKind, Route, VirtualHost


class SettledHost(Struct, frozen=True, gc=False):
    """A host with the claims that were granted, in the order of its routes with the fallback last.

    ``settings`` are what it asks for beside its own routes: further names, the redirect of its sibling.
    """

    vhost: VirtualHost
    granted: tuple[RouteClaim, ...]
    findings: tuple[Finding, ...]
    settings: HostSettings


def unsettled_host(claim: HostClaim, before: SettledHost | None) -> SettledHost:
    """The host of the claim when settling it failed: as it was ``before``, else answering 503 whatever the path."""
    place = claim.place
    what = "it is served as it was" if before is not None else "it answers 503"
    why = f"settling {_shown(claim.host)} failed, which is a fault of ingressd's (the log has it)"
    told = place.finding("error", "InternalError", f"{why}: {what}")
    if before is not None:
        return replace(before, findings=(told,))
    route = Route("prefix", "/", "", place.namespace, place.name, status=503)
    return SettledHost(VirtualHost(claim.host, (), route), (RouteClaim(route, None, place),), (told,), HostSettings())


def settle_host(
    claims: Sequence[HostClaim], canaries: Sequence[CanaryClaim], last_resort: RouteClaim, context: PolicyContext
) -> SettledHost:
    """Grant the claims on one host, given in order of seniority.

    The fallback is always set: a path that no route matches must not go on to wildcard or host-less rules, which would
    open what the owner of this host left closed.
    """
    findings: list[Finding] = []
    granted = _grant(claims, findings)
    is_regex = _is_regex(claims[0], granted)
    if is_regex:
        findings.clear()
        granted = _as_patterns(_grant(claims, findings, by_text=True), findings)
    else:
        findings.extend(_taken_literally(claim) for claim in granted if _looks_like_pattern(claim))
    fallback = _fallback(claims, last_resort, findings, context)
    settings = settle_wishes(claims, context, findings)
    granted, fallback = settings.apply([*granted, fallback], context)
    if canaries:
        *granted, fallback = attach_canaries([*granted, fallback], canaries, findings)
    tls = settings.tls
    if settings.passthrough is not None:
        granted, tls = settings.pass_through(granted, findings)
    vhost = VirtualHost(claims[0].host, tuple([claim.route for claim in granted]), fallback.route, is_regex, tls)
    return SettledHost(vhost, (*granted, fallback), tuple(findings), settings)


def _grant(claims: Sequence[HostClaim], findings: list[Finding], *, by_text: bool = False) -> list[RouteClaim]:
    """Sorted by path. ``by_text``: paths count as they were written, with a closing slash or without, and equal ones
    stay in the order in which they were declared.
    """
    paths: dict[tuple[str, str], RouteClaim] = {}
    for claim in claims:
        for one in claim.paths:
            holder = paths.setdefault((one.text if by_text else one.route.path, one.route.kind), one)
            if holder is not one and _differs(holder, one):
                findings.append(_beaten(one, holder, claim.host))
    if by_text:
        return sorted(paths.values(), key=lambda claim: claim.text)
    return [paths[key] for key in sorted(paths)] if len(paths) > 1 else list(paths.values())


def _is_regex(first: HostClaim, granted: list[RouteClaim]) -> bool:
    """Whether one location of the host makes patterns of all: ingress-nginx's rule, and it counts ``/`` of its own."""
    if any(claim.is_pattern for claim in granted):
        return True
    return first.root.is_pattern and not any(
        claim.route.path == "/" and claim.route.kind == "prefix" for claim in granted
    )


def _as_patterns(granted: list[RouteClaim], findings: list[Finding]) -> list[RouteClaim]:
    return [_as_pattern(claim, findings) for claim in granted]


def _as_pattern(claim: RouteClaim, findings: list[Finding]) -> RouteClaim:
    """The path as it was written; a pattern has no automatic redirect to its closing slash."""
    route = claim.route
    if not claim.is_pattern and route.kind != "regex":
        try:
            location_pattern(claim.text)
        except PatternError as error:
            message = f"another Ingress makes all paths of the host patterns, and {error}; it answers 503"
            findings.append(replace(claim.place, field=_path_of(claim.place)).finding("error", "BadPattern", message))
    policies = route.policies
    if policies is not None and policies.trailing_slash is not None:
        policies = replace(policies, trailing_slash=None)
    kind: MatchKind = "regex" if claim.is_pattern and route.kind == "prefix" else route.kind
    return replace(claim, route=replace(route, kind=kind, path=claim.text, policies=policies))


_SIGNS = re.compile(r"\(.*\)|\[.*\]|\.\*")  # not those that paths hold too: OData has $, others +


def _looks_like_pattern(claim: RouteClaim) -> bool:
    return claim.route.kind != "regex" and _SIGNS.search(claim.text) is not None


def _taken_literally(claim: RouteClaim) -> Finding:
    message = f"{claim.text!a} is compared as it stands, for no Ingress of its host asks for expressions: add use-regex"
    return replace(claim.place, field=f"{_path_of(claim.place)}.path").finding("warning", "PatternNotAsked", message)


def _fallback(
    claims: Sequence[HostClaim], last_resort: RouteClaim, findings: list[Finding], context: PolicyContext
) -> RouteClaim:
    """The oldest default backend; else the controller's, with what the first Ingress of the host asks for."""
    fallback: RouteClaim | None = None
    for claim in claims:
        if claim.fallback is not None:
            fallback = fallback or claim.fallback
            if fallback.route.backend != claim.fallback.route.backend:
                findings.append(_beaten_default(claim.fallback, fallback, claim.host))
    if fallback is not None:
        return fallback
    root = claims[0].root
    if root.policies is None and root.tls_redirect is None:
        return last_resort
    if root.policies is not None and root.policies is not context.quiet.get(root.tls_redirect):
        return _answering_as(last_resort, root)
    shared = context.last_resorts.get((root.policies is None, root.tls_redirect))
    if not isinstance(shared, RouteClaim):
        shared = _answering_as(last_resort, root)
        context.last_resorts[root.policies is None, root.tls_redirect] = shared
    return shared


def _answering_as(last_resort: RouteClaim, root: Root) -> RouteClaim:
    route = last_resort.route if root.policies is None else replace(last_resort.route, policies=root.policies)
    return replace(last_resort, route=route, tls_redirect=root.tls_redirect)


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
