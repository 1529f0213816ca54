"""EndpointSlices to endpoints: ports, conditions, families, external names."""

from collections.abc import Mapping

import pytest

from ingressd.model.objects import ClusterObject, EndpointPort, ServicePort, SliceEndpoint
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.endpoints import BuiltBackend, ServiceTarget, build_backend
from tests.support.objects import cluster, endpoint_slice, external, service

HTTP = ServicePort("http", 80)
METRICS = ServicePort("metrics", 9090)


def build(
    *objects: ClusterObject,
    port: int | str = 80,
    resolved: Mapping[str, tuple[str, ...]] | None = None,
    allow_loopback: bool = False,
    follow: bool = True,
) -> BuiltBackend:
    target = ServiceTarget("default", "web", *((port, "") if isinstance(port, int) else (0, port)))
    defaults = RouteDefaults(allow_loopback_endpoints=allow_loopback, follow_external_names=follow)
    return build_backend(target, cluster(*objects, resolved=resolved), defaults)


def found(built: BuiltBackend) -> list[str]:
    return [f"{endpoint.address}:{endpoint.port}" for endpoint in built.backend.endpoints]


def reasons(built: BuiltBackend) -> list[str]:
    return [problem.reason for problem in built.problems] + [finding.reason for finding in built.findings]


# ── ports ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_port_number_is_the_service_port_and_not_the_target_port() -> None:
    objects = service("web", ServicePort("", 80, 8080)), endpoint_slice("web", "10.0.0.1", ports=[8080])
    assert found(build(*objects, port=80)) == ["10.0.0.1:8080"]
    assert reasons(build(*objects, port=8080)) == ["PortNotFound"]


@pytest.mark.parametrize(("asked", "declared"), [(8080, 8080), ("web", "web")])
def test_a_target_port_is_taken_where_nginx_is_replaced_and_said(asked: int | str, declared: int | str) -> None:
    ports = ServicePort("other", 81, 9090), ServicePort("http", 80, declared)
    objects = service("web", *ports), endpoint_slice("web", "10.0.0.1", ports=[EndpointPort("http", 8080)])
    target = ServiceTarget("default", "web", *((asked, "") if isinstance(asked, int) else (0, asked)))
    built = build_backend(target, cluster(*objects), RouteDefaults(ingress_class="nginx"))
    assert found(built) == ["10.0.0.1:8080"]
    assert reasons(built) == ["TargetPortNamed"]
    assert built.problems[0].message.endswith("write http")


@pytest.mark.parametrize("port", [80, "http"])
def test_number_and_name_lead_to_the_slice_port_of_that_name(port: int | str) -> None:
    ports = [EndpointPort("metrics", 9100), EndpointPort("http", 8080)]
    built = build(service("web", METRICS, HTTP), endpoint_slice("web", "10.0.0.1", ports=ports), port=port)
    assert found(built) == ["10.0.0.1:8080"]
    assert built.backend.key == f"default/web:{port}"


def test_the_port_of_one_name_may_differ_per_slice() -> None:
    built = build(
        service("web", HTTP),
        endpoint_slice("web", "10.0.0.1", ports=[EndpointPort("http", 8080)], name="a"),
        endpoint_slice("web", "10.0.0.2", ports=[EndpointPort("http", 9090)], name="b"),
    )
    assert found(built) == ["10.0.0.1:8080", "10.0.0.2:9090"]


@pytest.mark.parametrize(
    "port",
    [
        EndpointPort("http", 0),
        EndpointPort("http", 8080, "UDP"),
        EndpointPort("other", 8080),
        EndpointPort("http", 70000),
    ],
    ids=["null", "UDP", "another name", "no port number"],
)
def test_ports_that_are_not_the_one(port: EndpointPort) -> None:
    assert reasons(build(service("web", HTTP), endpoint_slice("web", "10.0.0.1", ports=[port]))) == ["NoEndpoints"]


def test_a_udp_port_of_the_same_number_is_another_port() -> None:
    quic, tcp = ServicePort("quic", 443, 443, "UDP"), ServicePort("https", 443)
    ports = [EndpointPort("quic", 8443, "UDP"), EndpointPort("https", 8444)]
    slice_ = endpoint_slice("web", "10.0.0.1", ports=ports)
    assert found(build(service("web", quic, tcp), slice_, port=443)) == ["10.0.0.1:8444"]
    assert reasons(build(service("web", quic), slice_, port=443)) == ["PortNotFound"]


