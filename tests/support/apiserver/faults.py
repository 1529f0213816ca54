"""Faults to be committed on command. A fault waits here until a request or a watch matches it, and is used up by it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.apiserver.request_info import RequestInfo

# Committed instead of (or around) the answer to a request.
REQUEST_FAULTS = frozenset(
    (
        "close",  # close the connection without an answer
        "reset",  # RST without an answer
        "black_hole",  # never answer
        "slow",  # wait delay_s, then answer
        "truncate_body",  # promise the whole answer, close in the middle
        "text_body",  # 200 with a body that is not JSON (option text)
        "unauthorized",  # 401
        "forbidden",  # 403
        "too_many_requests",  # 429 (option retry_after_s)
        "internal_error",  # 500
        "unavailable",  # 503 (option retry_after_s)
        "gateway_timeout",  # 504
        "html_502",  # a load balancer's page instead of the server's answer
        "gone",  # 410 as HTTP status
        "too_large_resource_version",  # 504 with its cause
        "watch_list_off",  # 422 to sendInitialEvents
    )
)
# Committed on a watch stream, open already or opened later.
STREAM_FAULTS = frozenset(
    (
        "end_watch",  # clean end of the body, even before the first byte
        "close_watch",  # FIN in the middle of the body
        "reset_watch",  # RST in the middle of the body
        "silence",  # connection stays, not a byte comes any more
        "slow_lines",  # each piece of a line waits delay_s
        "half_line",  # truncated line, then close
        "undecodable_line",  # a line that is not JSON; the stream goes on
        "text_line",  # a proxy's complaint in plain text, then a clean end
        "unknown_event",  # an event of a type nobody knows; the stream goes on
        "gone_event",  # 410 as an ERROR event
        "error_event",  # an ERROR event with another code (option code)
        "no_bookmarks",  # no bookmarks on this stream
        "huge_object",  # a MODIFIED event of size_bytes (default 2 MiB)
    )
)
_numbers = itertools.count(1)


@dataclass(slots=True)
class Fault:
    name: str
    resource: str = ""
    verb: str = ""
    namespace: str | None = None
    object_name: str = ""
    count: int | None = 1  # None: until cleared
    after: int = 0  # matching requests to let pass first
    options: dict[str, Any] = field(default_factory=dict)
    number: int = field(default_factory=lambda: next(_numbers))
    committed: int = 0

    def __post_init__(self) -> None:
        if self.name not in REQUEST_FAULTS | STREAM_FAULTS:
            raise ValueError(f"no such fault: {self.name}")

    def matches(self, info: RequestInfo, query: dict[str, str]) -> bool:
        if self.name == "watch_list_off" and not (info.verb == "watch" and "sendInitialEvents" in query):
            return False
        return (
            self.resource in ("", info.resource)
            and self.verb in ("", info.verb)
            and self.namespace in (None, info.namespace)
            and self.object_name in ("", info.name)
        )


class Faults:
    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._listeners: set[Callable[[], None]] = set()

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)
        for listener in tuple(self._listeners):
            listener()

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[Fault]:
        return list(self._waiting)

    def take(
        self, names: frozenset[str], info: RequestInfo, query: dict[str, str], asked: set[int] | None = None
    ) -> Fault | None:
        """The first fault that this request or stream must commit, if any. A stream asks again and again, and says
        in `asked` which faults it was asked for already: each counts a stream once.
        """
        for fault in self._waiting:
            if fault.name not in names or not fault.matches(info, query):
                continue
            if asked is not None:
                if fault.number in asked:
                    continue
                asked.add(fault.number)
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.committed += 1
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
            return fault
        return None

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.add(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.discard(listener)
