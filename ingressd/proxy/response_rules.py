"""What a route changes in answers on their way to the client: its policies, bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingressd.policy.ask import Ask, without_fields
from ingressd.policy.compression import CompressionRules
from ingressd.policy.cookies import CookieRule
from ingressd.policy.location_fields import LocationRule
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.response_fields import ResponseEditor
from ingressd.proxy.encoding import Encoders, Encoding, has_brotli

if TYPE_CHECKING:
    from ingressd.http.head import RequestHead
    from ingressd.http.response import ResponseHead
    from ingressd.proxy.passage import Passage


class ResponseRules:
    """Raises ValueError for settings that cannot be used."""

    __slots__ = ("_compression", "_cookies", "_location", "bandwidth", "editor", "encoders")

    def __init__(self, policies: RoutePolicies, encoders: Encoders) -> None:
        self.editor = None if policies.response is None else ResponseEditor(policies.response)
        self._cookies = None if policies.cookies is None else CookieRule(policies.cookies)
        self._location = None if policies.location is None else LocationRule(policies.location)
        self._compression: CompressionRules | None = None
        if policies.compression is not None:
            may_use_brotli = policies.compression.brotli is not None and has_brotli()
            self._compression = CompressionRules(policies.compression, has_brotli=may_use_brotli)
        self.bandwidth = policies.bandwidth
        self.encoders = encoders

    def own(self, passage: Passage, *, is_tls: bool) -> bytes:
        """Field lines to add to an answer of ours."""
        return passage.answer_fields if self.editor is None else self.editor.own(passage, is_tls=is_tls)

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

    def edited(self, lines: bytes, ask: Ask, passage: Passage, status: int) -> bytes:
        """The client's lines, made of the upstream's: first what is the upstream's is put right, then ours is added."""
        if self._cookies is not None:
            lines = self._cookies.apply(lines)
        if self._location is not None:
            lines = self._location.apply(lines, ask)
        if self.editor is not None:
            lines = self.editor.edited(lines, passage, is_tls=ask.is_tls)
        elif passage.answer_fields or passage.answer_without:
            lines = without_fields(lines, passage.answer_without) + passage.answer_fields
        if passage.allowed is not None:
            lines += passage.allowed.cookies_for(status)
        return lines + passage.cookie