@pytest.mark.parametrize("port", [81, "https", ""])
def test_a_missing_port_is_said_with_what_there_is(port: int | str) -> None:
    built = build(service("web", HTTP, METRICS), endpoint_slice("web", "10.0.0.1"), port=port)
    assert found(built) == []
    assert [(p.level, p.reason) for p in built.problems] == [("error", "PortNotFound")]
    assert (str(port) or "no port") in built.problems[0].message


def test_a_missing_service() -> None:
    built = build()
    assert found(built) == []
    assert [(p.level, p.reason) for p in built.problems] == [("error", "ServiceNotFound")]


def test_the_first_port_of_a_default_backend() -> None:
    target = ServiceTarget("default", "web", first_port=True)
    state = cluster(
        service("web", ServicePort("dns", 53, 53, "UDP"), HTTP),
        endpoint_slice("web", "10.0.0.1", ports=[EndpointPort("http", 8080)]),
    )
    built = build_backend(target, state, RouteDefaults())
    assert (built.backend.key, found(built)) == ("default/web:*", ["10.0.0.1:8080"])


# ── slices ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_slices_are_joined_sorted_and_nobody_is_in_twice() -> None:
    built = build(
        service("web"),
        endpoint_slice("web", "10.0.0.3", "10.0.0.1", name="a"),
        endpoint_slice("web", "10.0.0.2", "10.0.0.3", name="b"),
    )
    assert found(built) == ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"]
    assert reasons(built) == []


READY = SliceEndpoint("10.0.0.1")
STARTING = SliceEndpoint("10.0.0.2", ready=False, serving=False)
LEAVING = SliceEndpoint("10.0.0.3", ready=False, serving=True, terminating=True)
GONE = SliceEndpoint("10.0.0.4", ready=False, serving=False, terminating=True)
UNREADY = SliceEndpoint("10.0.0.5", ready=False, serving=True)
PUBLISHED = SliceEndpoint("10.0.0.6", ready=True, serving=False, terminating=True)


@pytest.mark.parametrize(
    ("endpoints", "chosen"),
    [
        ([READY, STARTING, LEAVING, GONE, UNREADY], ["10.0.0.1:8080"]),
        ([STARTING, LEAVING, GONE, UNREADY], ["10.0.0.3:8080"]),
        ([STARTING, GONE, UNREADY], []),
        ([PUBLISHED, LEAVING], ["10.0.0.6:8080"]),
    ],
    ids=["ready ones only", "none ready: those that still serve", "nobody", "publishNotReadyAddresses"],
)
def test_conditions(endpoints: list[SliceEndpoint], chosen: list[str]) -> None:
    built = build(service("web"), endpoint_slice("web", *endpoints))
    assert found(built) == chosen
    assert reasons(built) == ([] if chosen else ["NoEndpoints"])


def test_ready_in_one_slice_is_ready() -> None:
    """While an endpoint moves from slice to slice it is in two, perhaps with different conditions."""
    built = build(
        service("web"),
        endpoint_slice("web", SliceEndpoint("10.0.0.1", ready=False), name="a"),
        endpoint_slice("web", SliceEndpoint("10.0.0.1"), name="b"),
    )
    assert found(built) == ["10.0.0.1:8080"]


V4 = endpoint_slice("web", "10.0.0.1", name="v4")
V6 = endpoint_slice("web", "fd00::1", name="v6", address_type="IPv6")
V4_LEAVING = endpoint_slice("web", LEAVING, name="v4")


@pytest.mark.parametrize(
    ("families", "slices", "chosen"),
    [
        (["IPv4", "IPv6"], [V6, V4], ["10.0.0.1:8080"]),
        (["IPv6", "IPv4"], [V4, V6], ["fd00::1:8080"]),
        (["IPv6"], [V4], ["10.0.0.1:8080"]),
        ([], [V6, V4], ["10.0.0.1:8080"]),
        ([], [V6], ["fd00::1:8080"]),
        (["IPv4", "IPv6"], [V4_LEAVING, V6], ["fd00::1:8080"]),
        (["IPv9"], [V4, V6], ["10.0.0.1:8080"]),
    ],
    ids=[
        "first family",
        "first family is IPv6",
        "the other if empty",
        "unsaid: IPv4",
        "unsaid: IPv6 only",
        "ready before first family",
        "a family of the future",
    ],
)
def test_dual_stack(families: list[str], slices: list[ClusterObject], chosen: list[str]) -> None:
    assert found(build(service("web", families=families), *slices)) == chosen


