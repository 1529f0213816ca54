"""A whole client connection: whatever it sends, each head that goes on is one request to h11, with the meaning it had.

Sent whole and in pieces, by way of a gateway that lives on from input to input, as a worker does.
"""

import asyncio
from collections.abc import Sequence

import h11

from ingressd.errors import BadRequest
from ingressd.http.target import parse_target
from tests.fuzz.cuts import random_cut
from tests.fuzz.targets.path import check_target
from tests.wire.corpus.case import may_offer_h2c
from tests.wire.corpus.path_readings import is_guarded, readings
from tests.wire.corpus.reading import Seen, answers
from tests.wire.corpus.wires import CLIENT, Outcome, Wires, two_routes

_OURS = {
    b"x-real-ip": CLIENT.encode(),
    b"x-forwarded-for": CLIENT.encode(),
    b"x-forwarded-port": b"80",
    b"x-forwarded-proto": b"http",
    b"x-forwarded-scheme": b"http",
    b"x-scheme": b"http",
}
_loop = asyncio.new_event_loop()
_wires = Wires(two_routes())


def check(data: bytes) -> None:
    whole = _loop.run_until_complete(_wires.run([data]))
    pieces = random_cut(data)
    cut = _loop.run_until_complete(_wires.run(pieces))
    if not may_offer_h2c(data):
        assert _meaning(cut) == _meaning(whole), f"otherwise in {pieces}"
    for backend, seen in whole.seen:
        _check_forwarded(backend, seen)
    _check_answers(whole)
    _check_meant(data, [seen for _, seen in whole.seen])


def _meaning(outcome: Outcome) -> tuple[object, ...]:
    seen = [
        (
            backend,
            one.method,
            one.target,
            one.host,
            [pair for pair in one.fields if pair[0] != b"x-request-id"],
            one.body,
        )
        for backend, one in outcome.seen
    ]
    return seen, outcome.logged, bool(outcome.end)  # it lingers only when it knows of more bytes


def _without_id(seen: Seen) -> list[tuple[bytes, bytes]]:
    return [pair for pair in seen.fields if pair[0] != b"x-request-id"]


def _check_forwarded(backend: str, seen: Seen) -> None:
    """``Wires`` has held the head against the grammar, and h11 has read it."""
    check_target(parse_target(seen.target.decode()))
    for name, value in _OURS.items():
        assert seen.values(name) == [value], "a field that is ours to write"
    assert seen.values(b"x-forwarded-host") == [seen.host]
    assert len(seen.values(b"x-request-id")) == 1
    assert len(seen.values(b"content-length") + seen.values(b"transfer-encoding")) <= 1
    assert not seen.trailers
    if backend == "open" and seen.host.lower().partition(b":")[0].rstrip(b".") == b"a.example":
        reached = {path for path in readings(seen.target.decode()) if is_guarded(path)}
        assert not reached, f"another server would find {reached} in it"


def _check_answers(outcome: Outcome) -> None:
    """Every answer is whole, in order, and for what was asked; the last one says so when the connection ends."""
    assert outcome.end != "aborted"
    if outcome.logged[-1:] == [499]:  # it left before it had sent all
        outcome.logged.pop()
    methods = [seen.method for _, seen in outcome.seen]
    refused_head = len(outcome.logged) > len(methods) and outcome.received.endswith(b"\r\n\r\n")
    read = answers(outcome.received, (*methods, b"HEAD" if refused_head else b"GET"), ended=bool(outcome.end))
    assert read.statuses == outcome.logged
    assert not read.rest, "bytes that belong to no answer"
    assert len(read.final) - len(outcome.seen) in (0, 1)
    assert all(answer.is_whole for answer in read.final)
    for answer, (_, seen) in zip(read.final, outcome.seen, strict=False):
        assert answer.body == (b"" if seen.method == b"HEAD" else seen.method + b" " + seen.target)
    assert all(400 <= status < 500 for status in read.statuses[len(outcome.seen) :])
    if len(read.final) > len(outcome.seen):
        assert outcome.end, "refused, and still open"


def _check_meant(data: bytes, forwarded: Sequence[Seen]) -> None:
    """h11's own reading of what the client sent, as far as it goes."""
    for seen in forwarded:
        read = _first(data)
        if read is None:
            return
        request, body, data = read
        assert request.method == seen.method
        assert body == seen.body
        hosts = [value for name, value in request.headers if name == b"host"]
        assert hosts in ([], [seen.host])
        try:
            target = parse_target(request.target.decode("latin-1"))
        except BadRequest:
            raise AssertionError("forwarded, though its target is refused") from None
        assert (target.path + target.query).encode() == seen.target


def _first(data: bytes) -> tuple[h11.Request, bytes, bytes] | None:
    """The request that ``data`` begins with, its body, what follows; None when h11 refuses it.

    It refuses some that we take: a field name that is dropped by us may stand there with an odd value.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 22)
    connection.receive_data(data.removeprefix(b"\r\n"))
    request, body = None, b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, body, bytes(connection.trailing_data[0])
        else:
            raise AssertionError(f"forwarded, though to h11 it is not complete: {event}")
