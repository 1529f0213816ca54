"""Belief about endpoints: slow to condemn, never of all at once, gentle when they come back."""

from ingressd.proxy.health import FAILURES_IN_A_ROW, FIRST_PAUSE_S, LONGEST_PAUSE_S, EndpointHealth
from ingressd.proxy.pool import LiveEndpoint, Pool
from ingressd.proxy.serving import Backends, LiveBackend
from ingressd.routing.snapshot import Endpoint

ENDPOINTS = tuple(Endpoint("127.0.0.1", port) for port in (1, 2, 3))


def _broken(now: float) -> EndpointHealth:
    health = EndpointHealth()
    for _ in range(FAILURES_IN_A_ROW):
        health.failed(now)
    return health


def _backend() -> tuple[LiveBackend, tuple[LiveEndpoint, ...]]:
    backends = Backends(Pool(8))
    cell = backends.cell("default/app:80")
    cell.endpoints = backends.name(ENDPOINTS)
    return cell, cell.endpoints


def test_failures_with_successes_between_them_set_nobody_aside() -> None:
    health = EndpointHealth()
    for _ in range(10):
        assert not health.failed(0.0)
        assert not health.failed(0.0)
        health.succeeded()
    assert health.may_try(0.0)


def test_failures_in_a_row_set_aside_for_a_time() -> None:
    health = _broken(100.0)
    assert not health.may_try(100.0)
    assert not health.may_try(100.0 + FIRST_PAUSE_S - 0.01)
    assert health.may_try(100.0 + FIRST_PAUSE_S)


def test_it_comes_back_by_one_request_at_a_time() -> None:
    health = _broken(0.0)
    now = FIRST_PAUSE_S
    health.trying(now)
    assert not health.may_try(now)
    health.succeeded()
    assert health.may_try(now)


def test_each_failed_probe_sets_aside_for_longer_up_to_a_bound() -> None:
    health = _broken(0.0)
    now, pauses = 0.0, []
    for _ in range(8):
        pauses.append(health.aside_until - now)
        now = health.aside_until
        health.trying(now)
        assert health.failed(now)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_a_probe_that_got_lost_is_not_waited_for_for_ever() -> None:
    health = _broken(0.0)
    health.trying(FIRST_PAUSE_S)
    assert health.may_try(FIRST_PAUSE_S + LONGEST_PAUSE_S + 0.01)


def test_those_set_aside_are_passed_over() -> None:
    backend, (first, second, third) = _backend()
    second.health = _broken(0.0)
    picked = {backend.pick((), 0.5) for _ in range(9)}
    assert picked == {first, third}


def test_when_all_are_set_aside_somebody_is_picked_all_the_same() -> None:
    backend, endpoints = _backend()
    for endpoint in endpoints:
        endpoint.health = _broken(0.0)
    assert {backend.pick((), 0.5) for _ in range(9)} == set(endpoints)


def test_belief_outlives_the_backend_that_named_the_endpoint() -> None:
    backends = Backends(Pool(8))
    before = backends.name(ENDPOINTS[:1])
    before[0].health = _broken(0.0)
    after = backends.name(ENDPOINTS)
    backends.release(before)
    assert not after[0].health.may_try(0.5)
