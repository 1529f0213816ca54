"""The chunk reader: held against a plain reading of the whole, under every cut, and h11 reads what we make of it."""

import re
from dataclasses import dataclass

import h11

from ingressd.http.framing import ChunkReader, FramingError, encode_chunk, encode_end
from tests.fuzz.cuts import many_cuts

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r\n")
_TRAILERS = re.compile(rb"(?:[^\r\n:]+:[^\r\n]*\r\n)*\r\n")
_POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Read:
    """What was understood of some bytes. ``done``: to the end of the body; ``rest``: what follows it."""

    payload: bytes
    done: bool
    rest: bytes = b""
    trailers: bytes = b""


def check(data: bytes) -> None:
    whole = read([data])
    for pieces in many_cuts(data):
        assert read(pieces) == whole, f"another reading when cut like this: {pieces}"
    if whole is None:
        return
    plain = _plainly(data)
    assert whole.payload == plain.payload, "payload that was not announced"
    assert (whole.done, whole.rest) == (plain.done, plain.rest)
    if whole.done:
        _check_onward(whole)


def read(pieces: list[bytes]) -> Read | None:
    """What ``ChunkReader`` makes of ``pieces``; None: it refuses them."""
    reader = ChunkReader()
    payload = b""
    for number, piece in enumerate(pieces):
        try:
            payload += b"".join(reader.feed(piece))
        except FramingError:
            return None
        if reader.done:
            return Read(payload, True, reader.rest + b"".join(pieces[number + 1 :]), reader.trailers)
    return Read(payload, False)


def _plainly(data: bytes) -> Read:
    """As RFC 9112 §7.1.3 puts it in words, of bytes that are known to be well formed as far as they go."""
    payload = b""
    while (line := _SIZE_LINE.match(data)) is not None:
        size = int(line.group(1), 16)
        data = data[line.end() :]
        if not size:
            end = _TRAILERS.match(data)
            return Read(payload, False) if end is None else Read(payload, True, data[end.end() :])
        payload += data[:size]
        if len(data) < size + 2:
            break
        assert data[size : size + 2] == b"\r\n"
        data = data[size + 2 :]
    return Read(payload, False)


def _check_onward(whole: Read) -> None:
    """What we write of it is one body with that payload and those trailers, and nothing is left."""
    coded = (encode_chunk([whole.payload]) if whole.payload else b"") + encode_end(whole.trailers)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(_POST + coded)
    assert isinstance(connection.next_event(), h11.Request)
    payload = b""
    while isinstance(event := connection.next_event(), h11.Data):
        payload += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert payload == whole.payload
    assert b"".join(name + b": " + value + b"\r\n" for name, value in event.headers.raw_items()) == whole.trailers
    assert connection.trailing_data == (b"", False)
