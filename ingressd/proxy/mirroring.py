"""Copies of requests for somebody whose answers nobody reads: sent and forgotten, or dropped when they are too many."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from ingressd.errors import UpstreamError

if TYPE_CHECKING:
    from ingressd.policy.mirror import MirrorRule
    from ingressd.proxy.gateway import Gateway

log = logging.getLogger(__name__)

MAX_UNDER_WAY: Final = 256
"""Of one worker. A mirror that cannot keep up gets fewer copies, and costs what these hold: 64 KiB each at the most."""
TIMEOUT_S: Final = 10.0
WARN_EACH_S: Final = 10.0
_ANSWER_BYTES: Final = 65536  # of an answer: so much is read, that its connection may be used again


class Mirrors:
    """The copies under way of one worker."""

    __slots__ = ("_gateway", "_silent_until", "under_way")

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._silent_until = 0.0
        self.under_way = 0

    def send(self, rule: MirrorRule, head: bytes, method: bytes, body: bytes) -> None:
        """``body`` is framed as ``head`` says."""
        if self.under_way >= MAX_UNDER_WAY:
            self._warn(f"{MAX_UNDER_WAY} copies of requests are under way, others are dropped")
            return
        self.under_way += 1
        self._gateway.spawn(self._send(rule, head, method, body))

    async def _send(self, rule: MirrorRule, head: bytes, method: bytes, body: bytes) -> None:
        scheme = "https" if rule.is_tls else "http"
        fetch = self._gateway.services.fetcher.fetch
        try:
            await fetch(scheme, rule.hostname, rule.port, head, method, TIMEOUT_S, _ANSWER_BYTES, body)
        except UpstreamError as error:
            self._warn(f"a copy of a request did not reach {rule.hostname}:{rule.port}: {error}")
        finally:
            self.under_way -= 1

    def _warn(self, text: str) -> None:
        """A mirror that is gone fails each copy: one line now and then says so."""
        now = monotonic()
        if now >= self._silent_until:
            self._silent_until = now + WARN_EACH_S
            log.warning("%s", text)
