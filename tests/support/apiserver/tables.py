"""The columns `kubectl get` prints. Cells are computed by the server; without them kubectl shows NAME and AGE only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.support.apiserver.errors import Json
from tests.support.apiserver.kinds import Kind

Cell = Callable[[Json, datetime], Any]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    cell: Cell
    type: str = "string"
    wide: bool = False

    def as_json(self) -> Json:
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": self.name,
            # Columns with a priority appear only in wide output.
            "priority": 1 if self.wide else 0,
        }


def column_definitions(kind: Kind) -> list[Json]:
    return [column.as_json() for column in _columns(kind)]


def table_row(kind: Kind, obj: Json, now: datetime) -> list[Any]:
    return [column.cell(obj, now) for column in _columns(kind)]


def _columns(kind: Kind) -> tuple[Column, ...]:
    return _COLUMNS.get(kind.kind, (NAME, AGE))


def _age(stamp: str | None, now: datetime) -> str:
    if not stamp:
        return "<unknown>"
    seconds = max(int((now - datetime.fromisoformat(stamp)).total_seconds()), 0)
    for unit, length, from_count in (("d", 86_400, 2), ("h", 3_600, 2), ("m", 60, 2)):
        if seconds >= length * from_count:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _field(*path: str, missing: Any = "<none>") -> Cell:
    def cell(obj: Json, _: datetime) -> Any:
        value: Any = obj
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return missing if value in (None, "") else value

    return cell


def _count(*fields: str) -> Cell:
    return lambda obj, _: sum(len(obj.get(field) or ()) for field in fields)


def _joined(values: Iterable[Any], missing: str = "<none>") -> str:
    return ",".join(str(value) for value in values) or missing


def _shortened(values: list[str], keep: int = 3) -> str:
    more = f" + {len(values) - keep} more..." if len(values) > keep else ""
    return (_joined(values[:keep]) + more) if values else "<none>"


def _load_balancer(obj: Json, _: datetime) -> str:
    entries = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return _joined((entry.get("ip") or entry.get("hostname") or "" for entry in entries), "")


def _external_ip(obj: Json, now: datetime) -> str:
    spec = obj["spec"]
    if spec["type"] == "ExternalName":
        return str(spec.get("externalName", ""))
    listed = _joined([*(_load_balancer(obj, now).split(",")), *(spec.get("externalIPs") or ())], "").strip(",")
    return listed or ("<pending>" if spec["type"] == "LoadBalancer" else "<none>")


def _service_ports(obj: Json, _: datetime) -> str:
    ports = obj["spec"].get("ports") or ()
    return _joined(
        f"{port['port']}:{port['nodePort']}/{port['protocol']}"
        if port.get("nodePort")
        else f"{port['port']}/{port['protocol']}"
        for port in ports
    )


def _selector(obj: Json, _: datetime) -> str:
    return _joined(f"{key}={value}" for key, value in sorted((obj["spec"].get("selector") or {}).items()))


def _hosts(obj: Json, _: datetime) -> str:
    hosts = [rule["host"] for rule in obj["spec"].get("rules") or () if rule.get("host")]
    return _shortened(hosts) if hosts else "*"


def _ingress_ports(obj: Json, _: datetime) -> str:
    return "80, 443" if obj["spec"].get("tls") else "80"


def _parameters(obj: Json, _: datetime) -> str:
    parameters = obj["spec"].get("parameters")
    if not parameters:
        return "<none>"
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
    return f"{parameters['kind']}{group}/{parameters['name']}"


def _slice_ports(obj: Json, _: datetime) -> str:
    if obj.get("ports") is None:
        return "<unset>"
    return _shortened([str(port.get("port", "*")) for port in obj["ports"]])


def _slice_endpoints(obj: Json, _: datetime) -> str:
    endpoints = obj.get("endpoints")
    if endpoints is None:
        return "<unset>"
    return _shortened([address for endpoint in endpoints for address in endpoint["addresses"]])


def _endpoints(obj: Json, _: datetime) -> str:
    found = []
    for subset in obj.get("subsets") or ():
        ports = subset.get("ports") or [{}]
        for address in subset.get("addresses") or ():
            found += [f"{address['ip']}:{port['port']}" if "port" in port else address["ip"] for port in ports]
    return _shortened(found)


def _node_status(obj: Json, _: datetime) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    ready = next((entry["status"] for entry in conditions if entry.get("type") == "Ready"), "Unknown")
    text = {"True": "Ready", "False": "NotReady"}.get(ready, "Unknown")
    return f"{text},SchedulingDisabled" if obj["spec"].get("unschedulable") else text


def _node_roles(obj: Json, _: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return _joined(sorted(label.removeprefix(prefix) for label in labels if label.startswith(prefix)))


def _pod_ready(obj: Json, _: datetime) -> str:
    statuses = obj["status"].get("containerStatuses") or ()
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(obj['spec'].get('containers') or ())}"


def _pod_restarts(obj: Json, _: datetime) -> str:
    return str(sum(s.get("restartCount", 0) for s in obj["status"].get("containerStatuses") or ()))


def _pod_status(obj: Json, _: datetime) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else str(obj["status"].get("phase", "Unknown"))


def _last_seen(obj: Json, now: datetime) -> str:
    stamps = (obj.get("lastTimestamp"), obj.get("eventTime"), obj.get("firstTimestamp"))
    return _age(next(filter(None, stamps), None), now)


def _event_object(obj: Json, _: datetime) -> str:
    about = obj["involvedObject"]
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


NAME = Column("Name", _field("metadata", "name"))
AGE = Column("Age", lambda obj, now: _age(obj["metadata"].get("creationTimestamp"), now))
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "Service": (
        NAME,
        Column("Type", _field("spec", "type")),
        Column("Cluster-IP", _field("spec", "clusterIP")),
        Column("External-IP", _external_ip),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", _selector, wide=True),
    ),
    "Ingress": (
        NAME,
        Column("Class", _field("spec", "ingressClassName")),
        Column("Hosts", _hosts),
        Column("Address", _load_balancer),
        Column("Ports", _ingress_ports),
        AGE,
    ),
    "IngressClass": (NAME, Column("Controller", _field("spec", "controller")), Column("Parameters", _parameters), AGE),
    "Secret": (NAME, Column("Type", _field("type")), Column("Data", _count("data"), "integer"), AGE),
    "ConfigMap": (NAME, Column("Data", _count("data", "binaryData"), "integer"), AGE),
    "Namespace": (NAME, Column("Status", _field("status", "phase")), AGE),
    "Node": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        Column("Version", _field("status", "nodeInfo", "kubeletVersion", missing="")),
    ),
    "Event": (
        Column("Last Seen", _last_seen),
        Column("Type", _field("type")),
        Column("Reason", _field("reason", missing="")),
        Column("Object", _event_object),
        Column("Message", _field("message", missing="")),
        Column("Name", _field("metadata", "name"), wide=True),
    ),
    "Endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "EndpointSlice": (
        NAME,
        Column("AddressType", _field("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "Pod": (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _pod_restarts),
        AGE,
        Column("IP", _field("status", "podIP"), wide=True),
        Column("Node", _field("spec", "nodeName"), wide=True),
    ),
    "Lease": (NAME, Column("Holder", _field("spec", "holderIdentity", missing="")), AGE),
}
