"""The machine of one exchange: every state with every happening, and every verdict."""

from itertools import product

import pytest

from ingressd.errors import UpstreamError
from ingressd.http.request_line import IDEMPOTENT
from ingressd.policy.retries import RetryBudget
from ingressd.proxy.exchange import TRANSITIONS, Exchange, Happening, State, Verdict

LEGAL = """
CONNECTING: leased→WAITING retry→CONNECTING replied→ENDED aborted→ENDED
WAITING:    retry→CONNECTING head→RESPONDING switched→TUNNELLING replied→ENDED aborted→ENDED
RESPONDING: complete→ENDED aborted→ENDED
TUNNELLING: complete→ENDED aborted→ENDED
ENDED:
"""


def legal() -> dict[tuple[State, Happening], State]:
    table = {}
    for line in LEGAL.strip().splitlines():
        state, _, arrows = line.partition(":")
        for arrow in arrows.split():
            happening, _, target = arrow.partition("→")
            table[State[state], Happening[happening.upper()]] = State[target]
    return table


@pytest.mark.parametrize(("state", "happening"), list(product(State, Happening)))
def test_every_pair_is_legal_or_a_bug(state: State, happening: Happening) -> None:
    exchange = Exchange(idempotent=True)
    exchange.state = state
    target = legal().get((state, happening))
    if target is None:
        with pytest.raises(KeyError):
            exchange.move(happening)
        assert exchange.state is state
    else:
        exchange.move(happening)
        assert exchange.state is target


def test_every_state_is_reached_and_left() -> None:
    assert set(TRANSITIONS.values()) == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.ENDED}


CONNECT_FAILED = UpstreamError("connect_failed", unheard=True)
NO_ENDPOINTS = UpstreamError("no_endpoints", unheard=True)
CLOSED = UpstreamError("closed_before_response")
UNHEARD = UpstreamError("stale_connection", unheard=True)


@pytest.mark.parametrize(
    ("method", "state", "error", "attempts", "replayable", "verdict"),
    [
        (b"GET", State.CONNECTING, CONNECT_FAILED, 1, True, Verdict.RETRY),
        (b"POST", State.CONNECTING, CONNECT_FAILED, 2, True, Verdict.RETRY),
        (b"POST", State.CONNECTING, CONNECT_FAILED, 3, True, Verdict.REPLY),
        (b"GET", State.CONNECTING, NO_ENDPOINTS, 1, True, Verdict.REPLY),
        (b"GET", State.WAITING, CLOSED, 1, True, Verdict.RETRY),
        (b"PUT", State.WAITING, CLOSED, 2, True, Verdict.RETRY),
        (b"PUT", State.WAITING, CLOSED, 1, False, Verdict.REPLY),
        (b"GET", State.WAITING, CLOSED, 3, True, Verdict.REPLY),
        (b"POST", State.WAITING, CLOSED, 1, True, Verdict.REPLY),
        (b"PATCH", State.WAITING, CLOSED, 1, True, Verdict.REPLY),
        (b"get", State.WAITING, CLOSED, 1, True, Verdict.REPLY),
        (b"POST", State.WAITING, UNHEARD, 1, True, Verdict.RETRY),
        (b"POST", State.WAITING, UNHEARD, 1, False, Verdict.REPLY),
        (b"POST", State.WAITING, UNHEARD, 3, True, Verdict.REPLY),
        (b"POST", State.WAITING, UpstreamError("stale_connection"), 1, True, Verdict.REPLY),
        (b"GET", State.WAITING, UpstreamError("read_timeout"), 1, True, Verdict.REPLY),
        (b"GET", State.WAITING, UpstreamError("closed_in_response"), 1, True, Verdict.REPLY),
        (b"GET", State.WAITING, UpstreamError("closed_in_head"), 1, True, Verdict.RETRY),
        (b"GET", State.WAITING, UpstreamError("closed_in_head"), 1, False, Verdict.REPLY),
        (b"POST", State.WAITING, UpstreamError("closed_in_head"), 1, True, Verdict.REPLY),
        (b"GET", State.WAITING, UpstreamError("bad_status_line"), 1, True, Verdict.REPLY),
        (b"GET", State.RESPONDING, UpstreamError("closed_in_response"), 1, True, Verdict.ABORT),
        (b"GET", State.RESPONDING, CLOSED, 1, True, Verdict.ABORT),
        (b"GET", State.TUNNELLING, CLOSED, 1, True, Verdict.ABORT),
    ],
)
def test_verdicts(
    method: bytes, state: State, error: UpstreamError, attempts: int, replayable: bool, verdict: Verdict
) -> None:
    exchange = Exchange(idempotent=method in IDEMPOTENT)
    exchange.state = state
    exchange.attempts = attempts
    exchange.replayable = replayable
    assert exchange.decide(error, max_attempts=3, budget=RetryBudget()) is verdict


def test_without_budget_even_a_harmless_retry_is_a_reply() -> None:
    budget = RetryBudget()
    while budget.spend():
        pass
    refused = UpstreamError("connect_failed", unheard=True)
    assert Exchange(idempotent=True).decide(refused, max_attempts=3, budget=budget) is Verdict.REPLY
    for _ in range(5):
        budget.requests += 1
    assert Exchange(idempotent=True).decide(refused, max_attempts=3, budget=budget) is Verdict.RETRY
