"""``ingressd check``: compile a source once, exactly as the daemon would, and say what is wrong and what changes."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Final

import orjson
from msgspec.structs import replace

from ingressd.errors import StartError, UsageError
from ingressd.kube.manifest_file import MAX_FILE_BYTES, duplicate, parse_manifest
from ingressd.kube.store import Store
from ingressd.model.cluster import ClusterState
from ingressd.model.finding import Finding
from ingressd.model.objects import IngressClass, Meta
from ingressd.routing.annotations import read_config_map
from ingressd.routing.compile import compile_routes
from ingressd.routing.migration import MigrationReport, migration_report
from ingressd.runtime import report
from ingressd.runtime.log_findings import log_findings
from ingressd.runtime.offline import fill
from ingressd.runtime.sources import route_defaults
from ingressd.settings import RoutingSettings, Settings, SourceSettings

CLEAN: Final = 0
ERRORS: Final = 1
UNUSABLE: Final = 2


def check(source: SourceSettings | None, routing: RoutingSettings, output: str, *, reads_input: bool = False) -> int:
    """Print the report; returns the exit code: ``CLEAN``, ``ERRORS`` when a finding is one, ``UNUSABLE`` input.

    ``reads_input``: manifests on standard input too; ``source`` may then be None.
    """
    store = Store()
    try:
        if source is not None:
            asyncio.run(fill(Settings(source=source, routing=routing), store))
        if reads_input:
            _take_input(store)
    except (StartError, UsageError) as error:
        print(f"ingressd: {error}", file=sys.stderr)  # noqa: T201
        return UNUSABLE
    cluster = store.freeze({})
    is_empty = _is_empty(cluster)
    found = store.findings()
    if source is None or source.kind == "manifests":
        cluster, assumed = _with_class(cluster, routing)
        found += assumed
    made = _report(cluster, routing, found)
    sys.stdout.write(_json(made) if output == "json" else report.text(made))
    if is_empty:
        print("ingressd: nothing that is served by an Ingress controller was found there", file=sys.stderr)  # noqa: T201
        return UNUSABLE
    return ERRORS if made.has_errors else CLEAN


def _json(made: MigrationReport) -> str:
    return orjson.dumps(report.as_json(made), option=orjson.OPT_INDENT_2).decode() + "\n"


def _report(cluster: ClusterState, routing: RoutingSettings, found: tuple[Finding, ...]) -> MigrationReport:
    now = time.time()
    compiled = compile_routes(cluster, route_defaults(routing, now), now=now)
    found += log_findings(compiled.snapshot.policies.log, routing.configmap)
    config_map = cluster.config_maps.get(routing.configmap) if routing.configmap else None
    if routing.configmap and config_map is None:
        found += (_no_config_map(*routing.configmap),)
    return migration_report(
        cluster,
        compiled,
        read_config_map(config_map),
        prefix=routing.annotations_prefix,
        config_map=config_map,
        more_findings=found,
    )


def _with_class(cluster: ClusterState, routing: RoutingSettings) -> tuple[ClusterState, tuple[Finding, ...]]:
    """Charts do not hold the IngressClass that their Ingresses name: the report goes on as if it were there.

    Otherwise a chart would come out clean because nothing of it was looked at.
    """
    name = routing.ingress_class
    is_named = any(ingress.class_name == name for ingress in cluster.ingresses.values())
    if not is_named or ("", name) in cluster.classes:
        return cluster, ()
    made = IngressClass(Meta(name=name), routing.controller_class)
    message = f"it is not in these manifests; the report is as if it were, with controller {routing.controller_class!r}"
    finding = Finding(kind="IngressClass", name=name, level="warning", reason="IngressClassNotFound", message=message)
    return replace(cluster, classes={**cluster.classes, ("", name): made}), (finding,)


def _no_config_map(namespace: str, name: str) -> Finding:
    message = "it does not exist: every setting has its built-in default"
    return Finding(
        kind="ConfigMap",
        namespace=namespace,
        name=name,
        level="error",
        reason="ConfigMapNotFound",
        field="--configmap",
        message=message,
    )


def _is_empty(cluster: ClusterState) -> bool:
    return not (cluster.ingresses or cluster.classes or cluster.services or cluster.secrets or cluster.config_maps)


def _take_input(store: Store) -> None:
    """Standard input never touches a disk: it may hold Secrets. Raises UsageError when it is too large."""
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"standard input is larger than {MAX_FILE_BYTES >> 20} MiB: give files instead")
    contents = parse_manifest(data, "-")
    findings = list(contents.findings)
    for (kind, key), obj in contents.objects.items():
        first = store.get(kind, key)
        if first is None:
            store.put(obj)
        else:
            findings.append(duplicate(obj, first))
    store.set_findings("standard input", findings)
