"""Where a body ends (RFC 9112 §6-7).

Bodies are counted and passed on; only chunk framing is taken apart and made anew.
"""

import re

from ingressd.http.fields import may_be_trailer

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb"\"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*\""
# RFC 9112 §7.1. No sign, no "0x", no space; 15 hexadecimal digits stay below 2**63. Extensions are read, not passed on.
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*" % (_TOKEN, _TOKEN, _QUOTED)
)
# White space before the value is a part of it until it is stripped: two neighbours that both take it would try every
# border between them before they refuse a line, 0.7 s for one of 8 KiB.
_TRAILER_LINE = re.compile(rb"(%b):([\t\x20-\x7e\x80-\xff]*)" % _TOKEN)
_PLAIN_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_MAX_CHUNK_LINE_BYTES = 256  # a size and modest extensions; anything longer only costs us memory
_MAX_TRAILER_BYTES = 8192

LAST_CHUNK = b"0\r\n\r\n"


class FramingError(ValueError):
    """The body's framing is not what RFC 9112 §7 allows."""


class ChunkReader:
    """Takes chunked coding apart, incrementally and strictly.

    ``feed`` returns the payload found in the bytes given; after ``done`` the rest of the last read is in ``rest`` and
    trailer fields that may be passed on are in ``trailers`` (field lines with CRLF).
    """

    __slots__ = ("_line", "_need", "_step", "_trailer_bytes", "done", "rest", "trailers")

    def __init__(self) -> None:
        self._step = _SIZE
        self._need = 0  # payload bytes still to come in this chunk
        self._line = b""  # an unfinished line, bounded
        self._trailer_bytes = 0
        self.trailers = b""
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Payload pieces of ``data``.

        Raises:
            FramingError: the coding is malformed; nothing more may be read from the connection.
        """
        payload: list[bytes] = []
        at = 0
        end = len(data)
        while at < end and not self.done:
            if self._step is _SIZE and not self._line:
                at = self._take_whole_chunks(data, at, payload)
                if at == end:
                    break
            if self._step is _PAYLOAD:
                piece = data if at == 0 and end <= self._need else data[at : at + self._need]
                payload.append(piece)
                at += len(piece)
                self._need -= len(piece)
                if not self._need:
                    self._step = _PAYLOAD_END
            else:
                at = self._feed_line(data, at)
        if self.done:
            self.rest = data[at:]
        return payload

    def _take_whole_chunks(self, data: bytes, at: int, payload: list[bytes]) -> int:
        """Chunks that are plain and all there, up to the first that is not. Only speed: a client may send chunks of a
        byte, and a read of them would hold up everybody else five times as long.
        """
        while True:
            match = _PLAIN_CHUNK_LINE.match(data, at)
            if match is None:
                return at
            begin = match.end()
            stop = begin + int(match[1], 16)
            if stop == begin or data[stop : stop + 2] != b"\r\n":
                return at
            payload.append(data[begin:stop])
            at = stop + 2

    def _feed_line(self, data: bytes, at: int) -> int:
        limit = 2 if self._step is _PAYLOAD_END else _MAX_CHUNK_LINE_BYTES
        if self._step is _TRAILER:
            limit = _MAX_TRAILER_BYTES
        newline = data.find(b"\n", at)
        stop = len(data) if newline < 0 else newline + 1
        self._line += data[at : min(stop, at + limit + 1)]
        if len(self._line) > limit:
            raise FramingError("a chunk or trailer line is too long")
        if newline >= 0:
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n"):
                raise FramingError("a line of the chunked coding does not end in CRLF")
            self._take_line(line[:-2])
        elif self._step is _PAYLOAD_END and self._line != b"\r":
            raise FramingError("chunk data is longer than its announced size")
        elif b"\r" in self._line[:-1]:
            raise FramingError("a CR alone in a line of the chunked coding")
        return stop

    def _take_line(self, line: bytes) -> None:
        if self._step is _SIZE:
            match = _CHUNK_LINE.fullmatch(line)
            if match is None:
                raise FramingError("not a chunk size")
            self._need = int(match.group(1), 16)
            self._step = _PAYLOAD if self._need else _TRAILER
        elif self._step is _PAYLOAD_END:
            if line:
                raise FramingError("chunk data is longer than its announced size")
            self._step = _SIZE
        elif line:
            self._take_trailer(line)
        else:
            self.done = True

    def _take_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + 2
        match = _TRAILER_LINE.fullmatch(line)
        if match is None or self._trailer_bytes > _MAX_TRAILER_BYTES:
            raise FramingError("a malformed or too large trailer section")
        name, value = match.groups()
        if may_be_trailer(name):
            self.trailers += name + b": " + value.strip() + b"\r\n"


_SIZE, _PAYLOAD, _PAYLOAD_END, _TRAILER = range(4)


def encode_chunk(payload: list[bytes]) -> bytes:
    """One chunk holding all of ``payload``, which is not empty in total (a chunk of size 0 would end the body)."""
    if len(payload) == 1:
        return b"%x\r\n%b\r\n" % (len(payload[0]), payload[0])
    size = sum(map(len, payload))
    return b"%x\r\n%b\r\n" % (size, b"".join(payload))


def encode_end(trailers: bytes = b"") -> bytes:
    """The last chunk with its trailer section (field lines with CRLF)."""
    return b"0\r\n" + trailers + b"\r\n"
