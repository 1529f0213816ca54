"""What compiling 10,000 Ingresses costs. Claims: under 2 s from nothing, under 0.25 s after one change, under 2 ms for
the endpoints of one Service.

    python -m benchmarks.compile [--ingresses 10000] [--secrets 200] [--annotations 5]

Each Ingress has one host with two paths to its own Service, which has one slice of three endpoints, and up to five
annotations.
"""

import argparse
import gc
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from ingressd.kube.store import Store, key_of
from ingressd.model.cluster import ClusterState, Key
from ingressd.model.objects import (
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    IngressTls,
    Meta,
    Secret,
    Service,
    ServicePort,
    SliceEndpoint,
)
from ingressd.routing.compile import Compiled, CompileMemo, RouteDefaults, compile_routes, refresh_endpoints
from ingressd.routing.delta import apply_delta, difference
from ingressd.routing.snapshot import CertificatePair
from ingressd.runtime.control import GC_THRESHOLDS
from ingressd.tls.certificate import CheckedPair, self_signed

NAMESPACE = "default"
NOW = 1_800_000_000.0


@dataclass
class Farm:
    """Objects by kind, and the store that freezes them as the daemon's does."""

    ingresses: dict[Key, Ingress] = field(default_factory=dict)
    services: dict[Key, Service] = field(default_factory=dict)
    slices: dict[Key, tuple[EndpointSlice, ...]] = field(default_factory=dict)
    secrets: dict[Key, Secret] = field(default_factory=dict)
    store: Store = field(default_factory=Store)

    def __post_init__(self) -> None:
        self.store.put(IngressClass(Meta(name="ingressd"), "ingressd.io/ingress-controller"))

    def put(self, obj: Ingress | Service | EndpointSlice | Secret) -> None:
        key = key_of(obj)
        match obj:
            case Ingress():
                self.ingresses[key] = obj
            case Service():
                self.services[key] = obj
            case EndpointSlice():
                self.slices[key[0], obj.service] = (obj,)
            case Secret():
                self.secrets[key] = obj
        self.store.put(obj)

    def freeze(self) -> ClusterState:
        return self.store.freeze({})


def meta(name: str) -> Meta:
    return Meta(namespace=NAMESPACE, name=name, uid=name, created=NOW)


_PREFIX = "nginx.ingress.kubernetes.io"


def annotations(number: int, count: int) -> dict[str, str]:
    """The first ``count`` of five frequent ones; values repeat as they do in clusters, but for the target's."""
    frequent = {
        "proxy-body-size": "8m",
        "proxy-read-timeout": "300",
        "ssl-redirect": "false",
        "rewrite-target": f"/app-{number}/",
        "whitelist-source-range": "10.0.0.0/8,192.168.0.0/16",
    }
    return {f"{_PREFIX}/{name}": text for name, text in list(frequent.items())[:count]}


def ingress(number: int, secrets: int, paths: tuple[str, ...] = ("/", "/api"), annotated: int = 0) -> Ingress:
    host, service = f"host-{number}.example.com", f"service-{number}"
    declared = tuple(IngressPath(path, "Prefix", IngressBackend(service, 80)) for path in paths)
    tls = (IngressTls((host,), f"secret-{number % secrets}"),) if secrets else ()
    named = msgspec.structs.replace(meta(f"ingress-{number}"), annotations=annotations(number, annotated))
    return Ingress(named, "ingressd", (IngressRule(host, declared),), tls=tls)


def endpoint_slice(number: int, last: int = 3) -> EndpointSlice:
    addresses = tuple(SliceEndpoint(f"10.{number >> 8 & 255}.{number & 255}.{host}") for host in (1, 2, last))
    return EndpointSlice(
        meta(f"service-{number}-abcde"), f"service-{number}", "IPv4", (EndpointPort("", 8080),), addresses
    )


def secret(number: int, pair: CheckedPair) -> Secret:
    return Secret(meta(f"secret-{number}"), "kubernetes.io/tls", {"tls.crt": pair.chain_pem, "tls.key": pair.key_pem})


def build(count: int, secrets: int, annotated: int = 0) -> Farm:
    farm = Farm()
    for number in range(count):
        farm.put(ingress(number, secrets, annotated=annotated))
        farm.put(Service(meta(f"service-{number}"), ports=(ServicePort("", 80, 8080),)))
        farm.put(endpoint_slice(number))
    for number in range(secrets):
        farm.put(secret(number, self_signed(["*.example.com"], now=NOW)))
    return farm


def memory_mb() -> float:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6


def timed(title: str, action: Callable[[], Compiled], rounds: int = 5) -> Compiled:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - started)
    print(f"{title:44} best {min(times) * 1e3:8.1f} ms   worst {max(times) * 1e3:8.1f} ms")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ingresses", type=int, default=10_000)
    parser.add_argument("--secrets", type=int, default=200)
    parser.add_argument("--annotations", type=int, default=0)
    arguments = parser.parse_args()
    start_mb = memory_mb()
    farm = build(arguments.ingresses, arguments.secrets, arguments.annotations)
    objects_mb = memory_mb()
    own = self_signed(now=NOW)
    default = CertificatePair("ingressd/self-signed", own.chain_pem, own.key_pem, own.not_after, own.names)
    defaults, memo = RouteDefaults(self_signed=default), CompileMemo()

    def again() -> Compiled:
        return compile_routes(farm.freeze(), defaults, memo, now=NOW)

    gc.set_threshold(*GC_THRESHOLDS)  # as in the control process
    first = timed("from nothing", again, rounds=1)
    gc.collect()
    gc.freeze()
    print(f"{'memory':44} objects {objects_mb - start_mb:.0f} MB, snapshot and memo {memory_mb() - objects_mb:.0f} MB")
    made = first.snapshot
    print(f"{'hosts, backends, certificates':44} {len(made.hosts)}, {len(made.backends)}, {len(made.certificates)}")
    timed("again, nothing changed", again)

    changes = iter(range(1_000_000))

    def one_ingress() -> Compiled:
        number = next(changes)
        farm.put(ingress(number, arguments.secrets, ("/", f"/v{number}"), arguments.annotations))
        return again()

    def one_secret() -> Compiled:
        farm.put(secret(next(changes) % max(1, arguments.secrets), own))
        return again()

    timed("again, one Secret changed", one_secret)
    second = timed("again, one Ingress changed", one_ingress)

    def one_service(base: Compiled = second) -> Compiled:
        number = next(changes)
        key = (NAMESPACE, f"service-{number}")
        farm.put(endpoint_slice(number, last=200))
        return refresh_endpoints(base, replace_slices(cluster, key, farm.slices[key]), defaults, [key], memo)

    cluster = farm.freeze()
    third = timed("endpoints of one Service, the short road", one_service)
    started = time.perf_counter()
    delta = difference(second.snapshot, third.snapshot)
    print(
        f"{'difference of two snapshots':44} {(time.perf_counter() - started) * 1e3:.1f} ms, "
        f"{len(msgspec.msgpack.encode(delta))} bytes"
    )
    started = time.perf_counter()
    apply_delta(second.snapshot, delta)
    print(f"{'applied':44} {(time.perf_counter() - started) * 1e3:.1f} ms")
    print(f"{'complete snapshot':44} {len(msgspec.msgpack.encode(first.snapshot)) / 1e6:.1f} MB")


def replace_slices(cluster: ClusterState, key: Key, slices: tuple[EndpointSlice, ...]) -> ClusterState:
    return msgspec.structs.replace(cluster, slices={**cluster.slices, key: slices})


if __name__ == "__main__":
    main()
