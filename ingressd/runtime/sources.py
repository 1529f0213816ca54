"""Settings to a source of configuration: the one place that knows which there are."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

from ingressd.errors import StartError
from ingressd.kube.client import KubeClient, KubeError
from ingressd.kube.credentials import CredentialError
from ingressd.kube.manifests import ManifestSource
from ingressd.kube.observer import WatchObserver
from ingressd.kube.store import Store
from ingressd.kube.watch import ClusterSource
from ingressd.model.objects import ClusterObject, EndpointSlice
from ingressd.routing.compile import RouteDefaults
from ingressd.routing.snapshot import CertificatePair
from ingressd.settings import Key, RoutingSettings, Settings
from ingressd.tls.certificate import self_signed

log = logging.getLogger(__name__)


class Source(Protocol):
    """Keeps a Store up to date for as long as it runs."""

    async def run(self, store: Store) -> None: ...
    async def synced(self) -> None: ...
    @property
    def is_synced(self) -> bool: ...
    def want(self, config_maps: Iterable[Key]) -> None: ...
    async def named(self) -> None: ...
    def describe(self) -> str: ...


@asynccontextmanager
async def open_source(settings: Settings, observer: WatchObserver) -> AsyncIterator[tuple[Source, KubeClient | None]]:
    """The source, and the client of its cluster when it has one.

    Raises:
        StartError: the kubeconfig or service account is unusable.
    """
    source = settings.source
    if source.kind == "manifests":
        yield ManifestSource(source.manifests, is_watched=_watched(settings)), None
        return
    client = (
        KubeClient.in_cluster()
        if source.kind == "in-cluster"
        else KubeClient.from_kubeconfig(source.kubeconfig or None, source.context)
    )
    async with client:
        await _check(client)
        yield (
            ClusterSource(
                client,
                namespaces=[source.watch_namespace] if source.watch_namespace else [],
                namespace_selector=source.watch_namespace_selector,
                wanted=_wanted(settings),
                observer=observer,
            ),
            client,
        )


async def _check(client: KubeClient) -> None:
    """Credentials that cannot work end the start; a cluster that does not answer yet does not."""
    try:
        await client.check()
    except CredentialError as error:
        raise StartError(str(error)) from None
    except KubeError as error:
        log.warning("the cluster does not answer yet: %s; trying on", error)


def _wanted(settings: Settings) -> list[tuple[str, Key]]:
    """Single objects that flags name, whatever namespaces are watched."""
    wanted: list[tuple[str, Key]] = []
    if (backend := settings.routing.default_backend_service) is not None:
        wanted += [("Service", backend), ("EndpointSlice", backend)]
    if (certificate := settings.routing.default_ssl_certificate) is not None:
        wanted.append(("Secret", certificate))
    if (config_map := settings.routing.configmap) is not None:
        wanted.append(("ConfigMap", config_map))
    if (published := settings.status.publish_service) is not None:
        wanted.append(("Service", published))
    return wanted


def _watched(settings: Settings) -> Callable[[ClusterObject], bool]:
    """What ``--watch-namespace`` leaves of manifests: as of a cluster, and what flags name besides."""
    watched, wanted = settings.source.watch_namespace, frozenset(_wanted(settings))

    def is_watched(obj: ClusterObject) -> bool:
        namespace = obj.meta.namespace
        name = obj.service if isinstance(obj, EndpointSlice) else obj.meta.name
        return namespace in ("", watched) or (type(obj).__name__, (namespace, name)) in wanted

    return is_watched if watched else lambda _: True


def route_defaults(
    settings: RoutingSettings, now: float, *, max_body_bytes: int = 1 << 20, https_port: int = 443
) -> RouteDefaults:
    """What compile is told besides the cluster. Makes the self-signed certificate, anew at each start."""
    made = self_signed(("ingress.local",), now=now)
    return RouteDefaults(
        ingress_class=settings.ingress_class,
        controller_class=settings.controller_class,
        watch_ingress_without_class=settings.watch_ingress_without_class,
        ingress_class_by_name=settings.ingress_class_by_name,
        disable_catch_all=settings.disable_catch_all,
        follow_external_names=settings.follow_external_names,
        allow_loopback_endpoints=settings.allow_loopback_endpoints,
        default_backend_service=settings.default_backend_service,
        default_ssl_certificate=settings.default_ssl_certificate,
        max_body_bytes=max_body_bytes,
        config_map=settings.configmap,
        annotations_prefix=settings.annotations_prefix,
        ssl_passthrough=settings.enable_ssl_passthrough,
        https_port=https_port,
        self_signed=CertificatePair("self-signed", made.chain_pem, made.key_pem, made.not_after, made.names),
    )
