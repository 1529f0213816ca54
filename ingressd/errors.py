"""One short tree of errors: whose fault it is, and whether the request may be tried again.

Only ``proxy/respond`` turns a ``ProxyError`` into an HTTP status; only ``cli`` turns the others into an exit code.
"""

from enum import Enum


class IngressdError(Exception):
    """Anything this program raises on purpose."""


class StartError(IngressdError):
    """ingressd cannot start or lost what it cannot run without; the text is the one line the user sees (exit 1)."""


class UsageError(IngressdError):
    """The command line is wrong; the text says what to change (exit 2)."""


class Source(Enum):
    """Whose fault a failed exchange is."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    INTERNAL = "internal"


class ProxyError(IngressdError):
    """An exchange that cannot go on. ``reason`` is a stable snake_case word: a metric label and a log field."""

    source = Source.INTERNAL

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class BadRequest(ProxyError):
    """The client's message is malformed, ambiguous or over a limit; it is refused and the connection closed."""

    source = Source.DOWNSTREAM


OUT_OF_DESCRIPTORS = "no_descriptors"
"""Reason of an ``UpstreamError``: this process may open nothing more, which says nothing of the endpoint."""


class UpstreamError(ProxyError):
    """The endpoint failed us. ``unheard``: it has certainly not got a byte of the request, so any may be sent again."""

    source = Source.UPSTREAM

    def __init__(self, reason: str, detail: str = "", *, unheard: bool = False) -> None:
        super().__init__(reason, detail)
        self.unheard = unheard
