"""What a worker serves after changes, and what of it lives on. Changes travel as frames, as from control."""

import time

import pytest

from ingressd.routing.snapshot import Backend, CertificatePair, Endpoint, Route, Snapshot, VirtualHost
from ingressd.tls.certificate import self_signed
from tests.support.receiver import Receiver

MANY = 300  # more than a step of anything


def snapshot(*names: str, last: int = 2, paths: tuple[str, ...] = ("/",)) -> Snapshot:
    """For each name a host, and a backend with two endpoints of its own."""
    hosts, backends = {}, {}
    for name in names:
        host, key = f"{name}.test", f"default/{name}:80"
        number = int(name[1:])
        endpoints = tuple(Endpoint(f"10.{number // 250}.{number % 250}.{one}", 80) for one in (1, last))
        routes = tuple(Route("prefix", path, key, "default", name, name) for path in paths)
        hosts[host] = VirtualHost(host, routes)
        backends[key] = Backend(key, "default", name, "80", endpoints)
    return Snapshot(hosts=hosts, backends=backends)


def names(count: int) -> list[str]:
    return [f"s{number}" for number in range(count)]


async def test_nothing_is_seen_before_the_commit(receiver: Receiver) -> None:
    first = snapshot("s0")
    receiver.change(Snapshot(), first, full=True)
    receiver.change(first, snapshot("s0", "s1", last=9), pieces=-1)
    assert receiver.addresses("s0.test") == ["10.0.0.1", "10.0.0.2"]
    assert receiver.find("s1.test").backend is None


async def test_an_abandoned_change_leaves_nothing_behind(receiver: Receiver) -> None:
    first = snapshot("s0")
    receiver.change(Snapshot(), first, full=True)
    before = repr(receiver.pool), set(receiver.gateway.backends.keys())
    receiver.change(first, snapshot("s0", "s1", last=9), pieces=-1)
    receiver.builder.abandon()
    assert (repr(receiver.pool), set(receiver.gateway.backends.keys())) == before
    receiver.change(first, snapshot("s0", "s1", last=7))
    assert receiver.addresses("s1.test") == ["10.0.1.1", "10.0.1.7"]
    assert receiver.addresses("s0.test") == ["10.0.0.1", "10.0.0.7"]


@pytest.mark.parametrize("count", [2, MANY])
async def test_a_new_control_process_sends_the_same_again_and_nothing_is_made_anew(
    receiver: Receiver, count: int
) -> None:
    same = snapshot(*names(count))
    receiver.change(Snapshot(), same, full=True)
    route = receiver.find("s1.test")
    assert route.backend is not None
    endpoints, pool = route.backend.endpoints, repr(receiver.pool)
    receiver.change(Snapshot(), same, full=True)
    await receiver.settle()
    assert receiver.find("s1.test") is route
    assert route.backend.endpoints is endpoints
    assert repr(receiver.pool) == pool
    assert receiver.gateway.state.generation == 2


@pytest.mark.parametrize("count", [4, MANY])
async def test_a_new_control_process_knows_other_things(receiver: Receiver, count: int) -> None:
    receiver.change(Snapshot(), snapshot(*names(count)), full=True)
    stays = receiver.find("s2.test")
    last = names(count)[-1]
    changed = snapshot("s1", last, "s900", last=9)
    other = Snapshot(
        hosts={**changed.hosts, "s2.test": snapshot("s2").hosts["s2.test"]},
        backends={**changed.backends, **snapshot("s2").backends},
    )
    receiver.change(Snapshot(), other, full=True)
    await receiver.settle()
    assert receiver.find("s2.test") is stays
    assert receiver.find("s0.test").backend is None
    assert [receiver.addresses(f"{name}.test")[1][-1] for name in ("s1", last, "s900")] == ["9"] * 3
    assert set(receiver.gateway.backends.keys()) == set(other.backends)
    assert len(receiver.gateway.state.table) == 4
    assert repr(receiver.pool).startswith("<Pool endpoints=8 ")


@pytest.mark.parametrize("count", [3, MANY])
async def test_everything_changes_and_then_goes(receiver: Receiver, count: int) -> None:
    first = snapshot(*names(count))
    second = snapshot(*names(count), last=9, paths=("/", "/new"))
    receiver.change(Snapshot(), first, full=True)
    receiver.change(first, second)
    assert receiver.find("s1.test", "/new").route.path == "/new"
    assert receiver.addresses("s1.test") == ["10.0.1.1", "10.0.1.9"]
    await receiver.settle()
    assert repr(receiver.pool).startswith(f"<Pool endpoints={2 * count} ")
    assert receiver.find("s2.test", "/new").route.path == "/new"  # what was let go was the old table
    receiver.change(second, Snapshot())
    await receiver.settle()
    assert repr(receiver.pool).startswith("<Pool endpoints=0 ")
    assert receiver.find("s1.test").backend is None
    assert not receiver.gateway.backends.keys()


async def test_counters_of_a_route_go_when_nothing_bears_its_labels_any_more(receiver: Receiver) -> None:
    first, second = snapshot("s0", "s1"), snapshot("s1", paths=("/", "/more"))
    receiver.change(Snapshot(), first, full=True)
    kept, gone = receiver.find("s1.test").stats, receiver.find("s0.test").stats
    receiver.change(first, second)
    await receiver.settle()
    assert receiver.find("s1.test", "/more").stats is kept
    assert receiver.stats.route(*kept.labels) is kept
    assert receiver.stats.route(*gone.labels) is not gone


async def test_a_certificate_that_did_not_change_is_not_made_anew(receiver: Receiver) -> None:
    def secret(key: str) -> CertificatePair:
        made = self_signed((f"{key}.test",), now=time.time())
        return CertificatePair(key, made.chain_pem, made.key_pem, made.not_after, made.names)

    def serving(*pairs: CertificatePair) -> Snapshot:
        by_key = {pair.key: pair for pair in pairs}
        return Snapshot(certificates=by_key, server_names={f"{key}.test": key for key in by_key})

    a, b, c = secret("a"), secret("b"), secret("c")
    receiver.change(Snapshot(), serving(a, b, c), full=True)
    shown = {name: receiver.shown(name) for name in "abc"}
    rotated = secret("b")
    receiver.change(Snapshot(), serving(a, rotated), full=True)
    await receiver.settle()
    assert receiver.shown("a") is shown["a"] is not None
    assert receiver.shown("b") not in (shown["b"], None)
    assert receiver.shown("c") is None
    receiver.change(serving(a, rotated), serving(rotated))
    receiver.change(serving(rotated), serving(rotated, a))
    assert receiver.shown("a") not in (shown["a"], None)
