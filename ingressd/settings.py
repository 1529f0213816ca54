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


class StatusSettings(Struct, frozen=True, kw_only=True):
    """What is written back to the cluster, and by whom."""

    update_status: bool = True
    publish_service: Key | None = None
    publish_addresses: tuple[str, ...] = ()
    election_id: str = "ingressd-leader"


class Settings(Struct, frozen=True, kw_only=True):
    """Everything the daemon was told. Times in seconds; ``bind_address`` "" is every address of both families."""

    source: SourceSettings
    routing: RoutingSettings = RoutingSettings()
    status: StatusSettings = StatusSettings()
    bind_address: str = ""
    http_port: int = 80
    https_port: int = 443
    admin_port: int = 10254
    admin_address: str = ""
    workers: int = 1
    shutdown_grace_s: float = 0.0
    drain_timeout_s: float = 30.0
    access_log: str = "-"
    log_level: str = "info"
    log_format: str = "text"
