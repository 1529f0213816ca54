"""What a response case is, and short ways to write one."""

from dataclasses import dataclass

from tests.wire.corpus.case import request

OK = b"HTTP/1.1 200 OK\r\n"
STOLEN = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
"""Follows a response uninvited, and must become nobody's answer."""
GET = request()


@dataclass(frozen=True, slots=True)
class Clean:
    """The client gets exactly this. ``has`` are field lines, ``lacks`` names; ``interim`` 1xx before it.

    ``reusable``: the endpoint's connection may serve another request; ``keeps``: so may the client's. ``excess``: the
    end of what the endpoint says, which is more than the message has: 502 when it comes in the read that brings the
    final head, since nothing of the answer went to the client by then.
    """

    status: int = 200
    body: bytes = b""
    reusable: bool = True
    keeps: bool = True
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()
    interim: tuple[int, ...] = ()
    trailers: tuple[bytes, ...] = ()
    excess: bytes = b""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing of it reaches the client, who gets our own 502. ``attempts``: how often the endpoint was asked."""

    attempts: int = 1
    interim: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """The client sees that the message is cut off: a part of ``body`` and a reset, or a 502 when nothing was sent."""

    body: bytes = b"hello"


@dataclass(frozen=True, slots=True)
class Case:
    """``raw`` is what the endpoint says to ``request``; then it goes on, closes (``ends``) or resets.

    ``delimits_itself``: more bytes behind it are no part of it.
    """

    name: str
    raw: bytes
    expect: Clean | Failed | Cut
    reason: str
    source: str
    request: bytes = GET
    ends: str = ""
    delimits_itself: bool = True

    @property
    def method(self) -> bytes:
        return self.request.partition(b" ")[0]


def response(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK", body: bytes = b"", end: bytes = b"\r\n") -> bytes:
    """A whole response from its lines."""
    return end.join((status, *lines, b"", b"")) + body


def failed(name: str, raw: bytes, reason: str, source: str, *, request: bytes = GET) -> Case:
    return Case(name, raw, Failed(), reason, source, request)


def cut(name: str, raw: bytes, reason: str, source: str, *, body: bytes = b"hello", ends: str = "") -> Case:
    return Case(name, raw, Cut(body), reason, source, ends=ends, delimits_itself=not ends)
