"""Where the requests of a client connection come from, as upstreams, policies and the log are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingressd.http import hops
from ingressd.policy.forwarded import originals
from ingressd.proxy.patience import Patience

if TYPE_CHECKING:
    from ingressd.http.head import RequestFields
    from ingressd.policy.forwarded import ForwardingRules
    from ingressd.proxy.gateway import Gateway


class Provenance(Patience):
    """The part of ``Downstream`` that knows its other end.

    ``client``, ``scheme`` and ``port`` are the connection's own. ``seen_…`` is what holds for the request at hand: the
    same, or what a trusted proxy in front of us said; ``forwarded_fields`` works it out.
    """

    __slots__ = (
        "_forwarded",
        "_forwarded_host",
        "client",
        "port",
        "scheme",
        "seen_authority",
        "seen_client",
        "seen_forwarded_for",
        "seen_port",
        "seen_scheme",
    )

    def __init__(self, gateway: Gateway, scheme: bytes, port: bytes) -> None:
        super().__init__(gateway)
        self.client = self.seen_client = ""
        self.scheme = self.seen_scheme = scheme
        self.port = self.seen_port = port
        self.seen_authority = b""
        self.seen_forwarded_for = b""  # the list, where a proxy in front is trusted
        self._forwarded = b""
        self._forwarded_host: bytes | None = None

    def forwarded_fields(self, fields: RequestFields) -> bytes:
        """Our X-Forwarded-* lines; without rules the same for all requests of a connection with the same Host.

        What a client claims itself goes with them under another name, as in ingress-nginx: X-Original-Forwarded-For.
        """
        rules = self.gateway.forwarding
        host = fields.host_field
        if host is None:
            host = self.local_authority()
        if rules is not None:
            return self._fields_by(rules, host, fields)
        if host != self._forwarded_host:
            self._forwarded_host = self.seen_authority = host
            self.seen_client, self.seen_scheme, self.seen_port = self.client, self.scheme, self.port
            self.seen_forwarded_for = b""
            self._forwarded = hops.forwarded_fields(
                client=self.client.encode("latin-1"), host_field=host, port=self.port, scheme=self.scheme
            )
        return self._forwarded + originals(fields.claimed) if fields.claimed else self._forwarded

    def _fields_by(self, rules: ForwardingRules, host: bytes, fields: RequestFields) -> bytes:
        self._forwarded_host = None  # should the rules go, what they said goes too
        seen = rules.seen_as(self.client, self.scheme, self.port, host, rules.claims_of(fields))
        self.seen_client, self.seen_scheme, self.seen_authority, self.seen_port, self.seen_forwarded_for, lines = seen
        return lines

    def local_authority(self) -> bytes:
        """Address and port the client connected to: Host for an HTTP/1.0 request that has none."""
        name = self.transport.get_extra_info("sockname")
        if not name:
            return b"localhost"
        address = f"[{name[0]}]" if ":" in name[0] else name[0]
        return f"{address}:{name[1]}".encode()
