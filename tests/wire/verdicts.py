"""What ingressd and h11 each make of the same bytes, in the same words."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import h11

from tests.wire.corpus.reading import Seen
from tests.wire.corpus.wires import Outcome, Wires

MORE, CLOSED, REFUSED = "more", "closed", "refused"
"""How reading ends: more may come, nothing more is read, what comes is no request."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Complete ``requests`` in order; ``ending`` is one of the above, ``reason`` says why in the reader's own words.

    ``head``: of the request after them, if its head was accepted and its body was not, or not yet (h11 only).
    """

    requests: tuple[Seen, ...]
    ending: str
    reason: str = ""
    head: Seen | None = None


def ours(wires: Wires, pieces: Sequence[bytes]) -> Verdict:
    """What ingressd forwards of ``pieces``, and how it goes on. ``wires`` have connections in stock: nothing waits."""
    wires.rejected()
    outcome = at_once(wires.run(pieces))
    rejected = wires.rejected()
    assert outcome.end != "aborted"
    assert sum(rejected.values()) <= 1
    reason = next(iter(rejected), "")
    ending = REFUSED if reason else CLOSED if outcome.end else MORE
    assert not outcome.cut or reason
    assert not outcome.dangling or ending == MORE
    return Verdict(tuple(seen for _, seen in outcome.seen), ending, reason)


def at_once(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """The outcome of a run that waits for nothing, without a loop."""
    try:
        work.send(None)
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome
    raise AssertionError("something waits")


def theirs(raw: bytes) -> Verdict:
    """What h11 as a server reads from ``raw``, answering as it goes."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    if raw:  # nothing at all would mean the end
        connection.receive_data(raw)
    requests: list[Seen] = []
    reader = _Reader(connection)
    ending, reason = MORE, ""
    try:
        while (seen := reader.next_request()) is not None:
            requests.append(seen)
            status = 405 if seen.method == b"CONNECT" else 200  # 200 would make a tunnel of it
            connection.send(h11.Response(status_code=status, headers=[(b"content-length", b"0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                ending = CLOSED
                break
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        ending, reason = REFUSED, str(error)
    return Verdict(tuple(requests), ending, reason, reader.head)


class _Reader:
    def __init__(self, connection: h11.Connection) -> None:
        self._connection = connection
        self.head: Seen | None = None

    def next_request(self) -> Seen | None:
        body = b""
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Request):
                fields = tuple(event.headers)
                host = b", ".join(value for name, value in fields if name == b"host")
                self.head = Seen(event.method, event.target, host, fields, b"")
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                assert isinstance(event, h11.EndOfMessage), event
                assert self.head is not None
                head, self.head = self.head, None
                return replace(head, body=body, trailers=tuple(event.headers))
