import re
from pathlib import Path
from typing import Any

import pytest

import ingressd.http.response
import ingressd.proxy.upstream
from ingressd.errors import OUT_OF_DESCRIPTORS
from ingressd.policy import next_upstream
from ingressd.policy.next_upstream import CONDITIONS, MAX_TRIES, NextUpstream, NextUpstreamRule, read_conditions


@pytest.mark.parametrize(
    ("text", "conditions", "non_idempotent"),
    [
        ("error timeout", ("error", "timeout"), False),
        ("  timeout   error error ", ("error", "timeout"), False),
        ("http_503 non_idempotent error", ("error", "http_503"), True),
        ("off", (), False),
        ("error off non_idempotent", (), False),
        ("", (), False),
        (" ".join(CONDITIONS), CONDITIONS, False),
    ],
)
def test_conditions(text: str, conditions: tuple[str, ...], non_idempotent: bool) -> None:
    assert read_conditions(text) == (conditions, non_idempotent)


@pytest.mark.parametrize("word", ["http_501", "ERROR", "updating", "error,timeout", "http_5xx"])
def test_other_words_are_named(word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(word))):
        read_conditions(f"error {word}")


def allows(reason: str, text: str = "error timeout", **facts: Any) -> bool:
    conditions, non_idempotent = read_conditions(text)
    settings = {key: facts.pop(key) for key in ("tries", "timeout_s") if key in facts}
    rule = NextUpstreamRule(NextUpstream(conditions, non_idempotent=non_idempotent, **settings))
    usual = {"attempts": 1, "elapsed_s": 0.0, "unheard": False, "idempotent": True, "replayable": True}
    return rule.allows(reason, **{**usual, **facts})


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("connect_failed", "error"),
        ("closed_before_response", "error"),
        ("closed_in_response", "error"),
        ("tls_handshake_failed", "error"),
        ("connect_timeout", "timeout"),
        ("read_timeout", "timeout"),
        ("send_timeout", "timeout"),
        ("tls_handshake_timeout", "timeout"),
        ("bad_status_line", "invalid_header"),
        ("response_header_too_large", "invalid_header"),
        ("http_500", "http_500"),
        ("http_403", "http_403"),
    ],
)
def test_each_reason_has_its_condition(reason: str, text: str) -> None:
    assert allows(reason, text)
    others = " ".join(condition for condition in CONDITIONS if condition != text)
    assert not allows(reason, others)
    assert not allows(reason, "off")


def test_every_failure_of_an_endpoint_has_a_condition() -> None:
    """But those of a body: by then the client has the head."""
    text = "".join(
        Path(str(module.__file__)).read_text() for module in (ingressd.proxy.upstream, ingressd.http.response)
    )
    reasons = set(re.findall(r'(?:UpstreamError\(\s*|reason = .*)"(\w+)"', text))
    reasons |= set(re.findall(r'"(\w+_timeout)"', text)) | {OUT_OF_DESCRIPTORS}
    known = {reason for words in next_upstream._REASONS.values() for reason in words}
    assert {"bad_status_line", "connect_failed", "read_timeout"} <= reasons
    unplaced = reasons - known - {"bad_response_chunks"}
    assert not unplaced, f"say in policy/next_upstream.py which condition {unplaced} belong to"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, True),
        ({"idempotent": False}, False),
        ({"idempotent": False, "unheard": True}, True),
        ({"idempotent": False, "text": "error non_idempotent"}, True),
        ({"replayable": False}, False),
        ({"replayable": False, "unheard": True, "text": "error non_idempotent"}, False),
        ({"attempts": 2}, True),
        ({"attempts": 3}, False),
        ({"attempts": 3, "tries": 5}, True),
        ({"attempts": 1, "tries": 1}, False),
        ({"attempts": MAX_TRIES - 1, "tries": 0}, True),
        ({"attempts": MAX_TRIES, "tries": 0}, False),
        ({"attempts": MAX_TRIES, "tries": 1000}, False),
        ({"elapsed_s": 9.9, "timeout_s": 10.0}, True),
        ({"elapsed_s": 10.0, "timeout_s": 10.0}, False),
        ({"elapsed_s": 1e6}, True),
        ({"text": "off"}, False),
        ({"text": "off", "unheard": True}, False),
    ],
)
def test_what_allows_another_attempt(facts: dict[str, Any], expected: bool) -> None:
    assert allows("connect_failed", **facts) is expected


def test_a_stale_connection_is_nobodys_failure() -> None:
    assert allows("stale_connection", "off")
    assert allows("stale_connection", "off", idempotent=False, unheard=True)
    assert not allows("stale_connection", "off", idempotent=False)
    assert not allows("stale_connection", "error", replayable=False)


def test_statuses_to_look_at_when_a_head_comes() -> None:
    assert NextUpstreamRule(NextUpstream(("error", "http_502", "http_429"))).statuses == {502, 429}
    assert NextUpstreamRule(NextUpstream()).statuses == frozenset()
