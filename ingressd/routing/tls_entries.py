"""``spec.tls`` of one Ingress → the server names it claims, each with the Secrets it offers for it.

Which claim is granted, and which Secret serves a name, is decided in ``certificates``.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from ingressd.model.finding import Finding
from ingressd.model.objects import Ingress
from ingressd.routing.claims import HostWishes, ServerNameClaim
from ingressd.routing.declared import DeclaredError, normal_host
from ingressd.routing.place import Place, place_of
from ingressd.routing.snapshot import ANY_HOST
from ingressd.routing.www import sibling


class TlsEntries:
    """What is wrong with them is added to ``findings``."""

    def __init__(self, ingress: Ingress, findings: list[Finding]) -> None:
        self._ingress = ingress
        self._findings = findings
        self._listed = self._listed_names()
        self._lists_all = any(not entry.hosts for entry in ingress.tls)

    def name(self, host: str) -> bool:
        """Whether an entry names the host, or none: whatever its Secret holds, TLS is meant for it."""
        if host == ANY_HOST:
            return False
        return self._lists_all or host in self._listed or f"*.{host.partition('.')[2]}" in self._listed

    def claims(self, rule_hosts: list[str], wishes: HostWishes | None) -> tuple[ServerNameClaim, ...]:
        """Those of listed names, of ``rule_hosts``, and of what the hosts are known by besides."""
        without_hosts = [
            (entry.secret_name, self._place(f"spec.tls[{number}].secretName"))
            for number, entry in enumerate(self._ingress.tls)
            if not entry.hosts
        ]
        if without_hosts and not rule_hosts:
            message = "neither the tls entry nor a rule names a host: the certificate is not used"
            self._findings.append(without_hosts[0][1].finding("warning", "NoServerName", message))
        claims = {host: ServerNameClaim(host, tuple(offers), True) for host, offers in self._listed.items()}
        for host in rule_hosts:
            if host not in claims and (offers := without_hosts or self._all_secrets()):
                claims[host] = ServerNameClaim(host, tuple(offers), bool(without_hosts))
        for host, name in _further_names(rule_hosts, wishes):
            if name not in claims and host in claims:
                claims[name] = ServerNameClaim(name, claims[host].offers, False)
        return tuple(claims.values())

    def _listed_names(self) -> dict[str, list[tuple[str, Place]]]:
        names: dict[str, list[tuple[str, Place]]] = {}
        for number, entry in enumerate(self._ingress.tls):
            for position, declared in enumerate(entry.hosts):
                place = self._place(f"spec.tls[{number}].hosts[{position}]")
                try:
                    host = normal_host(declared)
                except DeclaredError as error:
                    message = f"{error}; no certificate is served for it"
                    self._findings.append(place.finding("error", error.reason, message))
                    continue
                if host != ANY_HOST:
                    names.setdefault(host, []).append((entry.secret_name, place))
        return names

    def _all_secrets(self) -> list[tuple[str, Place]]:
        return [
            (entry.secret_name, self._place(f"spec.tls[{number}].secretName"))
            for number, entry in enumerate(self._ingress.tls)
            if entry.secret_name
        ]

    def _place(self, field: str) -> Place:
        return place_of(self._ingress.meta, field)


def _further_names(rule_hosts: list[str], wishes: HostWishes | None) -> list[tuple[str, str]]:
    """Names that a host is known by besides its own: a certificate that is good for them serves them too."""
    if wishes is None:
        return []
    names = [(host, alias) for alias in _usable(wishes.aliases) for host in rule_hosts]
    if wishes.www:
        names += [(host, sibling(host)) for host in rule_hosts if not host.startswith("*.")]
    return names


def _usable(aliases: Iterable[str]) -> Iterator[str]:
    """Normal names; what is wrong with the others is said where hosts are settled (``names``)."""
    for alias in aliases:
        with suppress(DeclaredError):
            yield normal_host(alias)
