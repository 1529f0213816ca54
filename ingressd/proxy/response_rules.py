"""What a route changes in answers on their way to the client: its policies, bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingressd.policy.ask import Ask, Plan
from ingressd.policy.compression import CompressionRules
from ingressd.policy.cookies import CookieRule
from ingressd.policy.location_fields import LocationRule
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.response_fields import FixedEdit, ResponseEditor, ResponseEdits
from ingressd.proxy.encoding import Encoders, Encoding, has_brotli

if TYPE_CHECKING:
    from ingressd.http.head import RequestHead
    from ingressd.http.response import ResponseHead

_NO_EDITS: Final = ResponseEdits()


class ResponseRules:
    """Raises ValueError for settings that cannot be used.

    ``is_fixed``: all that is done to an answer is done by ``edit``, whatever was asked and whatever comes.
    """

    __slots__ = ("_compression", "_location", "_over_http", "_over_tls", "bandwidth", "editor", "encoders", "is_fixed")

    def __init__(self, policies: RoutePolicies, encoders: Encoders) -> None:
        cookies = None if policies.cookies is None else CookieRule(policies.cookies).apply
        self.editor = ResponseEditor(policies.response or _NO_EDITS, before=cookies)
        self._over_http = self.editor.over_http if self.editor.over_http.is_needed else None
        self._over_tls = self.editor.over_tls if self.editor.over_tls.is_needed else None
        self._location = None if policies.location is None else LocationRule(policies.location)
        self._compression: CompressionRules | None = None
        if policies.compression is not None:
            may_use_brotli = policies.compression.brotli is not None and has_brotli()
            self._compression = CompressionRules(policies.compression, has_brotli=may_use_brotli)
        self.bandwidth = policies.bandwidth
        self.encoders = encoders
        self.is_fixed = self._location is None and self._compression is None and self.bandwidth is None

    def own(self, plan: Plan, *, is_tls: bool) -> bytes:
        """Field lines to add to an answer of ours."""
        return self.editor.own(plan, is_tls=is_tls)

    def edit(self, plan: Plan, *, is_tls: bool) -> FixedEdit | None:
        """What is done to the field lines of every answer to such a request; None: nothing."""
        if not plan.answer_fields and not plan.answer_without:
            return self._over_tls if is_tls else self._over_http
        return self.editor.edit(plan, is_tls=is_tls)

    def leaves(self, head: ResponseHead) -> bool:
        """Whether nothing but ``edit`` is done to this answer, whoever gets it."""
        return (
            self._location is None
            and self.bandwidth is None
            and (self._compression is None or self._compression.leaves(head.status, head.fields))
        )

    def encoding(self, head: ResponseHead, ask: Ask, request: RequestHead) -> tuple[bytes, Encoding | None]:
        """The upstream's field lines as they go on, and how the body is compressed, if it is."""
        fields = head.fields
        if self._compression is None:
            return fields.onward, None
        chosen = self._compression.choose(
            ask.field(b"accept-encoding"),
            request.fields.agent,
            method=ask.method,
            minor=ask.minor,
            status=head.status,
            fields=fields,
        )
        if chosen is None:
            return fields.onward, None
        encoding = None if chosen.coding is None else self.encoders.open(chosen.coding, chosen.level)
        return (chosen.plain if encoding is None else chosen.onward), encoding

    def edited(self, lines: bytes, ask: Ask, edit: FixedEdit | None) -> bytes:
        """The client's lines, made of the upstream's: first what is the upstream's is put right, then ours is added.

        ``edit`` is what ``edit`` said.
        """
        if self._location is not None:
            lines = self._location.apply(lines, ask)
        return lines if edit is None else edit.apply(lines)
