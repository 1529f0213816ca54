"""What a request case is, and short ways to write one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

HOST = b"Host: a.example"
_H2C = re.compile(rb"upgrade:[^\n]*h2c", re.IGNORECASE)
FOLLOWER = b"GET /innocent HTTP/1.1\r\nHost: a.example\r\n\r\n"
"""Joined to every case: a request of its own that must never become part of another, nor follow a refused one."""


def may_offer_h2c(raw: bytes) -> bool:
    """Whether how it goes on after ``raw`` may depend on what is read in one go: see ``requests_upgrade``."""
    return _H2C.search(raw) is not None


@dataclass(frozen=True, slots=True)
class Want:
    """A request as the endpoint must see it. ``has`` are field lines that must be there, ``lacks`` names that must not.

    ``backend`` is ``open`` (route /) or ``admin`` (route /admin).
    """

    target: bytes = b"/x"
    method: bytes = b"GET"
    host: bytes = b"a.example"
    body: bytes = b""
    backend: str = "open"
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Answered by us with ``status``, then closed. No endpoint sees a complete request.

    ``in_body``: the head was sound, so an endpoint may have seen a request that was cut off.
    """

    status: int = 400
    in_body: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """Forwarded as ``wants``, in order. ``then``: the status of a refusal after them.

    ``keeps``: the connection can go on. Without, nothing that follows is read as a request. ``waits``: it goes on only
    when nothing follows before the answer.
    """

    wants: tuple[Want, ...]
    keeps: bool = True
    then: int = 0
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Unfinished:
    """More has to come: nothing is answered, no endpoint sees a complete request."""


@dataclass(frozen=True, slots=True)
class Case:
    """``raw`` is sent by a client; ``reason`` says why it must end so, ``source`` where the idea or rule is from."""

    name: str
    raw: bytes
    expect: Refused | Passed | Unfinished
    reason: str
    source: str

    @property
    def methods(self) -> list[bytes]:
        """Methods of the requests that are answered, for whoever reads the responses."""
        if isinstance(self.expect, Passed):
            return [want.method for want in self.expect.wants] + [b"GET"] * bool(self.expect.then)
        return [b"HEAD" if self.raw.startswith(b"HEAD ") else b"GET"]


def request(
    *lines: bytes, first: bytes = b"GET /x HTTP/1.1", host: bytes | None = HOST, body: bytes = b"", end: bytes = b"\r\n"
) -> bytes:
    """A whole request from its lines; ``host`` None leaves the Host line out."""
    head = (first, *(() if host is None else (host,)), *lines, b"", b"")
    return end.join(head) + body


def post(*lines: bytes, body: bytes = b"", first: bytes = b"POST /x HTTP/1.1") -> bytes:
    """The same with another beginning."""
    return request(*lines, first=first, body=body)


def refused(name: str, raw: bytes, reason: str, source: str, *, status: int = 400, in_body: bool = False) -> Case:
    return Case(name, raw, Refused(status, in_body), reason, source)


def passed(
    name: str, raw: bytes, reason: str, source: str, want: Want, *, keeps: bool = True, waits: bool = False
) -> Case:
    return Case(name, raw, Passed((want,), keeps, waits=waits), reason, source)


def series(name: str, raw: bytes, reason: str, source: str, wants: Sequence[Want], *, then: int = 0) -> Case:
    """Several requests in one go; ``then`` is the status of a refusal after them."""
    return Case(name, raw, Passed(tuple(wants), keeps=not then, then=then), reason, source)


def unfinished(name: str, raw: bytes, reason: str, source: str) -> Case:
    return Case(name, raw, Unfinished(), reason, source)
