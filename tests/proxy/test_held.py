"""A request whose access is being decided: what its client does meanwhile, and what becomes of it."""

import asyncio

import pytest

from ingressd.policy.address_list import AddressLists
from ingressd.policy.ask import Answer, Ask
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rate_limit import RateLimits
from ingressd.policy.satisfy import Verdict
from ingressd.proxy.access import AccessRule
from ingressd.proxy.limits import Limits
from ingressd.proxy.passage import Passage
from tests.proxy.gated import alone, fields_of, gated, get
from tests.support.clock import Clock
from tests.support.memory import MemoryPath, statuses_of

REFUSAL = Answer(403, "not-you")


class Judge:
    """Somebody whose verdicts take time."""

    def __init__(self) -> None:
        self.verdicts: list[asyncio.Future[Verdict | Answer]] = []
        self.dropped = 0

    def __call__(self, ask: Ask, passage: Passage) -> "Judge":
        self.verdicts.append(asyncio.get_running_loop().create_future())
        return self

    async def verdict(self) -> Verdict | Answer:
        return await self.verdicts[-1]

    def drop(self) -> None:
        self.dropped += 1

    async def say(self, verdict: Verdict | Answer, path: MemoryPath) -> None:
        self.verdicts[-1].set_result(verdict)
        await settle(path)


async def settle(path: MemoryPath) -> None:
    """Let tasks that can go on do so, and origins answer."""
    for _ in range(5):
        await asyncio.sleep(0)
    path.pump()


def held(policies: RoutePolicies | None = None, *, limits: Limits | None = None) -> tuple[MemoryPath, Judge]:
    policies = policies or RoutePolicies(addresses=AddressLists())
    path = gated(policies, loop=asyncio.get_running_loop(), limits=limits, shared_limits=alone())
    gate = path.gateway.state.find("a.example", "/").gate
    assert gate is not None
    judge = Judge()
    gate.shortcut = None
    gate.access = AccessRule((judge,), is_any=False)
    return path, judge


async def test_who_may_pass_is_forwarded() -> None:
    path, judge = held()
    path.send(get())
    assert (path.received, path.forwarded, path.gateway.active) == (b"", b"", 1)
    await judge.say(Verdict.PASSED, path)
    assert statuses_of(path.received, [b"GET"]) == [200]
    assert path.gateway.active == 0
    path.close()


async def test_who_may_not_is_answered_and_may_go_on() -> None:
    path, judge = held()
    path.send(get())
    await judge.say(REFUSAL, path)
    path.send(get())
    await judge.say(Verdict.PASSED, path)
    assert statuses_of(path.received, [b"GET", b"GET"]) == [403, 200]
    assert path.statuses == [403, 200]
    path.close()


async def test_pipelined_requests_wait_for_their_turn() -> None:
    path, judge = held()
    path.send(get(target="/1") + get(target="/2"))
    path.send(get(target="/3"))
    assert len(judge.verdicts) == 1
    await judge.say(Verdict.PASSED, path)
    assert len(judge.verdicts) == 2
    await judge.say(REFUSAL, path)
    await judge.say(Verdict.PASSED, path)
    assert statuses_of(path.received, [b"GET"] * 3) == [200, 403, 200]
    assert [request.target for request, _ in path.requests] == [b"/1", b"/3"]
    path.close()


async def test_a_body_that_arrives_meanwhile_is_forwarded_whole() -> None:
    path, judge = held()
    whole = get(method="POST", body=b"0123456789") + get(target="/next")
    for at in range(0, len(whole), 7):
        path.send(whole[at : at + 7])
    await judge.say(Verdict.PASSED, path)
    await judge.say(Verdict.PASSED, path)
    assert [(request.target, body) for request, body in path.requests] == [(b"/", b"0123456789"), (b"/next", b"")]
    assert statuses_of(path.received, [b"POST", b"GET"]) == [200, 200]
    path.close()


