"""Every response case: whole, cut at every byte, and followed by a response that nobody asked for.

Whatever an endpoint says, the requests that come next get their own answers: one on the same client connection, one
on another.
"""

from collections.abc import Iterator, Sequence

import pytest

from tests.support.reads import end_of_read_with_head
from tests.wire.corpus.case import FOLLOWER, request
from tests.wire.corpus.reading import Answer, Answers, Seen, answers
from tests.wire.corpus.response_case import STOLEN, Case, Clean, Cut, Failed
from tests.wire.corpus.responses import RESPONSES, TOPICS
from tests.wire.corpus.wires import Client, EndpointWire, Outcome, Wires, echo, splits, two_routes

_SECOND = request(first=b"GET /second HTTP/1.1")
_502 = b"502 Bad Gateway\n"


class Endpoint:
    """Says what a case says to /x, and what it was asked to everything else.

    ``asked``: the connections on which /x came, with the number of requests they had seen by then.
    """

    def __init__(self) -> None:
        self.pieces: Sequence[bytes] = ()
        self.ends = ""
        self.asked: list[tuple[EndpointWire, int]] = []

    def __call__(self, wire: EndpointWire, seen: Seen) -> None:
        if seen.target != b"/x":
            echo(wire, seen)
            return
        self.asked.append((wire, wire.requests))
        for piece in self.pieces:
            wire.say(piece)
        if self.ends:
            wire.hang_up(ConnectionResetError() if self.ends == "reset" else None)


@pytest.fixture(scope="module")
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture(scope="module")
def wires(endpoint: Endpoint) -> Iterator[Wires]:
    wires = Wires(two_routes(), script=endpoint)
    yield wires
    wires.close()


def test_corpus_is_as_large_as_promised() -> None:
    assert len(RESPONSES) >= 60
    assert all(case.reason and case.source for case in RESPONSES)
    assert all(case.raw.endswith(case.expect.excess) for case in RESPONSES if isinstance(case.expect, Clean))
    for topic, cases in TOPICS.items():
        assert len({case.name for case in cases}) == len(cases), f"names repeat in {topic}"


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{topic}: {case.name}") for topic, cases in TOPICS.items() for case in cases]
)
async def test_case(wires: Wires, endpoint: Endpoint, case: Case) -> None:
    for pieces in ((case.raw,), *splits(case.raw)):
        await _check(wires, endpoint, case, pieces)
    if case.delimits_itself:
        for pieces in ((case.raw + STOLEN,), (case.raw, STOLEN), *splits(case.raw, more=STOLEN)):
            await _check(wires, endpoint, case, pieces, is_followed=True)


