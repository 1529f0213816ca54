"""Leases and idle connections: counts add up, closed connections are never leased."""

from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingressd.proxy.pool import LiveEndpoint, Pool
from ingressd.proxy.upstream import UpstreamConnection
from ingressd.routing.snapshot import Endpoint
from ingressd.tls.client import ProfileError, UpstreamTls
from tests.tls.authority import leaf

VERIFIED = UpstreamTls(verify=True, name="a", ca_pem=leaf().pem)
A, B = Endpoint("10.0.0.1", 80), Endpoint("2001:db8::1", 80)


def connection() -> UpstreamConnection:
    return cast("UpstreamConnection", object())


def test_the_warmest_connection_is_leased_first() -> None:
    pool = Pool(8)
    live = pool.name(A)
    first, second = connection(), connection()
    for each in (first, second):
        assert pool.lease(live, fresh=True) is None
        live_before = live.active
        assert pool.release(live, each, reusable=True)
        assert live.active == live_before - 1
    assert pool.lease(live, fresh=True) is None
    assert pool.lease(live) is second
    assert pool.lease(live) is first
    assert pool.lease(live) is None
    assert (pool.active, pool.idle, live.active) == (4, 0, 4)


@pytest.mark.parametrize("why_not", ["no connection", "not reusable", "endpoint gone", "enough idle"])
def test_what_is_not_kept(why_not: str) -> None:
    pool = Pool(1)
    live = pool.name(A)
    if why_not == "enough idle":
        pool.lease(live)
        pool.release(live, connection(), reusable=True)
        pool.lease(live, fresh=True)
    else:
        pool.lease(live)
    if why_not == "endpoint gone":
        assert pool.unname(live) == []
    released = None if why_not == "no connection" else connection()
    assert not pool.release(live, released, reusable=why_not != "not reusable")
    assert pool.active == 0


def test_an_endpoint_lives_as_long_as_a_backend_names_it() -> None:
    pool = Pool(8)
    live = pool.name(A)
    assert pool.name(A) is live
    idle = connection()
    pool.lease(live)
    pool.release(live, idle, reusable=True)
    assert pool.unname(live) == []
    assert pool.unname(live) == [idle]
    assert (pool.idle, pool.active) == (0, 0)
    assert pool.name(A) is not live


def test_a_closed_idle_connection_is_forgotten_once() -> None:
    pool = Pool(8)
    live = pool.name(A)
    idle = connection()
    pool.lease(live)
    pool.release(live, idle, reusable=True)
    pool.forget(live, idle)
    pool.forget(live, idle)
    assert pool.idle == 0
    assert pool.lease(live) is None


def test_labels() -> None:
    pool = Pool(8)
    assert [repr(pool.name(endpoint)) for endpoint in (A, B)] == [
        "<10.0.0.1:80 active=0 idle=0>",
        "<[2001:db8::1]:80 active=0 idle=0>",
    ]
    assert repr(pool) == "<Pool endpoints=2 active=0 idle=0>"


def test_connections_of_different_profiles_are_kept_apart() -> None:
    pool = Pool(8)
    plain, verified, open_to_all = pool.name(A), pool.name(A, VERIFIED), pool.name(A, UpstreamTls())
    assert len({plain, verified, open_to_all}) == 3
    assert pool.name(A, UpstreamTls(verify=True, name="a", ca_pem=leaf().pem)) is verified
    assert plain.tls is None
    assert verified.tls is not None
    assert verified.tls.profile == VERIFIED
    pool.lease(verified)
    pool.release(verified, connection(), reusable=True)
    assert pool.lease(plain) is None
    assert pool.lease(open_to_all) is None
    assert pool.lease(verified) is not None
    assert pool.unname(verified) == pool.unname(verified) == []
    assert pool.name(A, VERIFIED) is not verified
    assert pool.name(A) is plain
    assert repr(verified) == "<10.0.0.1:80 tls active=1 idle=0>"


def test_an_impossible_profile_names_nothing() -> None:
    pool = Pool(8)
    with pytest.raises(ProfileError, match="name nobody to verify"):
        pool.name(A, UpstreamTls(verify=True))
    assert repr(pool) == "<Pool endpoints=0 active=0 idle=0>"


class Bookkeeping(RuleBasedStateMachine):
    """Any order of what can happen to two endpoints keeps the books right."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(2)
        self.named: list[LiveEndpoint] = []
        self.leased: list[tuple[LiveEndpoint, Any]] = []
        self.idle: list[tuple[LiveEndpoint, Any]] = []

    @rule(endpoint=st.sampled_from([A, B]))
    def name(self, endpoint: Endpoint) -> None:
        self.named.append(self.pool.name(endpoint))

    @precondition(lambda self: self.named)
    @rule(data=st.data())
    def unname(self, data: st.DataObject) -> None:
        live = self.named.pop(data.draw(st.integers(0, len(self.named) - 1)))
        unwanted = self.pool.unname(live)
        assert not unwanted or live not in self.named
        self.idle = [(each, kept) for each, kept in self.idle if kept not in unwanted]

    @precondition(lambda self: self.named)
    @rule(data=st.data(), fresh=st.booleans())
    def lease(self, data: st.DataObject, fresh: bool) -> None:
        live = data.draw(st.sampled_from(self.named))
        got = self.pool.lease(live, fresh=fresh)
        if got is not None:
            assert (live, got) in self.idle
            self.idle.remove((live, got))
        self.leased.append((live, got if got is not None else connection()))

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), reusable=st.booleans())
    def release(self, data: st.DataObject, reusable: bool) -> None:
        live, got = self.leased.pop(data.draw(st.integers(0, len(self.leased) - 1)))
        if self.pool.release(live, got, reusable=reusable):
            assert reusable
            self.idle.append((live, got))

    @precondition(lambda self: self.idle)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        live, gone = self.idle.pop(data.draw(st.integers(0, len(self.idle) - 1)))
        self.pool.forget(live, gone)

    @invariant()
    def books_are_right(self) -> None:
        assert self.pool.active == len(self.leased)
        assert self.pool.idle == len(self.idle)
        for live in {*self.named}:
            assert live.active == sum(each is live for each, _ in self.leased)
            assert len(live.idle) == sum(each is live for each, _ in self.idle) <= 2


Bookkeeping.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestBookkeeping = Bookkeeping.TestCase