async def test_reading_pauses_when_enough_is_kept() -> None:
    path, judge = held(limits=Limits(pipelined_bytes=1000))
    body = b"x" * 3000
    whole = get(method="POST", body=body)
    path.send(whole[:900])
    assert path.transport.is_reading()
    path.send(whole[900:1500])
    assert not path.transport.is_reading()
    await judge.say(Verdict.PASSED, path)
    assert path.transport.is_reading()
    path.send(whole[1500:])
    assert [sent for _, sent in path.requests] == [body]
    path.close()


async def test_a_refused_body_ends_the_connection() -> None:
    path, judge = held()
    path.send(get(method="POST", body=b"x" * 100)[:-50])
    await judge.say(REFUSAL, path)
    assert fields_of(path.received)["connection"] == "close"
    assert path.transport.ended
    path.close()


async def test_a_client_that_leaves_takes_its_question_along() -> None:
    limits = RateLimits("all", connections=1)
    path, judge = held(RoutePolicies(limits=limits))
    path.send(get())
    await settle(path)
    path.close()
    await settle(path)
    assert judge.dropped == 1
    assert judge.verdicts[0].cancelled()
    assert path.statuses == [499]
    assert path.gateway.active == 0
    shared = path.gateway.shared_limits
    assert shared is not None
    assert not any(shared._cells)


async def test_no_time_of_the_clients_is_running(clock: Clock) -> None:
    path, judge = held()
    path.send(get(method="POST", body=b"x" * 100)[:-50])
    path.local.pass_time(clock, 1000)
    assert path.received == b""
    assert path.endpoint is not None
    path.seed(path.endpoint)  # the other one was idle for too long
    await judge.say(Verdict.PASSED, path)
    path.local.pass_time(clock, 30)
    assert path.received == b""
    path.local.pass_time(clock, 100)
    assert path.statuses == [408]
    path.close()


async def test_a_half_closed_client_gets_its_answer() -> None:
    path, judge = held()
    path.send(get())
    assert path.down.eof_received()
    await judge.say(Verdict.PASSED, path)
    assert statuses_of(path.received, [b"GET"]) == [200]
    assert path.transport.is_done()
    path.close()


async def test_a_client_that_ends_within_its_body_is_cut() -> None:
    path, judge = held()
    path.send(get(method="POST", body=b"x" * 100)[:-50])
    assert path.down.eof_received()
    await judge.say(Verdict.PASSED, path)
    assert path.transport.aborted
    assert path.forwarded == b""
    path.close()


async def test_draining_lets_it_end() -> None:
    path, judge = held()
    path.send(get())
    path.gateway.draining = True
    path.down.close_when_idle()
    assert not path.transport.is_done()
    await judge.say(REFUSAL, path)
    assert fields_of(path.received)["connection"] == "close"
    assert path.transport.is_done()
    path.close()


async def test_the_end_of_draining_cuts_it() -> None:
    path, judge = held()
    path.send(get())
    path.gateway.abort_all()
    path.close()
    await settle(path)
    assert path.statuses == [499]
    assert judge.dropped == 1


async def test_who_cannot_be_asked_has_not_said_yes(caplog: pytest.LogCaptureFixture) -> None:
    path, judge = held()
    path.send(get())
    judge.verdicts[0].set_exception(RuntimeError("broken"))
    await settle(path)
    assert path.statuses == [500]
    assert path.forwarded == b""
    assert "could not be decided" in caplog.text
    path.close()


async def test_several_checks_wait_one_after_the_other() -> None:
    path, first = held()
    second = Judge()
    gate = path.gateway.state.find("a.example", "/").gate
    assert gate is not None
    gate.shortcut = None
    gate.access = AccessRule((first, lambda ask, passage: Verdict.SILENT, second), is_any=False)
    path.send(get())
    await first.say(Verdict.PASSED, path)
    assert path.received == b""
    await second.say(REFUSAL, path)
    assert path.statuses == [403]
    path.close()


async def test_any_that_passes_is_enough() -> None:
    path, first = held()
    second = Judge()
    gate = path.gateway.state.find("a.example", "/").gate
    assert gate is not None
    gate.shortcut = None
    gate.access = AccessRule((first, second), is_any=True)
    path.send(get())
    await first.say(REFUSAL, path)
    assert path.received == b""
    await second.say(Verdict.PASSED, path)
    assert path.statuses == [200]
    path.close()