def test_a_slice_of_names_is_skipped_with_a_finding() -> None:
    names = endpoint_slice("web", "a.example.com", name="names", address_type="FQDN")
    built = build(service("web"), names, V4)
    assert found(built) == ["10.0.0.1:8080"]
    assert [(f.kind, f.name, f.reason) for f in built.findings] == [
        ("EndpointSlice", "names", "UnsupportedAddressType")
    ]


def test_a_bad_address_hurts_only_itself() -> None:
    built = build(service("web"), endpoint_slice("web", "127.0.0.1", "10.0.0.1", "169.254.169.254"))
    assert found(built) == ["10.0.0.1:8080"]
    [finding] = built.findings
    assert (finding.level, finding.reason, finding.field) == ("error", "AddressRefused", "endpoints")
    assert "127.0.0.1" in finding.message
    assert "2 endpoints" in finding.message


def test_loopback_may_be_allowed() -> None:
    built = build(service("web"), endpoint_slice("web", "127.0.0.1", "169.254.169.254"), allow_loopback=True)
    assert found(built) == ["127.0.0.1:8080"]


def test_app_protocol_of_the_service_then_of_the_slice() -> None:
    ports = [EndpointPort("http", 8080, "TCP", "kubernetes.io/ws")]
    slice_ = endpoint_slice("web", "10.0.0.1", ports=ports)
    assert build(service("web", HTTP), slice_).backend.app_protocol == "kubernetes.io/ws"
    own = ServicePort("http", 80, 0, "TCP", "kubernetes.io/h2c")
    assert build(service("web", own), slice_).backend.app_protocol == "kubernetes.io/h2c"


# ── ExternalName ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_external_name_uses_the_service_port_on_what_it_resolves_to() -> None:
    objects = [external("web", "API.example.com.", ServicePort("http", 80, 8080))]
    resolved = {"api.example.com": ("192.0.2.2", "192.0.2.1", "192.0.2.1")}
    for port in (80, "http"):
        built = build(*objects, port=port, resolved=resolved)
        assert found(built) == ["192.0.2.1:80", "192.0.2.2:80"]
        assert built.external_name == "api.example.com"
        assert reasons(built) == []


def test_external_name_without_ports_takes_the_number_of_the_ingress() -> None:
    resolved = {"api.example.com": ("192.0.2.1",)}
    assert found(build(external("web", "api.example.com"), port=8443, resolved=resolved)) == ["192.0.2.1:8443"]
    assert reasons(build(external("web", "api.example.com"), port="http", resolved=resolved)) == ["PortNotFound"]


def test_external_name_of_one_family() -> None:
    resolved = {"api.example.com": ("2001:db8::1", "192.0.2.1")}
    assert found(build(external("web", "api.example.com"), resolved=resolved)) == ["192.0.2.1:80"]
    assert found(build(external("web", "v6.example.com"), resolved={"v6.example.com": ("2001:db8::1",)})) == [
        "2001:db8::1:80"
    ]


def test_external_name_not_resolved_yet_and_not_to_be_resolved() -> None:
    yet = build(external("web", "api.example.com"))
    assert (found(yet), reasons(yet), yet.external_name) == ([], [], "api.example.com")
    never = build(external("web", "api.example.com"), resolved={"api.example.com": ()})
    assert (found(never), reasons(never), never.external_name) == ([], ["ExternalNameUnresolved"], "api.example.com")


def test_external_name_that_is_an_address() -> None:
    built = build(external("web", "192.0.2.7"))
    assert (found(built), built.external_name) == (["192.0.2.7:80"], "")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "169.254.169.254", "not a name", ""])
def test_external_names_that_are_never_followed(name: str) -> None:
    built = build(external("web", name), allow_loopback=True)
    assert (found(built), reasons(built), built.external_name) == ([], ["ExternalNameRefused"], "")


def test_answers_that_are_never_followed() -> None:
    """Whoever owns the name decides what it resolves to: the proxy's own loopback is not for them, by any flag."""
    resolved = {"evil.example.com": ("127.0.0.1", "169.254.169.254", "fe80::1", "192.0.2.1")}
    built = build(external("web", "evil.example.com"), resolved=resolved, allow_loopback=True)
    assert found(built) == ["192.0.2.1:80"]
    assert reasons(built) == ["ExternalNameRefused"]


def test_external_names_may_be_disabled() -> None:
    built = build(external("web", "api.example.com"), resolved={"api.example.com": ("192.0.2.1",)}, follow=False)
    assert (found(built), reasons(built), built.external_name) == ([], ["ExternalNameDisabled"], "")
