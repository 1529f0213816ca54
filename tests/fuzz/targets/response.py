"""What an endpoint answers. The first byte chooses request and ending, the others are said.

First ``UpstreamConnection`` alone, under many cuts: the same events, in an order that makes sense. Then the whole way:
the client gets what h11 reads in the answer, or our 502, or a message that is visibly cut off; and the next request,
on the same connection or another one, gets its own answer.
"""

import asyncio
from collections.abc import Sequence

import h11

from tests.fuzz.cuts import many_cuts, random_cut
from tests.fuzz.targets.response_events import Asked, EventConnection
from tests.support.reads import end_of_heads, end_of_read_with_head
from tests.wire.corpus.case import FOLLOWER, request
from tests.wire.corpus.reading import Answer, Seen, answers
from tests.wire.corpus.wires import Client, EndpointWire, Outcome, Wires, echo, two_routes

_ENDS = ("", "eof", "reset", "")


def check(data: bytes) -> None:
    if not data:
        return
    asked = Asked.chosen_by(data[0])
    said, ends = data[1:], _ENDS[data[0] >> 3 & 3]
    whole = EventConnection(asked).hear([said], ends)
    whole.check_order(asked)
    usual = whole
    if whole.is_excessive:
        heads = end_of_heads(said)
        usual = EventConnection(asked).hear([said[:heads], said[heads:]], ends)
        usual.check_order(asked)
        assert usual.of("end"), "there is no message that it exceeds"
    for pieces in many_cuts(said):
        heard = EventConnection(asked).hear(pieces, ends)
        if heard.is_excessive:
            assert whole.is_excessive
            assert end_of_read_with_head(said, pieces) > end_of_heads(said), f"nothing came with the head in {pieces}"
            assert (heard.of("interim"), heard.of("body")) == (usual.of("interim"), []), f"otherwise in {pieces}"
        else:
            assert heard.summary() == usual.summary(), f"otherwise in {pieces}"
    for cut in ([said], random_cut(said)):
        _loop.run_until_complete(_check_relayed(asked, cut, ends))


class _Endpoint:
    """Says what is fuzzed to the first request, and what it was asked to all others."""

    def __init__(self) -> None:
        self.pieces: Sequence[bytes] = ()
        self.ends = ""
        self.asked: list[EndpointWire] = []

    def __call__(self, wire: EndpointWire, seen: Seen) -> None:
        if seen.target != b"/x":
            echo(wire, seen)
            return
        self.asked.append(wire)
        for piece in self.pieces:
            wire.say(piece)
        if self.ends:
            wire.hang_up(ConnectionResetError() if self.ends == "reset" else None)


_loop = asyncio.new_event_loop()
_endpoint = _Endpoint()
_wires = Wires(two_routes(), script=_endpoint)


async def _check_relayed(asked: Asked, pieces: Sequence[bytes], ends: str) -> None:
    _endpoint.pieces, _endpoint.ends, _endpoint.asked = pieces, ends, []
    client = Client(_wires)
    await client.send(_request(asked))
    followed = bool(_wires.log.records) and not client.wire.end
    if followed:
        await client.send(FOLLOWER)
    outcome = await client.leave()
    other = await _wires.run([FOLLOWER])
    [answer] = answers(other.received, (b"GET",), ended=False).final
    assert (answer.status, answer.body) == (200, b"GET /innocent"), "somebody else's answer"
    _check_received(asked, b"".join(pieces), ends, outcome, followed=followed)


def _request(asked: Asked) -> bytes:
    offer = (b"Connection: upgrade", b"Upgrade: " + asked.upgrade) if asked.upgrade else ()
    return request(*offer, first=b"%b /x HTTP/1.%d" % (asked.method, asked.minor))


def _check_received(asked: Asked, said: bytes, ends: str, outcome: Outcome, *, followed: bool) -> None:
    ended = outcome.end in ("eof", "closed")
    if b"HTTP/1.1 101 " in outcome.received and asked.upgrade:
        return  # from there on it is no longer HTTP
    got = answers(outcome.received, (asked.method, b"GET")[: 2 if followed else 1], ended=ended)
    if not got.final:
        assert not ended, "ended without an answer"
        return
    first = got.final[0]
    assert not got.rest
    assert first.is_whole or not ended, "a part of an answer, and an orderly end"
    if followed:
        assert got.final[1].body == b"GET /innocent", "somebody else's answer"
    if first.status == 502 and first.body == (b"" if asked.method == b"HEAD" else b"502 Bad Gateway\n"):
        return  # ours
    theirs = _h11_reads(asked, said, ended=ends == "eof")
    if theirs is not None:
        _check_same(first, theirs)


def _h11_reads(asked: Asked, said: bytes, *, ended: bool) -> Answer | None:
    """The final answer in the endpoint's own words; None: h11 refuses them, as it does with some that we take."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 22)
    connection.send(h11.Request(method=asked.method, target=b"/", headers=[(b"host", b"a")]))
    connection.send(h11.EndOfMessage())
    head, body = None, b""
    connection.receive_data(said)
    while True:
        try:
            event = connection.next_event()
            if event is h11.NEED_DATA and ended:
                ended = False
                connection.receive_data(b"")
                event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif not isinstance(event, h11.InformationalResponse):
            whole = isinstance(event, h11.EndOfMessage)
            return None if head is None else Answer(head.status_code, tuple(head.headers), body, whole)


def _check_same(first: Answer, theirs: Answer) -> None:
    assert first.status == theirs.status
    assert theirs.body.startswith(first.body)
    assert first.body == theirs.body or not first.is_whole
    assert first.is_whole <= theirs.is_whole, "a short answer that looks whole"
