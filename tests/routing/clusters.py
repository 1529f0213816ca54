"""Small random clusters for property tests: few names, so that objects meet, and conflicts and gaps are common."""

from hypothesis import strategies as st
from msgspec.structs import replace

from ingressd.model.cluster import ClusterState
from ingressd.model.objects import (
    ClusterObject,
    EndpointPort,
    Ingress,
    IngressBackend,
    IngressPath,
    IngressRule,
    Service,
    ServicePort,
    SliceEndpoint,
)
from ingressd.routing.defaults import RouteDefaults
from tests.support.objects import cluster, endpoint_slice, external, ingress, ingress_class, service, tls

SERVICE_NAMES = ("s0", "s1", "s2")
NAMESPACES = st.sampled_from(["n0", "n1"])
NAMES = st.sampled_from(SERVICE_NAMES)
EXTERNAL = st.sampled_from(["x.example.com", "Y.example.com.", "localhost", "192.0.2.9"])
PORTS = st.sampled_from(
    [ServicePort("", 80), ServicePort("http", 80), ServicePort("http", 81), ServicePort("dns", 80, 0, "UDP")]
)

BACKENDS = st.builds(
    IngressBackend,
    service=st.one_of(NAMES, st.just("")),
    port_number=st.sampled_from([0, 80, 81]),
    port_name=st.sampled_from(["", "http"]),
    resource=st.sampled_from(["", "", "", "Bucket/x"]),
)
PATHS = st.builds(
    IngressPath,
    st.sampled_from(["/", "/a", "/a/", "/a/b", "", "x", "/a//b"]),
    st.sampled_from(["Exact", "Prefix", "ImplementationSpecific", "?"]),
    BACKENDS,
)
HOSTS = st.sampled_from(["", "a.com", "A.com", "b.a.com", "*.a.com", "1.2.3.4"])
RULES = st.builds(IngressRule, HOSTS, st.lists(PATHS, max_size=3).map(tuple))
# None that freezes: a last good version is what a memo may remember and a fresh start may not.
VALUES = {
    "use-regex": "true",
    "app-root": "/a",
    "ssl-redirect": "false",
    "canary": "true",
    "backend-protocol": "AUTO_HTTP",
    "default-backend": "s1",
    "auth-url": "http://auth.example.com/",
    "affinity": "cookie",
}
ANNOTATIONS = st.sets(st.sampled_from(sorted(VALUES)), max_size=3).map(
    lambda names: {f"nginx.ingress.kubernetes.io/{name}": VALUES[name] for name in names}
)
TLS = st.builds(tls, st.sampled_from(["", "t0"]), HOSTS)


@st.composite
def ingresses(draw: st.DrawFn) -> Ingress:
    made = ingress(
        draw(st.sampled_from(["i0", "i1", "i2", "i3"])),
        *draw(st.lists(RULES, max_size=3)),
        namespace=draw(NAMESPACES),
        created=draw(st.sampled_from([0.0, 1.0, 2.0])),
        class_name=draw(st.sampled_from(["ingressd", "ingressd", "ingressd", "other", None])),
        tls=draw(st.lists(TLS, max_size=1)),
        annotations=draw(ANNOTATIONS),
    )
    return Ingress(made.meta, made.class_name, made.rules, draw(st.none() | BACKENDS), made.tls)


@st.composite
def services(draw: st.DrawFn) -> Service:
    name, namespace = draw(NAMES), draw(NAMESPACES)
    if draw(st.booleans()) and draw(st.booleans()):
        return external(name, draw(EXTERNAL), *draw(st.lists(PORTS, max_size=1)), namespace=namespace)
    families = draw(st.sampled_from([(), ("IPv6", "IPv4")]))
    return service(name, *draw(st.lists(PORTS, max_size=2)), namespace=namespace, families=families)


ADDRESSES = {"IPv4": ["10.0.0.1", "10.0.0.2", "127.0.0.1"], "IPv6": ["fd00::1", "::1"], "FQDN": ["a.example.com"]}


@st.composite
def slices(draw: st.DrawFn) -> ClusterObject:
    family = draw(st.sampled_from(["IPv4", "IPv4", "IPv6", "FQDN"]))
    endpoint = st.builds(SliceEndpoint, st.sampled_from(ADDRESSES[family]), st.booleans(), st.booleans(), st.booleans())
    port = st.builds(EndpointPort, st.sampled_from(["", "http"]), st.sampled_from([0, 8080]))
    return endpoint_slice(
        draw(NAMES),
        *draw(st.lists(endpoint, max_size=3)),
        ports=draw(st.lists(port, min_size=1, max_size=2)),
        name=draw(st.sampled_from(["e0", "e1", "e2"])),
        namespace=draw(NAMESPACES),
        address_type=family,
    )


CLASSES = st.lists(st.builds(ingress_class, st.sampled_from(["ingressd", "other"])), max_size=2)
RESOLVED = st.dictionaries(
    st.sampled_from(["x.example.com", "y.example.com"]),
    st.sampled_from([(), ("192.0.2.1",), ("127.0.0.1", "2001:db8::1")]),
    max_size=2,
)
OBJECTS = st.builds(
    lambda *parts: [one for part in parts for one in part],
    st.lists(ingresses(), max_size=4),
    st.lists(services(), max_size=4),
    st.lists(slices(), max_size=4),
    CLASSES,
)
DEFAULTS = st.builds(
    RouteDefaults,
    watch_ingress_without_class=st.booleans(),
    disable_catch_all=st.booleans(),
    follow_external_names=st.booleans(),
    allow_loopback_endpoints=st.booleans(),
    default_backend_service=st.sampled_from([None, ("n0", "s0")]),
)


@st.composite
def clusters(draw: st.DrawFn) -> ClusterState:
    objects: list[ClusterObject] = draw(OBJECTS)
    by_identity = {(type(one), one.meta.namespace, one.meta.name): one for one in objects}
    return cluster(*by_identity.values(), resolved=draw(RESOLVED))


@st.composite
def shuffled(draw: st.DrawFn, state: ClusterState) -> ClusterState:
    """The same objects, seen in another order."""
    parts = ("ingresses", "classes", "services", "slices")
    return replace(state, **{part: dict(draw(st.permutations(list(getattr(state, part).items())))) for part in parts})


PARTS = st.sets(st.sampled_from(["ingresses", "classes", "services", "slices", "resolved"]))
BACKEND_PARTS = st.sets(st.sampled_from(["services", "slices", "resolved"]), min_size=1)


def with_parts_of(state: ClusterState, other: ClusterState, parts: set[str]) -> ClusterState:
    """``state`` with some maps of ``other``; the objects in the rest stay the very same ones."""
    return replace(state, **{part: getattr(other, part) for part in parts})
