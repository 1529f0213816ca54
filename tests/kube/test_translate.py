"""What absence means, field by field, and what makes an object unusable."""

import base64
from typing import Any

import msgspec
import pytest

from ingressd.kube.kinds import KINDS
from ingressd.kube.translate import UnusableError, epoch_seconds, meta, translate
from ingressd.model.objects import (
    ConfigMap,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    IngressTls,
    Meta,
    Namespace,
    Secret,
    Service,
    ServicePort,
    SliceEndpoint,
)

IDENTITY = Meta(namespace="shop", name="web")


def translated(kind: str, **document: Any) -> Any:
    wired = msgspec.convert({"metadata": {"namespace": "shop", "name": "web"}, **document}, KINDS[kind].wire)
    return translate(wired, meta(wired.metadata))


BACKEND = {"service": {"name": "api", "port": {"number": 80}}}

CASES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "Ingress, full": (
        "Ingress",
        {
            "spec": {
                "ingressClassName": "ingressd",
                "defaultBackend": {"service": {"name": "rest", "port": {"name": "http"}}},
                "tls": [{"hosts": ["a.example", "b.example"], "secretName": "pair"}, {}],
                "rules": [
                    {"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}},
                    {"host": "b.example"},
                ],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}, {"hostname": "lb.example"}]}},
        },
        Ingress(
            IDENTITY,
            class_name="ingressd",
            default_backend=IngressBackend("rest", 0, "http"),
            tls=(IngressTls(("a.example", "b.example"), "pair"), IngressTls()),
            rules=(
                IngressRule("a.example", (IngressPath("/", "Prefix", IngressBackend("api", 80)),)),
                IngressRule("b.example"),
            ),
            load_balancer=("192.0.2.9", "lb.example"),
        ),
    ),
    "Ingress, nulls": (
        "Ingress",
        {
            "spec": {
                "ingressClassName": None,
                "defaultBackend": None,
                "tls": [None, {"hosts": None, "secretName": None}, {"hosts": [None, "a.example"]}],
                "rules": [
                    None,
                    {"host": None, "http": None},
                    {"http": {"paths": None}},
                    {"http": {"paths": [None, {"path": None, "pathType": None, "backend": None}]}},
                    {"http": {"paths": [{"backend": {"service": {"name": None, "port": None}, "resource": None}}]}},
                ],
            },
            "status": {"loadBalancer": {"ingress": None}},
        },
        Ingress(
            IDENTITY,
            tls=(IngressTls(), IngressTls(), IngressTls(("", "a.example"))),
            rules=(
                IngressRule(),
                IngressRule(),
                IngressRule(),
                IngressRule("", (IngressPath("", "", IngressBackend()), IngressPath("", "", IngressBackend()))),
                IngressRule("", (IngressPath("", "", IngressBackend()),)),
            ),
        ),
    ),
    "Ingress, resource backend": (
        "Ingress",
        {"spec": {"defaultBackend": {"resource": {"apiGroup": "k8s.example", "kind": "Bucket", "name": "icons"}}}},
        Ingress(IDENTITY, default_backend=IngressBackend(resource="Bucket/icons")),
    ),
    "Ingress, empty": ("Ingress", {}, Ingress(IDENTITY)),
    "Ingress, status null": ("Ingress", {"spec": None, "status": None}, Ingress(IDENTITY)),
    "IngressClass": (
        "IngressClass",
        {"spec": {"controller": "ingressd.io/ingress-controller", "parameters": {"kind": "Settings", "name": "x"}}},
        IngressClass(IDENTITY, "ingressd.io/ingress-controller", "Settings/x"),
    ),
    "IngressClass, null": ("IngressClass", {"spec": None}, IngressClass(IDENTITY)),
    "Service, full": (
        "Service",
        {
            "spec": {
                "type": "LoadBalancer",
                "clusterIP": "10.0.0.1",
                "externalIPs": ["192.0.2.1", None],
                "ipFamilies": ["IPv6", "IPv4"],
                "trafficDistribution": "PreferClose",
                "ports": [
                    {"name": "http", "port": 80, "targetPort": "web", "appProtocol": "http"},
                    {"port": 53, "targetPort": 5353, "protocol": "UDP"},
                    None,
                ],
            },
            "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}, None, {"ip": "192.0.2.9"}, {}]}},
        },
        Service(
            IDENTITY,
            type="LoadBalancer",
            cluster_ip="10.0.0.1",
            external_ips=("192.0.2.1",),
            ip_families=("IPv6", "IPv4"),
            traffic_distribution="PreferClose",
            ports=(ServicePort("http", 80, "web", "TCP", "http"), ServicePort("", 53, 5353, "UDP")),
            load_balancer=("lb.example", "192.0.2.9"),
        ),
    ),
    "Service, ExternalName": (
        "Service",
        {"spec": {"type": "ExternalName", "externalName": "api.example", "ports": None}},
        Service(IDENTITY, type="ExternalName", external_name="api.example"),
    ),
    "Service, headless": ("Service", {"spec": {"clusterIP": "None"}}, Service(IDENTITY, cluster_ip="None")),
    "EndpointSlice, nil conditions": (
        "EndpointSlice",
        {
            "metadata": {"namespace": "shop", "name": "web", "labels": {"kubernetes.io/service-name": "api"}},
            "addressType": "IPv6",
            "ports": [{"name": None, "port": None, "protocol": None, "appProtocol": None}, {"name": "h2", "port": 1}],
            "endpoints": [
                {"addresses": ["2001:db8::1", "2001:db8::2"]},
                {"addresses": ["2001:db8::3"], "conditions": {}},
                {"addresses": ["2001:db8::4"], "conditions": {"ready": None, "serving": None, "terminating": None}},
            ],
        },
        EndpointSlice(
            Meta(namespace="shop", name="web", labels={"kubernetes.io/service-name": "api"}),
            service="api",
            address_type="IPv6",
            ports=(EndpointPort(), EndpointPort("h2", 1)),
            endpoints=(SliceEndpoint("2001:db8::1"), SliceEndpoint("2001:db8::3"), SliceEndpoint("2001:db8::4")),
        ),
    ),
    "EndpointSlice, conditions": (
        "EndpointSlice",
        {
            "endpoints": [
                {"addresses": ["192.0.2.1"], "conditions": {"ready": False, "serving": True, "terminating": True}},
                {"addresses": ["192.0.2.2"], "conditions": {"ready": False, "serving": False}, "nodeName": "n"},
                {"addresses": ["192.0.2.3"], "zone": "a", "hints": {"forZones": [{"name": "a"}, None, {"name": "b"}]}},
            ]
        },
        EndpointSlice(
            IDENTITY,
            endpoints=(
                SliceEndpoint("192.0.2.1", ready=False, terminating=True),
                SliceEndpoint("192.0.2.2", ready=False, serving=False, node="n"),
                SliceEndpoint("192.0.2.3", zone="a", for_zones=("a", "b")),
            ),
        ),
    ),
    "EndpointSlice, nothing to send to": (
        "EndpointSlice",
        {"endpoints": [None, {}, {"addresses": None}, {"addresses": []}, {"addresses": [None]}, {"addresses": [""]}]},
        EndpointSlice(IDENTITY),
    ),
    "EndpointSlice, null": ("EndpointSlice", {"endpoints": None, "ports": None}, EndpointSlice(IDENTITY)),
    "Secret": (
        "Secret",
        {"type": "kubernetes.io/tls", "data": {"tls.crt": base64.b64encode(b"\x00pem").decode(), "empty": None}},
        Secret(IDENTITY, "kubernetes.io/tls", {"tls.crt": b"\x00pem", "empty": b""}),
    ),
    "Secret, line breaks in base64": (
        "Secret",
        {"data": {"k": "cGx1\ncw==\r\n"}},
        Secret(IDENTITY, data={"k": b"plus"}),
    ),
    "Secret, stringData wins": (
        "Secret",
        {"data": {"a": "b2xk", "b": "b2xk"}, "stringData": {"a": "neu", "c": None}},
        Secret(IDENTITY, data={"a": b"neu", "b": b"old", "c": b""}),
    ),
    "ConfigMap": ("ConfigMap", {"data": {"a": "1", "b": None}}, ConfigMap(IDENTITY, {"a": "1", "b": ""})),
    "ConfigMap, null": ("ConfigMap", {"data": None}, ConfigMap(IDENTITY)),
    "Namespace": ("Namespace", {}, Namespace(IDENTITY)),
}


