"""Every case of ``request_cases``, without sockets, under every cut; h11 reads what is forwarded."""

import itertools
from collections.abc import Iterable

import pytest

from ingressd.proxy.limits import Limits
from ingressd.routing.snapshot import Route, Snapshot
from tests.proxy.request_cases import CASES, CUT_OFF, GET, LIMITS, MAX_BODY_BYTES, Case
from tests.support.gateway import one_host
from tests.support.memory import MemoryPath, statuses_of

SNAPSHOT: Snapshot = one_host([1], route=Route("prefix", "/", "default/app:80", max_body_bytes=MAX_BODY_BYTES))


def run(pieces: Iterable[bytes]) -> MemoryPath:
    path = MemoryPath(SNAPSHOT, limits=LIMITS)
    for piece in pieces:
        path.send(piece)
    return path


def cuts(data: bytes) -> Iterable[tuple[bytes, ...]]:
    """Whole, byte by byte, and in two at every place."""
    yield (data,)
    yield tuple(data[at : at + 1] for at in range(len(data)))
    for at in range(1, len(data)):
        yield data[:at], data[at:]


def check(case: Case, path: MemoryPath) -> None:
    forwarded = [(req.method.decode(), req.target.decode(), body.decode()) for req, body in path.requests]
    assert forwarded == list(case.forwarded)
    assert path.statuses == list(case.statuses)
    assert statuses_of(path.received, case.methods) == list(case.statuses)
    assert path.transport.is_done() is case.closes
    path.close()


@pytest.mark.parametrize("name", CASES)
def test_cases_under_every_cut(name: str) -> None:
    case = CASES[name]
    for pieces in cuts(case.sent):
        check(case, run(pieces))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.closes and len(case.statuses) < 4])
def test_cases_joined_to_a_following_request(name: str) -> None:
    case = CASES[name]
    joined = Case(
        case.sent + GET.encode(), (*case.statuses, 200), (*case.forwarded, ("GET", "/", "")), False, case.source
    )
    if len(joined.statuses) == LIMITS.requests_per_connection:
        joined = Case(joined.sent, joined.statuses, joined.forwarded, True, case.source)
    for pieces in itertools.islice(cuts(joined.sent), 0, None, 7):
        check(joined, run(pieces))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.closes])
def test_nothing_after_the_end_is_read_as_a_request(name: str) -> None:
    case = CASES[name]
    check(case, run([case.sent, GET.encode()]))
    check(case, run([case.sent + GET.encode()]))


@pytest.mark.parametrize("name", CUT_OFF)
def test_bodies_that_turn_out_bad(name: str) -> None:
    case = CUT_OFF[name]
    for pieces in cuts(case.sent):
        path = run(pieces)
        assert path.statuses == list(case.statuses)
        assert statuses_of(path.received, [b"POST"]) == list(case.statuses)
        assert path.transport.is_done()
        for origin in path.origins:
            # Whatever began to arrive there never became a whole request, and the connection is gone.
            assert not origin.trailers
            assert origin.transport.aborted or not origin.transport.written
        path.close()


@pytest.mark.parametrize("target", ["a.example", "unknown"])
@pytest.mark.parametrize("is_draining", [False, True])
def test_who_is_told_late_that_it_was_the_last_request_still_reads_the_answer(target: str, is_draining: bool) -> None:
    """Its next one is on its way: a reset in answer to it could destroy what is not read yet (RFC 9112 §9.6)."""
    path = MemoryPath(one_host([1]), limits=Limits(requests_per_connection=1000 if is_draining else 1))
    path.gateway.draining = is_draining
    request = f"GET / HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()
    path.send(request)
    assert path.transport.ended
    assert not path.transport.is_closing()
    path.send(request)
    assert len(path.statuses) == 1
    path.close()


def test_who_asks_for_the_end_gets_it_at_once() -> None:
    path = MemoryPath(one_host([1]))
    path.send(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
    assert path.transport.is_closing()
    path.close()
