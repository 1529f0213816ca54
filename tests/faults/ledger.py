"""The books: which requests were sent, which an origin has read whole, and what each sender got.

Every request has a number. It is in the target, in the body, and in the answer's body, so that a request or an answer
that reached somebody else, or lost a piece and still looks complete, is an entry in ``wrong``.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

NOTHING = "nothing"
"""The connection ended without a byte of an answer."""
CUT = "cut"
"""It ended inside the answer."""
LATE = "late"
"""Nobody answered in the time a patient client waits."""


def text_of(number: int, repeat: int) -> bytes:
    """A body that says everywhere whose it is; its length depends on the number, too."""
    return b"%d;" % number * (1 + number * repeat % 997)


def request_body(number: int) -> bytes:
    return text_of(number, 7)


def answer_body(number: int) -> bytes:
    return text_of(number, 13)


@dataclass(eq=False, slots=True)
class Request:
    """``outcome`` is a status ("200") or one of the words above; ``connection`` the client's local port."""

    number: int
    method: str
    chunked: bool = False
    outcome: str = ""
    sent_at: float = 0.0
    connection: int = 0

    @property
    def body(self) -> bytes:
        return request_body(self.number) if self.method == "POST" else b""

    def __repr__(self) -> str:
        return f"<{self.method} {self.number} {self.outcome or 'open'}>"


@dataclass(eq=False)
class Ledger:
    sent: dict[int, Request] = field(default_factory=dict)
    processed: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    on_settled: list[Callable[[Request], None]] = field(default_factory=list)
    _numbers: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    # -- entries

    def issue(self, method: str, *, chunked: bool = False, connection: int = 0) -> Request:
        """A request that is about to be sent."""
        number = next(iter(self._numbers))
        request = Request(number, method, chunked, sent_at=time.monotonic(), connection=connection)
        self.sent[number] = request
        return request

    def process(self, origin: str, number: int, method: str, body: bytes) -> None:
        """An origin has read a request to its end."""
        request = self.sent.get(number)
        if request is None or request.method != method or body != request.body:
            self.wrong.append(f"{origin} was sent {method} {number} with {len(body)} bytes: {body[:40]!r}")
        self.processed[number].append(origin)

    def settle(self, request: Request, outcome: str, body: bytes = b"") -> None:
        """What the sender got; a 200 counts only with its own body."""
        request.outcome = outcome
        if outcome == "200" and body != answer_body(request.number):
            self.wrong.append(f"{request} got {len(body)} bytes: {body[:40]!r}")
        for told in self.on_settled:
            told(request)

    async def settled(self, requests: Collection[Request]) -> None:
        """Until each of them has come to something."""
        done = asyncio.Event()

        def look(request: Request) -> None:
            if all(one.outcome for one in requests):
                done.set()

        self.on_settled.append(look)
        if not all(one.outcome for one in requests):
            await done.wait()
        self.on_settled.remove(look)

    # -- the balance

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(f"{request.method} {request.outcome}" for request in self.sent.values())

    def unanswered(self) -> set[Request]:
        """Whatever did not get its 200."""
        return {request for request in self.sent.values() if request.outcome != "200"}

    def numbered(self, numbers: Iterable[int], method: str = "") -> set[Request]:
        """Requests by their numbers; of one method, if it is given."""
        found = {self.sent[number] for number in numbers}
        return {request for request in found if not method or request.method == method}

    def open(self) -> set[Request]:
        """Sent, and nothing has come of it yet."""
        return {request for request in self.sent.values() if not request.outcome}

    def duplicated(self) -> list[Request]:
        """POSTs that were processed more than once."""
        return [
            request
            for number, request in self.sent.items()
            if request.method == "POST" and len(self.processed.get(number, ())) > 1
        ]

    def invented(self) -> list[Request]:
        """Answers that no origin gave."""
        return [
            request
            for number, request in self.sent.items()
            if request.outcome == "200" and number not in self.processed
        ]

    def check(self) -> None:
        """What must be true whatever went wrong."""
        assert self.wrong == []
        assert self.duplicated() == []
        assert self.invented() == []
        assert all(request.outcome for request in self.sent.values())

    def __str__(self) -> str:
        repeated = sum(len(origins) > 1 for origins in self.processed.values())
        return (
            f"{len(self.sent)} requests: {dict(sorted(self.outcomes.items()))}; "
            f"POSTs twice {len(self.duplicated())}, GETs twice {repeated}, wrong {len(self.wrong)}"
        )
