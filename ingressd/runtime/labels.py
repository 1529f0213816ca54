"""Which counters a route's requests go to; workers and the control process must agree."""

from ingressd.routing.snapshot import ANY_HOST, Route
from ingressd.telemetry.report import UNKNOWN_HOST, RouteLabels


def route_labels(host: str, route: Route) -> RouteLabels:
    """Labels of a route of the virtual host ``host``."""
    return (UNKNOWN_HOST if host == ANY_HOST else host, route.namespace, route.ingress, route.service)
