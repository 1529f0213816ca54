"""Answers nobody wrote: whatever an endpoint says, its client gets a whole answer or a cut one, the next its own."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.corpus.case import request
from tests.wire.corpus.reading import Seen, answers
from tests.wire.corpus.response_case import STOLEN
from tests.wire.corpus.responses import RESPONSES
from tests.wire.corpus.wires import EndpointWire, Wires, echo, two_routes

_SEEDS = [case.raw for case in RESPONSES if len(case.raw) < 600]
_REQUESTS = sorted({case.request for case in RESPONSES})
_SECOND = request(first=b"GET /second HTTP/1.1")
_TOKENS = [
    *(bytes([byte]) for byte in b"\x00\x01\t\n\x0b\r !+,-.0:;=\x7f\x80\xff"),
    *(b"\r\n", b"\r\n\r\n", b"\n\n", b"\r\n ", b"0\r\n\r\n", b"5\r\nhello\r\n", b"0x", b"00", b"HTTP/1.0", b"HTTP/1.1"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n", b"Connection: keep-alive\r\n", b"Trailer: X-A\r\n"),
    *(b" 204 ", b" 304 ", b" 100 ", b" 101 ", b" 200 ", b"HTTP/1.1 103 Hints\r\n\r\n", b"hello", STOLEN),
]


class _Hostile:
    """Says what a test has set to /x."""

    def __init__(self) -> None:
        self.pieces: Sequence[bytes] = ()
        self.ends = ""

    def __call__(self, wire: EndpointWire, seen: Seen) -> None:
        if seen.target != b"/x":
            echo(wire, seen)
            return
        for piece in self.pieces:
            wire.say(piece)
        if self.ends:
            wire.hang_up(ConnectionResetError() if self.ends == "reset" else None)


_HOSTILE = _Hostile()
_WIRES = Wires(two_routes(), script=_HOSTILE)


@pytest.fixture(scope="module", autouse=True)
def _books_in_order() -> Iterator[None]:
    yield
    _WIRES.close()


@st.composite
def _mutants(draw: st.DrawFn) -> bytes:
    """An answer of the corpus, changed in a few places."""
    data = draw(st.sampled_from(_SEEDS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 0, 1, 2, 8, 30))))
        new = draw(st.one_of(st.sampled_from(_TOKENS), st.just(b""), st.binary(min_size=1, max_size=3)))
        data = data[:start] + new + data[end:]
    return data


@settings(max_examples=500)
@given(st.sampled_from(_REQUESTS), _mutants(), st.floats(0, 1), st.sampled_from(("", "closed", "reset")))
def test_whatever_an_endpoint_says(asked: bytes, raw: bytes, cut: float, ends: str) -> None:
    at = int(len(raw) * cut)
    _HOSTILE.pieces, _HOSTILE.ends = (raw[:at], raw[at:]), ends
    asyncio.run(_ask_twice(asked))


async def _ask_twice(asked: bytes) -> None:
    first = await _WIRES.run([asked])
    second = await _WIRES.run([_SECOND])
    [own] = answers(second.received, (b"GET",), ended=bool(second.end)).final
    assert own.body == b"GET /second"
    if b"Upgrade:" in asked and b"HTTP/1.1 101 " in first.received:
        return  # what follows is the other protocol's
    read = answers(first.received, (asked.partition(b" ")[0],), ended=first.end in ("eof", "closed"))
    assert 101 not in read.statuses
    assert not read.final or not read.rest
    if first.end == "aborted":
        assert not read.final or not read.final[0].is_whole
    elif read.final and read.final[0].is_whole:
        assert len(read.final) == 1
    else:
        assert not first.end, "a cut answer that looks complete"
