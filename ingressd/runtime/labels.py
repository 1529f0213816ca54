"""Which counters a route's requests go to; workers and the control process must agree."""

from collections.abc import Container, Iterator

from ingressd.routing.snapshot import ANY_HOST, Route, Snapshot, VirtualHost
from ingressd.telemetry.report import UNKNOWN_HOST, RouteLabels


def route_labels(host: str, route: Route) -> RouteLabels:
    """Labels of a route of the virtual host ``host``, its path the last: see ``WorkerStats.route``."""
    return (UNKNOWN_HOST if host == ANY_HOST else host, route.namespace, route.ingress, route.service, route.path)


def host_labels(vhost: VirtualHost) -> Iterator[RouteLabels]:
    """Labels of each route of a virtual host, its fallback included; some perhaps several times."""
    for route in vhost.routes:
        yield route_labels(vhost.name, route)
    if vhost.fallback is not None:
        yield route_labels(vhost.name, vhost.fallback)


class LabelsOf(Container[RouteLabels]):
    """All labels of a snapshot, looked up instead of gathered: there are tens of thousands, and few are asked for.

    Labels with a path are those of a route, whatever canary took the request; labels without are those of any path.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __contains__(self, labels: object) -> bool:
        if not isinstance(labels, tuple):
            return False
        host = ANY_HOST if labels[0] == UNKNOWN_HOST else labels[0]
        vhost = self._snapshot.hosts.get(host)
        count = 5 if len(labels) > 4 else 4
        wanted = labels[:count]
        if vhost is not None and any(found[:count] == wanted for found in host_labels(vhost)):
            return True
        fallback = self._snapshot.fallback
        return fallback is not None and wanted == route_labels(ANY_HOST, fallback)[:count]
