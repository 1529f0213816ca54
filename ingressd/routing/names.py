"""Further names of hosts: aliases, and siblings (``from-to-www-redirect``). They never take what an Ingress owns.

So does ``/healthz`` of any host, which load balancers ask ingress-nginx's HTTP port for.
"""

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from ingressd.model.finding import Finding
from ingressd.policy.fixed_answer import FixedAnswer
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.redirects import WwwRedirect
from ingressd.policy.response_fields import ResponseEdits
from ingressd.routing.annotations.rows import redirects
from ingressd.routing.declared import DeclaredError, normal_host
from ingressd.routing.place import Place
from ingressd.routing.policies.access import blocks_of
from ingressd.routing.policies.context import PolicyContext
from ingressd.routing.policies.headers import response_edits_of_all
from ingressd.routing.policies.secure import with_tls
from ingressd.routing.precedence import SettledHost
from ingressd.routing.snapshot import ANY_HOST, Route, VirtualHost
from ingressd.routing.www import sibling

_NOTHING, _NO_EDITS = RoutePolicies(), ResponseEdits()
_PROBE = Route("exact", "/healthz", "", status=200, policies=RoutePolicies(respond=FixedAnswer(200), access_log=False))


def further_names(
    hosts: Mapping[str, SettledHost], certified: Collection[str], context: PolicyContext
) -> tuple[dict[str, VirtualHost], list[Finding]]:
    """Hosts that nobody declares. ``certified``: names that a certificate was chosen for."""
    made: dict[str, VirtualHost] = {}
    findings: list[Finding] = []
    for settled in hosts.values():
        settings = settled.settings
        if settings.alias_place is not None:
            for alias in settings.aliases:
                _alias(alias, settled, settings.alias_place, hosts, certified, made, findings)
    for host, settled in hosts.items():
        if settled.settings.www is not None:
            name = sibling(host)
            if name not in hosts and name not in made:
                made[name] = _sibling(name, host, settled, context)
    if context.defaults.replaces_nginx:
        made[ANY_HOST] = _with_probe(hosts[ANY_HOST].vhost if ANY_HOST in hosts else VirtualHost(ANY_HOST))
    return made, findings


def _with_probe(vhost: VirtualHost) -> VirtualHost:
    if any(route.path == _PROBE.path for route in vhost.routes):
        return vhost
    return replace(vhost, routes=(*vhost.routes, _PROBE))


def _alias(
    alias: str,
    settled: SettledHost,
    place: Place,
    hosts: Mapping[str, SettledHost],
    certified: Collection[str],
    made: dict[str, VirtualHost],
    findings: list[Finding],
) -> None:
    try:
        name = normal_host(alias)
    except DeclaredError as error:
        findings.append(place.finding("error", "InvalidHost", f"server-alias: {error}; it is not served"))
        return
    if name == settled.vhost.name:
        return
    owner = "an Ingress declares it" if name in hosts else "another host has it" if name in made else ""
    if owner or name == ANY_HOST:
        findings.append(place.finding("warning", "ServerAliasConflict", f"the alias {alias!r} is not served: {owner}"))
        return
    vhost = replace(settled.vhost, name=name)
    made[name] = vhost if name in certified else _without_tls(vhost, settled)


def _without_tls(vhost: VirtualHost, settled: SettledHost) -> VirtualHost:
    """No certificate is good for the alias: nobody is sent to HTTPS there unless that is forced, nor kept there."""
    if not settled.settings.has_tls:
        return vhost
    routes = tuple(_plain(claim.route, claim.tls_redirect is not None) for claim in settled.granted)
    return replace(vhost, routes=routes[:-1], fallback=routes[-1])


def _plain(route: Route, is_optional: bool) -> Route:
    policies = route.policies
    if policies is None:
        return route
    if is_optional:
        policies = replace(policies, https_redirect=None)
    if policies.response is not None:
        response = replace(policies.response, hsts=None)
        policies = replace(policies, response=None if response == _NO_EDITS else response)
    return replace(route, policies=None if policies == _NOTHING else policies)


def _sibling(name: str, host: str, settled: SettledHost, context: PolicyContext) -> VirtualHost:
    """Every request of it is sent to the host, whatever its path."""
    place = settled.settings.www
    policies: RoutePolicies | None = RoutePolicies(
        blocks=blocks_of(context.config),
        www=WwwRedirect(host, context.config.get(redirects.HTTP_REDIRECT_CODE)),
        response=response_edits_of_all(context),
    )
    if settled.settings.has_tls:
        policies = with_tls(policies, None, context)
    namespace, ingress = (place.namespace, place.name) if place is not None else ("", "")
    return VirtualHost(name, (), Route("prefix", "/", "", namespace, ingress, policies=policies))
