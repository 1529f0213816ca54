"""``Phase.ACCESS`` of one route: address lists, basic and external authentication, as ``satisfy`` combines them.

Most requests are decided at once: by address, by a password or an answer that is remembered. The others wait for a
``Pending``, while ``proxy/held`` keeps their connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ingressd.policy.address_list import AddressCheck
from ingressd.policy.ask import Answer, Ask
from ingressd.policy.basic_auth import UNAVAILABLE, BasicAuth, BasicCheck
from ingressd.policy.client_certificate import upstream_lines
from ingressd.policy.external_auth import Allowed, AuthQuestion, ExternalAuth
from ingressd.policy.htpasswd import Question, Users
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.satisfy import Access, Verdict
from ingressd.proxy.passage import Passage
from ingressd.proxy.password_checks import ChecksUnavailable

if TYPE_CHECKING:
    from ingressd.policy.variables import Extra
    from ingressd.proxy.external_auth import AuthAsker
    from ingressd.proxy.gateway import Gateway

_DENIED = Answer(503, "denied")
_PASSED, _SILENT = Verdict.PASSED, Verdict.SILENT  # looking into an enum costs more than a comparison


class Pending(Protocol):
    """A verdict that somebody else has to give."""

    async def verdict(self) -> Verdict | Answer: ...
    def drop(self) -> None:
        """Nobody waits for it any more."""


Check = Callable[[Ask, Passage], Verdict | Answer | Pending]


class Awaited:
    """What is left of the checks of one request: ``answer`` once, then it may pass (None) or not."""

    __slots__ = ("_access", "_ask", "_left", "_passage", "_pending")

    def __init__(self, access: Access, pending: Pending, left: Sequence[Check], ask: Ask, passage: Passage) -> None:
        self._access = access
        self._pending = pending
        self._left = left
        self._ask = ask
        self._passage = passage

    async def answer(self) -> Answer | None:
        verdict = await self._pending.verdict()
        left = iter(self._left)
        while not self._access.settles(verdict):
            check = next(left, None)
            if check is None:
                break
            found = check(self._ask, self._passage)
            if isinstance(found, Verdict | Answer):
                verdict = found
            else:
                self._pending = found
                verdict = await found.verdict()
        return self._access.answer

    def drop(self) -> None:
        """The client is gone."""
        self._pending.drop()


class AccessRule:
    """The checks of a route, in the order in which they are made."""

    __slots__ = ("_checks", "_is_any")

    def __init__(self, checks: tuple[Check, ...], *, is_any: bool) -> None:
        self._checks = checks
        self._is_any = is_any

    @classmethod
    def bind(cls, policies: RoutePolicies, gateway: Gateway, extra: Extra) -> AccessRule | None:
        """None: everybody may pass. Raises ValueError for settings that cannot be used."""
        checks: list[Check] = []
        if policies.addresses is not None:
            checks.append(_by_address(AddressCheck(policies.addresses)))
        if policies.basic_auth is not None:
            checks.append(_BasicStep(policies.basic_auth, gateway))
        if policies.external_auth is not None:
            checks.append(_ExternalStep(policies.external_auth, gateway, extra))
        return cls(tuple(checks), is_any=policies.satisfy_any) if checks else None

    def rule(self, ask: Ask, passage: Passage) -> Answer | Awaited | None:
        """The answer, None when the request may pass, or what has to be awaited."""
        if self._is_any:
            return self._any(ask, passage)
        # As ``Access`` combines them, which is made only when there is something to wait for.
        for index, check in enumerate(self._checks):
            verdict = check(ask, passage)
            if verdict is _PASSED or verdict is _SILENT:
                continue
            if isinstance(verdict, Answer):
                return verdict
            assert not isinstance(verdict, Verdict)  # noqa: S101 - there is no third one
            return Awaited(Access(is_any=False), verdict, self._checks[index + 1 :], ask, passage)
        return None

    def _any(self, ask: Ask, passage: Passage) -> Answer | Awaited | None:
        access = Access(is_any=True)
        checks = self._checks
        for index, check in enumerate(checks):
            verdict = check(ask, passage)
            if not isinstance(verdict, Verdict | Answer):
                return Awaited(access, verdict, checks[index + 1 :], ask, passage)
            if access.settles(verdict):
                break
        return access.answer


def _by_address(addresses: AddressCheck) -> Check:
    return lambda ask, passage: addresses.check(ask.client)


class _BasicStep:
    """Basic authentication against the users of this moment."""

    __slots__ = ("_cell", "_check", "_gateway", "_settings", "_users")

    def __init__(self, settings: BasicAuth, gateway: Gateway) -> None:
        self._settings = settings
        self._gateway = gateway
        self._cell = gateway.materials.cell(settings.users)
        self._users: object = None
        self._check: BasicCheck | None = None

    def __call__(self, ask: Ask, passage: Passage) -> Verdict | Answer | Pending:
        users = self._cell.ready
        if users is not self._users or self._check is None:
            if not isinstance(users, Users):
                return _DENIED
            self._users, self._check = users, BasicCheck(self._settings, users)
        check = self._check
        question = check.question(ask.field(b"authorization"))
        if question is None:
            return check.refusal
        try:
            right = self._gateway.services.passwords.check(question.hash, question.password, ask.client)
        except ChecksUnavailable:
            return UNAVAILABLE
        return check.verdict(question, right) if isinstance(right, bool) else _PasswordPending(right, check, question)


class _PasswordPending:
    __slots__ = ("_check", "_question", "_right")

    def __init__(self, right: asyncio.Future[bool], check: BasicCheck, question: Question) -> None:
        self._right = right
        self._check = check
        self._question = question

    async def verdict(self) -> Verdict | Answer:
        try:
            return self._check.verdict(self._question, await self._right)
        except ChecksUnavailable:
            return UNAVAILABLE

    def drop(self) -> None:
        self._right.cancel()


class _ExternalStep:
    """External authentication, with the fields for the service as they are at this moment."""

    __slots__ = ("_asker", "_cell", "_extra", "_headers", "_question", "_settings")

    def __init__(self, settings: ExternalAuth, gateway: Gateway, extra: Extra) -> None:
        self._settings = settings
        self._asker = gateway.services.asker
        self._extra = extra
        self._cell = gateway.materials.cell(settings.headers) if settings.headers else None
        self._headers: object = ()
        # Bound once without them, so that settings that cannot be used deny the route when it is bound.
        self._question: AuthQuestion | None = AuthQuestion(settings)

    def __call__(self, ask: Ask, passage: Passage) -> Verdict | Answer | Pending:
        question = self._question if self._cell is None else self._question_with(self._cell.ready)
        if question is None:
            return _DENIED
        extra = self._extra
        if passage.forwarded_for:
            extra = {**extra, "proxy_add_x_forwarded_for": passage.forwarded_for}
        known = self._asker.remembered(question, ask, extra)
        if known is not None:
            return _told(known, passage)
        return _AuthPending(self._asker, question, ask, passage, extra)

    def _question_with(self, headers: object) -> AuthQuestion | None:
        if headers is not self._headers:
            self._headers = headers
            try:
                self._question = AuthQuestion(self._settings, headers) if isinstance(headers, tuple) else None
            except ValueError:
                self._question = None
        return self._question


class _AuthPending:
    __slots__ = ("_ask", "_asker", "_extra", "_passage", "_question")

    def __init__(self, asker: AuthAsker, question: AuthQuestion, ask: Ask, passage: Passage, extra: Extra) -> None:
        self._asker = asker
        self._question = question
        self._ask = ask
        self._passage = passage
        self._extra = extra

    async def verdict(self) -> Verdict | Answer:
        passage, certificates = self._passage, self._passage.gate.certificates
        shown = None if certificates is None else upstream_lines(certificates.now(), passage.connection)
        told = await self._asker.verdict(self._question, self._ask, passage.forwarded_for, self._extra, shown)
        return _told(told, passage)

    def drop(self) -> None:
        """Cancelling whoever waits ends the question."""


def _told(verdict: Allowed | Answer, passage: Passage) -> Verdict | Answer:
    if isinstance(verdict, Answer):
        return verdict
    verdict.apply(passage)
    passage.allowed = verdict
    return Verdict.PASSED
