"""Asks the auth service of a route, or remembers what it said. Whatever goes wrong refuses the request."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from ingressd.errors import UpstreamError
from ingressd.policy.ask import Answer, Ask
from ingressd.policy.auth_cache import AuthAnswer, AuthCache, lifetime_s
from ingressd.policy.external_auth import FAILED, Allowed, AuthError, AuthQuestion

if TYPE_CHECKING:
    from ingressd.policy.variables import Extra
    from ingressd.proxy.subrequest import Fetcher

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 65536
"""Of an answer, which nobody reads: so much is waited for, so that the connection can be used again."""
WARN_EACH_S: Final = 10.0  # of one route
_MAX_WARNED: Final = 1024
_NO_EXTRA: Final[dict[str, bytes]] = {}


class AuthAsker:
    """External authentication of one worker, for all its routes."""

    __slots__ = ("_cache", "_fetcher", "_silent_until", "_under_way")

    def __init__(self, fetcher: Fetcher, cache: AuthCache | None = None) -> None:
        self._fetcher = fetcher
        self._cache = AuthCache() if cache is None else cache
        self._silent_until: dict[str, float] = {}
        self._under_way: dict[bytes, asyncio.Future[AuthAnswer | None]] = {}

    def remembered(self, question: AuthQuestion, ask: Ask, extra: Extra = _NO_EXTRA) -> Allowed | Answer | None:
        """The verdict without waiting; None: ``await verdict(…)``."""
        key = question.cache_key(ask, extra)
        answer = None if key is None else self._cache.get(key, monotonic())
        return None if answer is None else question.verdict(ask, answer, extra)

    async def verdict(
        self,
        question: AuthQuestion,
        ask: Ask,
        forwarded_for: bytes = b"",
        extra: Extra = _NO_EXTRA,
        certificate: bytes | None = None,
    ) -> Allowed | Answer:
        """Whether ``ask`` may pass; ``FAILED`` (500) when the service cannot be asked or does not make sense.

        ``forwarded_for`` and ``certificate`` are for ``AuthQuestion.head``. Requests with the same cache key
        wait for one question. Cancelling it (the client left) ends only the caller's own.
        """
        key = question.cache_key(ask, extra)
        if key is None:
            answer = await self._ask(question, ask, forwarded_for, extra, certificate)
        else:
            answer = await self._ask_once(key, question, ask, forwarded_for, extra, certificate)
        return FAILED if answer is None else question.verdict(ask, answer, extra)

    async def _ask_once(
        self,
        key: bytes,
        question: AuthQuestion,
        ask: Ask,
        forwarded_for: bytes,
        extra: Extra,
        certificate: bytes | None,
    ) -> AuthAnswer | None:
        while True:
            kept = self._cache.get(key, monotonic())
            if kept is not None:
                return kept
            under_way = self._under_way.get(key)
            if under_way is None:
                break
            await asyncio.wait((under_way,))
            if not under_way.cancelled():  # else whoever asked has left: the next one asks
                answer = under_way.result()
                if answer is None or lifetime_s(question.settings.cache_rules, answer) > 0.0:
                    return answer
                return await self._ask(question, ask, forwarded_for, extra, certificate)
        under_way = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._ask(question, ask, forwarded_for, extra, certificate)
            under_way.set_result(answer)
        finally:
            del self._under_way[key]
            under_way.cancel()
        if answer is not None:
            self._cache.put(key, answer, lifetime_s(question.settings.cache_rules, answer), monotonic())
        return answer

    async def _ask(
        self, question: AuthQuestion, ask: Ask, forwarded_for: bytes, extra: Extra, certificate: bytes | None
    ) -> AuthAnswer | None:
        try:
            target = question.target(ask, extra)
            head = question.head(ask, target, forwarded_for, extra, certificate)
            fetched = await self._fetcher.fetch(
                target.scheme,
                target.host,
                target.port,
                head,
                question.method,
                question.settings.timeout_s,
                MAX_BODY_BYTES,
            )
        except (AuthError, UpstreamError) as error:
            self._warn(question.settings.scope, error)
            return None
        return AuthAnswer(fetched.status, fetched.fields.onward)

    def _warn(self, scope: str, error: Exception) -> None:
        """A service that is gone fails each request: one line now and then says so, the metrics say how often."""
        now = monotonic()
        if now < self._silent_until.get(scope, 0.0):
            return
        if len(self._silent_until) >= _MAX_WARNED:
            self._silent_until.clear()
        self._silent_until[scope] = now + WARN_EACH_S
        log.warning("external authentication of %s failed: %s", scope, error)
