"""Clients nobody wants."""

import pytest

from ingressd.http.head import read_request_fields
from ingressd.policy.ask import Ask
from ingressd.policy.blocks import BlockCheck, Blocks, split_entries
from ingressd.policy.pattern import PatternError


def reason(blocks: Blocks, *lines: str, client: str = "192.0.2.1") -> str | None:
    block = "".join(f"{line}\r\n" for line in ("Host: a", *lines, ""))
    ask = Ask(method=b"GET", path="/", query="", fields=read_request_fields(block.encode("latin-1"), 9), client=client)
    check = BlockCheck(blocks)
    answers = [check.check(ask) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0] is None or answers[0].status == 403
    return None if answers[0] is None else answers[0].reason


@pytest.mark.parametrize(
    ("entry", "agent", "is_blocked"),
    [
        ("curl/8.0", "curl/8.0", True),
        ("curl/8.0", "CURL/8.0", True),  # nginx's map ignores case
        ("curl/8.0", "curl/8.0.1", False),
        ("~*bot", "A BOT here", True),
        ("~bot", "A BOT here", False),
        ("~bot", "a bot here", True),
        ("~^$", "", True),
        ("~*x", "", False),
        ("\\~odd", "~odd", True),
        ("caf\xe9", "caf\xc3\xa9", True),
    ],
)
def test_user_agents_and_referers(entry: str, agent: str, is_blocked: bool) -> None:
    lines = (f"User-Agent: {agent}",) if agent else ()
    assert reason(Blocks(user_agents=("never", entry)), *lines) == ("user-agent-blocked" if is_blocked else None)
    lines = (f"Referer: {agent}",) if agent else ()
    assert reason(Blocks(referers=(entry,)), *lines) == ("referer-blocked" if is_blocked else None)


@pytest.mark.parametrize(
    ("client", "is_blocked"),
    [("192.0.2.1", True), ("192.0.3.1", False), ("2001:db8::1", True), ("2001:db9::1", False), ("odd", True)],
)
def test_addresses(client: str, is_blocked: bool) -> None:
    blocks = Blocks(networks=("192.0.2.0/24", "2001:db8::/32"))
    assert reason(blocks, client=client) == ("address-blocked" if is_blocked else None)
    assert reason(Blocks(), client=client) is None


def test_a_pattern_that_cannot_be_used_is_refused_at_once() -> None:
    with pytest.raises(PatternError):
        BlockCheck(Blocks(user_agents=("~*(",)))


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a, b ,c", ("a", "b", "c")),
        ("~*Mozilla/5\\.0 (X, '", ("~*Mozilla/5\\.0 (X", "'")),
        ('"a, b", c', ("a, b", "c")),
        ("'a, b','c'", ("a, b", "c")),
        ("", ()),
        (" , ,", ()),
    ],
)
def test_entries(text: str, entries: tuple[str, ...]) -> None:
    assert split_entries(text) == entries


def test_what_is_remembered_is_bounded() -> None:
    check = BlockCheck(Blocks(user_agents=("x",)))
    for number in range(3000):
        fields = read_request_fields(b"Host: a\r\nUser-Agent: %d\r\n\r\n" % number, 9)
        check.check(Ask(method=b"GET", path="/", query="", fields=fields, client="::1"))
    assert check._agents is not None
    assert len(check._agents._remembered) <= 1024
