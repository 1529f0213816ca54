"""Settings reach workers as msgpack, and are the same there."""

import msgspec
import pytest
from msgspec import Struct

from ingressd.policy.auth_cache import CacheRule
from ingressd.policy.blocks import Blocks
from ingressd.policy.compression import CodingSettings, Compression
from ingressd.policy.external_auth import ExternalAuth
from ingressd.policy.forwarded import Forwarding
from ingressd.policy.request_fields import RequestEdits
from ingressd.policy.response_fields import Hsts, ResponseEdits

SETTINGS: list[Struct] = [
    ExternalAuth("http://a", response_headers=("X-A",), cache_rules=(CacheRule((200, 401), 5.0), CacheRule((), 0.5))),
    Forwarding(client_from_header=True, header="CF-Connecting-IP", trusted=("10.0.0.0/8",)),
    ResponseEdits((("X-A", "b"),), ("X-B",), ("X-C",), hsts=Hsts(preload=True)),
    ResponseEdits(),
    RequestEdits((("X-A", "$host"),), host="b", connection="close"),
    Compression(CodingSettings(1, 256, ("text/css",))),
    Blocks(("~*bot",), networks=("10.0.0.0/8",)),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: type(settings).__name__)
def test_round_trip(settings: Struct) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(settings), type=type(settings)) == settings
