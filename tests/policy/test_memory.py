"""Thousands of routes remember something each: together no more than a bound, whatever clients and upstreams send."""

import gc
from collections.abc import Callable, Sequence, Sized

import pytest

from ingressd.http.head import read_request_fields
from ingressd.http.response import read_response_fields
from ingressd.policy.address_list import AddressCheck, AddressLists
from ingressd.policy.ask import Ask
from ingressd.policy.blocks import BlockCheck, Blocks
from ingressd.policy.compression import CodingSettings, Compression, CompressionRules
from ingressd.policy.hashing import Ring
from ingressd.policy.memory import SharedBound
from ingressd.policy.response_fields import ResponseEditor, ResponseEdits

ROUTES = 400


def test_all_together_are_bounded() -> None:
    bound = SharedBound(10)
    first: dict[int, int] = {}
    second: dict[int, int] = {}
    for number in range(8):
        bound.remember(first, number, number, 100)
    bound.remember(second, 0, 0, 100)
    bound.remember(second, 1, 1, 100)
    assert (len(first), len(second)) == (8, 2)
    bound.remember(second, 2, 2, 100)
    assert (first, second) == ({}, {2: 2})
    for number in range(9):
        bound.remember(first, number, number, 100)
    assert (len(first), len(second)) == (9, 1)


def test_each_is_bounded_too() -> None:
    bound = SharedBound(1000)
    memory: dict[int, int] = {}
    for number in range(95):
        bound.remember(memory, number, number, 10)
    assert sorted(memory) == [90, 91, 92, 93, 94]
    other: dict[int, int] = {}
    for number in range(995):
        bound.remember(other, number, number, 2000)
    assert len(memory) + len(other) == 1000  # what was forgotten counts no longer


def _edits() -> Sequence[Sized]:
    editors = [ResponseEditor(ResponseEdits(fields=(("X-Route", str(number)),))) for number in range(ROUTES)]
    for editor in editors:
        for number in range(60):
            editor.edited(b"X: %d\r\n" % number, None, is_tls=False)
    return [editor.over_http._remembered for editor in editors]


def _compressed() -> Sequence[Sized]:
    settings = Compression(gzip=CodingSettings(5, 20, ("text/plain",)))
    rules = [CompressionRules(settings, has_brotli=False) for _ in range(ROUTES)]
    for number in range(60):
        fields = read_response_fields(b"Content-Type: text/plain\r\nX-A: %d\r\n\r\n" % number, 9)
        for one in rules:
            assert one.choose(b"gzip", b"", method=b"GET", minor=1, status=200, fields=fields) is not None
    return [one._remembered for one in rules]


def _admitted() -> Sequence[Sized]:
    checks = [AddressCheck(AddressLists(deny=("10.0.0.0/24",))) for _ in range(ROUTES)]
    for check in checks:
        for number in range(200):
            check.check(f"10.0.1.{number}")
    return [check._verdicts for check in checks]


def _blocked() -> Sequence[Sized]:
    checks = [BlockCheck(Blocks(user_agents=("x",))) for _ in range(ROUTES)]
    for number in range(60):
        fields = read_request_fields(b"Host: a\r\nUser-Agent: %d\r\n\r\n" % number, 9)
        for check in checks:
            check.check(Ask(method=b"GET", path="/", query="", fields=fields, client="::1"))
    return [check._agents._remembered for check in checks if check._agents is not None]


def _hashed() -> Sequence[Sized]:
    rings = [Ring(("a", "b"), ("a", "b")) for _ in range(ROUTES)]
    for ring in rings:
        for number in range(100):
            ring.pick(b"%d" % number)
    return [ring._remembered for ring in rings]


CASES = [(_edits, 4096), (_compressed, 2048), (_admitted, 32768), (_blocked, 8192), (_hashed, 16384)]


@pytest.mark.parametrize(("fill", "most"), CASES)
def test_routes_share_a_bound(fill: Callable[[], Sequence[Sized]], most: int) -> None:
    memories = fill()
    gc.collect()
    assert 0 < sum(map(len, memories)) <= most