@pytest.mark.parametrize("case", CASES)
def test_translation(case: str) -> None:
    kind, document, expected = CASES[case]
    assert translated(kind, **document) == expected


@pytest.mark.parametrize("data", ["not base64!", "YQ", "YQ=", "YQ==YQ==", "YQ\x00=="])
def test_bad_base64_makes_a_secret_unusable_without_showing_it(data: str) -> None:
    with pytest.raises(UnusableError) as caught:
        translated("Secret", data={"good": "YQ==", "tls.key": data})
    assert (caught.value.reason, caught.value.field) == ("BadBase64", "data[tls.key]")
    assert data not in str(caught.value)


def test_secret_has_no_value_in_its_repr() -> None:
    assert "hush" not in repr(translated("Secret", stringData={"password": "hush"}))


@pytest.mark.parametrize("metadata", [None, {}, {"name": None}, {"name": ""}])
def test_without_a_name_there_is_no_object(metadata: Any) -> None:
    wired = msgspec.convert({"metadata": metadata}, KINDS["Service"].wire)
    with pytest.raises(UnusableError) as caught:
        meta(wired.metadata)
    assert caught.value.field == "metadata.name"


def test_meta_reads_what_is_there_and_fills_the_rest() -> None:
    document = {
        "name": "web",
        "uid": "u-1",
        "resourceVersion": "77",
        "generation": 3,
        "creationTimestamp": "2026-02-03T04:05:06Z",
        "labels": {"a": "b", "none": None},
        "annotations": {"x": "y", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    wired = msgspec.convert({"metadata": document}, KINDS["Service"].wire).metadata
    assert meta(wired, namespace="default", resource_version="hash", source="a.yaml#1") == Meta(
        namespace="default",
        name="web",
        uid="u-1",
        resource_version="77",
        generation=3,
        created=1770091506.0,
        labels={"a": "b", "none": ""},
        annotations={"x": "y"},
        source="a.yaml#1",
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0.0),
        ("", 0.0),
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T01:00:10+01:00", 10.0),
        ("1970-01-01T00:00:10.500000Z", 10.5),
        ("1970-01-01T00:00:10", None),
        ("1970-01-01", None),
        ("yesterday", None),
        ("2026-13-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
    ],
)
def test_time(text: str | None, seconds: float | None) -> None:
    assert epoch_seconds(text) == seconds
