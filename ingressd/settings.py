"""Frozen process settings: what the command line and the environment said. Imported by cli and runtime only."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

Key = tuple[str, str]
"""(namespace, name)."""


class SourceSettings(Struct, frozen=True, kw_only=True):
    """Where configuration comes from; exactly one of the three. ``kubeconfig`` "" stands for the usual rules."""

    kind: Literal["kubeconfig", "in-cluster", "manifests"]
    kubeconfig: str = ""
    context: str | None = None
    manifests: tuple[Path, ...] = ()
    watch_namespace: str = ""
    watch_namespace_selector: str = ""


class RoutingSettings(Struct, frozen=True, kw_only=True):
    """What decides which objects are ours and what is done where they say nothing."""

    ingress_class: str = "ingressd"
    controller_class: str = "ingressd.io/ingress-controller"
    watch_ingress_without_class: bool = False
    ingress_class_by_name: bool = False
    disable_catch_all: bool = False
    follow_external_names: bool = True
    allow_loopback_endpoints: bool = False
    default_backend_service: Key | None = None
    default_ssl_certificate: Key | None = None
    configmap: Key | None = None
    annotations_prefix: str = "nginx.ingress.kubernetes.io"
    enable_ssl_passthrough: bool = False


class StatusSettings(Struct, frozen=True, kw_only=True):
    """What is written back to the cluster, and by whom."""

    update_status: bool = True
    publish_service: Key | None = None
    publish_addresses: tuple[str, ...] = ()
    election_id: str = "ingressd-leader"


class LimitSettings(Struct, frozen=True, kw_only=True):
    """What one client may cost; sizes in bytes, times in seconds. ``proxy/limits.py`` has the reasons.

    ``max_connections`` is per worker, 0: what its descriptors allow. ``max_connections_per_client`` 0: no limit.
    """

    max_connections: int = 0
    max_connections_per_client: int = 0
    keep_alive_requests: int = 1000
    keep_alive_timeout_s: float = 75.0
    header_timeout_s: float = 60.0
    body_timeout_s: float = 60.0
    send_timeout_s: float = 60.0
    max_request_line_bytes: int = 8192
    max_header_bytes: int = 32768
    max_header_fields: int = 100
    max_body_bytes: int = 1 << 20
    reuse_for_all: bool = False  # kept endpoint connections also for what must not be sent twice


class Settings(Struct, frozen=True, kw_only=True):
    """Everything the daemon was told. Times in seconds; ``bind_address`` "" is every address of both families."""

    source: SourceSettings
    routing: RoutingSettings = RoutingSettings()
    status: StatusSettings = StatusSettings()
    limits: LimitSettings = LimitSettings()
    bind_address: str = ""
    http_port: int = 80
    https_port: int = 443
    admin_port: int = 10254
    admin_address: str = ""
    workers: int = 1
    shutdown_grace_s: float = 0.0
    drain_timeout_s: float = 30.0
    drain_timeout_was_given: bool = False  # then the ConfigMap has no say in it
    access_log: str = "-"
    metrics_names: Literal["ingressd", "nginx", "both"] = "ingressd"
    log_level: str = "info"
    log_format: str = "text"
    remarks: tuple[str, ...] = ()  # on the command line, for the log
