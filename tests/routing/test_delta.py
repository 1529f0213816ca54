"""The difference between snapshots."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.policies import GlobalPolicies, HostTls, LogFormat
from ingressd.routing.delta import SnapshotDelta, apply_delta, difference, is_empty
from ingressd.routing.snapshot import Backend, CertificatePair, Endpoint, Material, Route, Snapshot, VirtualHost

KEYS = st.sampled_from(["a", "b", "c", "d"])
ROUTES = st.builds(Route, st.just("prefix"), st.just("/"), KEYS)


def by_name(values: st.SearchStrategy[msgspec.Struct], field: str) -> st.SearchStrategy[dict[str, msgspec.Struct]]:
    return st.lists(values, max_size=4).map(lambda found: {getattr(one, field): one for one in found})


SNAPSHOTS = st.builds(
    Snapshot,
    hosts=by_name(
        st.builds(
            VirtualHost,
            KEYS,
            st.lists(ROUTES, max_size=1).map(tuple),
            st.none() | ROUTES,
            tls=st.sampled_from([None, HostTls(trust="trust:a")]),
        ),
        "name",
    ),
    backends=by_name(
        st.builds(Backend, KEYS, KEYS, KEYS, KEYS, st.sampled_from([(), (Endpoint("10.0.0.1", 80),)])), "key"
    ),
    certificates=by_name(st.builds(CertificatePair, KEYS, st.sampled_from([b"1", b"2"]), st.just(b"")), "key"),
    server_names=st.dictionaries(KEYS, KEYS, max_size=4),
    default_certificate=st.sampled_from(["", "a", "b"]),
    fallback=st.none() | ROUTES,
    materials=by_name(
        st.builds(Material, KEYS, st.dictionaries(KEYS, st.sampled_from([b"", b"1"])), st.sampled_from(["", "gone"])),
        "key",
    ),
    policies=st.sampled_from([GlobalPolicies(), GlobalPolicies(log=LogFormat(is_off=True))]),
)


@given(SNAPSHOTS, SNAPSHOTS)
def test_the_difference_makes_the_new_of_the_old(old: Snapshot, new: Snapshot) -> None:
    delta = difference(old, new)
    assert apply_delta(old, delta) == new
    assert is_empty(delta) == (old == new)


@given(SNAPSHOTS, SNAPSHOTS)
def test_the_difference_travels(old: Snapshot, new: Snapshot) -> None:
    delta = difference(old, new)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(delta), type=SnapshotDelta) == delta


@given(SNAPSHOTS, SNAPSHOTS)
def test_what_did_not_change_is_not_in_it(old: Snapshot, new: Snapshot) -> None:
    delta = difference(old, new)
    assert all(old.hosts.get(one.name) != one for one in delta.hosts)
    assert all(old.backends.get(one.key) != one for one in delta.backends)
    assert all(old.certificates.get(one.key) != one for one in delta.certificates)
    assert all(old.server_names.get(name) != key for name, key in delta.server_names.items())
    assert all(old.materials.get(one.key) != one for one in delta.materials)
    assert (delta.policies is msgspec.UNSET) == (old.policies == new.policies)
    assert all(name in old.hosts and name not in new.hosts for name in delta.hosts_removed)


@given(SNAPSHOTS, SNAPSHOTS)
def test_untouched_values_stay_the_same_objects(old: Snapshot, new: Snapshot) -> None:
    applied = apply_delta(old, difference(old, new))
    assert all(one is old.hosts[name] for name, one in applied.hosts.items() if old.hosts.get(name) == one)
    same = apply_delta(old, SnapshotDelta())
    assert same.hosts is old.hosts
    assert same.backends is old.backends


def test_everything_is_a_difference_from_nothing() -> None:
    snapshot = Snapshot(hosts={"a": VirtualHost("a")}, fallback=Route("prefix", "/", "x"))
    assert difference(Snapshot(), snapshot) == SnapshotDelta(hosts=(VirtualHost("a"),), fallback=snapshot.fallback)


def test_a_fallback_may_become_none() -> None:
    old = Snapshot(fallback=Route("prefix", "/", "x"))
    delta = difference(old, Snapshot())
    assert not is_empty(delta)
    assert apply_delta(old, delta).fallback is None
