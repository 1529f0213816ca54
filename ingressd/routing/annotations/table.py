"""All rows: by topic for people, by name for readers."""

from types import MappingProxyType, ModuleType

from ingressd.routing.annotations.row import Row
from ingressd.routing.annotations.rows import (
    access,
    affinity,
    backend,
    clients,
    external_auth,
    extras,
    internals,
    limits,
    nginx_only,
    observing,
    paths,
    redirects,
    removed,
    responses,
    tls,
)


def _rows(topic: ModuleType) -> tuple[Row[object], ...]:
    return tuple(one for one in vars(topic).values() if isinstance(one, Row))


TOPICS: tuple[tuple[str, tuple[Row[object], ...]], ...] = (
    ("Paths and names", _rows(paths)),
    ("Redirects", _rows(redirects)),
    ("Traffic to the backend", _rows(backend)),
    ("Cookies and canaries", _rows(affinity)),
    ("Errors, headers, mirroring", _rows(responses)),
    ("Access", _rows(access)),
    ("External authentication", _rows(external_auth)),
    ("Limits and CORS", _rows(limits)),
    ("TLS", _rows(tls)),
    ("Clients and connections", _rows(clients)),
    ("Logs and tracing", _rows(observing)),
    ("Our own", _rows(extras)),
    ("nginx only", _rows(nginx_only)),
    ("Removed from ingress-nginx before its end", _rows(removed)),
    ("Keys that tune nginx itself", _rows(internals)),
)

ROWS: tuple[Row[object], ...] = tuple(row for _, rows in TOPICS for row in rows)

ANNOTATIONS: MappingProxyType[str, Row[object]] = MappingProxyType(
    {row.name: row for row in ROWS if row.scope != "global"}
)
"""By name, without prefix and aliases."""

CONFIG_KEYS: MappingProxyType[str, Row[object]] = MappingProxyType(
    {row.config_key: row for row in ROWS if row.config_key}
)
"""By ConfigMap key."""
