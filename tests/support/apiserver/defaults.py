"""Values a real server fills in. Only those that clients of these kinds look at."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable

from tests.support.apiserver.errors import Json
from tests.support.apiserver.kinds import Kind

_FIRST_CLUSTER_IP = int(ipaddress.ip_address("10.96.0.10"))
_FIRST_NODE_PORT = 30_000


class Allocator:
    """Hands out cluster addresses and node ports. Nothing is ever given back; no test lives that long."""

    def __init__(self) -> None:
        self._addresses = 0
        self._ports = 0

    def cluster_ip(self) -> str:
        self._addresses += 1
        return str(ipaddress.ip_address(_FIRST_CLUSTER_IP + self._addresses))

    def node_port(self) -> int:
        self._ports += 1
        return _FIRST_NODE_PORT + self._ports % 2768


def fill_defaults(kind: Kind, obj: Json, allocator: Allocator) -> None:
    if fill := _DEFAULTS.get(kind.kind):
        fill(obj, allocator)


def initial_status(kind: Kind) -> Json | None:
    """The status a new object gets, whatever its creator wrote there. None: the creator's is kept."""
    statuses: dict[str, Json] = {
        "Service": {"loadBalancer": {}},
        "Ingress": {"loadBalancer": {}},
        "Namespace": {"phase": "Active"},
        "Pod": {"phase": "Pending", "qosClass": "BestEffort"},
    }
    return statuses.get(kind.kind)


def _service(obj: Json, allocator: Allocator) -> None:
    spec = obj.setdefault("spec", {})
    of_type = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if of_type != "ExternalName":
            port.setdefault("targetPort", port.get("port"))
        if of_type in ("NodePort", "LoadBalancer") and not port.get("nodePort"):
            port["nodePort"] = allocator.node_port()
    if of_type == "ExternalName":
        return
    if of_type == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if of_type != "ClusterIP":
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if not spec.get("clusterIP"):
        spec["clusterIP"] = allocator.cluster_ip()
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")


def _secret(obj: Json, _: Allocator) -> None:
    obj["type"] = obj.get("type") or "Opaque"
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        obj["data"] = (obj.get("data") or {}) | encoded


def _slice(obj: Json, _: Allocator) -> None:
    # Go writes an empty list that was never made as null, and clients meet exactly that.
    obj["endpoints"] = obj.get("endpoints") or None
    obj["ports"] = obj.get("ports") or None
    for port in obj["ports"] or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _namespace(obj: Json, _: Allocator) -> None:
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    metadata = obj["metadata"]
    metadata["labels"] = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata["name"]}


def _pod(obj: Json, _: Allocator) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    for container in spec.get("containers") or ():
        container.setdefault("imagePullPolicy", "IfNotPresent")
        for port in container.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _node(obj: Json, _: Allocator) -> None:
    obj.setdefault("spec", {})
    obj.setdefault("status", {})


def _ingress(obj: Json, _: Allocator) -> None:
    obj.setdefault("spec", {})


def _event(obj: Json, _: Allocator) -> None:
    obj.setdefault("type", "Normal")
    for field in ("source", "involvedObject"):
        obj.setdefault(field, {})
    for field in ("firstTimestamp", "lastTimestamp", "eventTime"):
        obj.setdefault(field, None)
    obj.setdefault("reportingComponent", "")
    obj.setdefault("reportingInstance", "")


_DEFAULTS: dict[str, Callable[[Json, Allocator], None]] = {
    "Service": _service,
    "Secret": _secret,
    "EndpointSlice": _slice,
    "Namespace": _namespace,
    "Pod": _pod,
    "Node": _node,
    "Ingress": _ingress,
    "Event": _event,
}