@pytest.mark.parametrize("data", [STOLEN, STOLEN[:-1], b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n", b"x"])
async def test_what_comes_before_a_request_is_nobodys_answer(wires: Wires, endpoint: Endpoint, data: bytes) -> None:
    """RFC 9112 §9.2: an idle connection that speaks is discarded."""
    endpoint.pieces, endpoint.ends, endpoint.asked = (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",), "", []
    client = Client(wires)
    await client.send(request())
    [(wire, _)] = endpoint.asked
    wire.say(data)
    await client.send(FOLLOWER)
    outcome = await client.leave()
    assert wire.is_lost
    assert _read(outcome, b"GET", 2).statuses == [200, 200]
    assert outcome.received.endswith(b"GET /innocent")
    assert b"stolen" not in outcome.received


async def test_an_answer_before_the_request_is_read(wires: Wires) -> None:
    """0.CL by an early answer, HTTP/1.1 must die (Kettle 2025): what comes after it is the old body, no request."""
    client = Client(wires)
    await client.send(request(b"Content-Length: 10", first=b"POST /x HTTP/1.1", body=b"hello"))
    [wire] = [wire for wire in wires.endpoints if wire.unread]
    wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await client.send(b"world" + FOLLOWER)
    outcome = await client.leave()
    assert wire.is_lost
    assert [seen.target for _, seen in outcome.seen] == []
    [answer] = _read(outcome, b"POST", 1).final
    assert (answer.status, answer.body, answer.values(b"connection")) == (200, b"ok", [b"close"])


async def _check(
    wires: Wires, endpoint: Endpoint, case: Case, pieces: Sequence[bytes], *, is_followed: bool = False
) -> None:
    endpoint.pieces, endpoint.ends, endpoint.asked = pieces, case.ends, []
    first = Client(wires)
    await first.send(case.request)
    await first.send(FOLLOWER)
    asked = list(endpoint.asked)
    second = await wires.run([_SECOND])
    outcome = await first.leave()
    assert b"stolen" not in outcome.received + second.received
    assert _read(second, b"GET", 1).final[0].body == b"GET /second"
    expect = _expected(case, pieces)
    if isinstance(expect, Clean):
        _check_clean(expect, case, outcome, asked, is_followed=is_followed)
    elif isinstance(expect, Failed):
        _check_failed(expect, case, outcome, asked)
    else:
        _check_cut(expect, case, outcome, asked)


def _expected(case: Case, pieces: Sequence[bytes]) -> Clean | Failed | Cut:
    """See ``Clean.excess``; what a test puts behind a case is excess, too."""
    if not isinstance(case.expect, Clean):
        return case.expect
    end_of_message = len(case.raw) - len(case.expect.excess)
    if case.delimits_itself and end_of_read_with_head(case.raw, pieces) > end_of_message:
        return Failed(interim=case.expect.interim)
    return case.expect


def _read(outcome: Outcome, method: bytes, count: int) -> Answers:
    read = answers(outcome.received, (method, b"GET")[:count], ended=outcome.end in ("eof", "closed"))
    assert not read.rest
    return read


def _check_clean(
    expect: Clean, case: Case, outcome: Outcome, asked: list[tuple[EndpointWire, int]], *, is_followed: bool
) -> None:
    read = _read(outcome, case.method, 2)
    answer = read.final[0]
    assert (answer.status, answer.body, answer.is_whole) == (expect.status, expect.body, True)
    assert read.interim == expect.interim
    assert outcome.end != "aborted"
    assert bool(outcome.end) is not expect.keeps
    if expect.keeps:
        assert read.final[1].body == b"GET /innocent"
    fields = {name + b": " + value for name, value in answer.fields}
    assert set(expect.has) <= fields
    assert not set(expect.lacks) & {name for name, _ in answer.fields}
    assert tuple(name + b": " + value for name, value in answer.trailers) == expect.trailers
    [(wire, requests)] = asked
    is_reusable = expect.reusable and not is_followed
    assert wire.is_lost is not is_reusable
    assert (wire.requests > requests) is is_reusable


def _check_failed(expect: Failed, case: Case, outcome: Outcome, asked: list[tuple[EndpointWire, int]]) -> None:
    read = _read(outcome, case.method, 2)
    _check_own(read.final[0], case)
    assert read.interim == expect.interim
    assert outcome.end != "aborted"
    if not outcome.end:
        assert read.final[1].body == b"GET /innocent"
    assert len(asked) == expect.attempts
    assert all(wire.is_lost for wire, _ in asked)


def _check_own(answer: Answer, case: Case) -> None:
    assert (answer.status, answer.body, answer.is_whole) == (502, b"" if case.method == b"HEAD" else _502, True)


def _check_cut(expect: Cut, case: Case, outcome: Outcome, asked: list[tuple[EndpointWire, int]]) -> None:
    assert all(wire.is_lost for wire, _ in asked)
    if outcome.end != "aborted":
        _check_own(_read(outcome, case.method, 2).final[0], case)
        return
    [answer] = _read(outcome, case.method, 1).final
    assert not answer.is_whole
    assert expect.body.startswith(answer.body)
