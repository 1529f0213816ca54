"""Answers of external authentication, kept for as long as both its owner and the answer itself allow.

Bounded in number and size. No secret is kept: keys are digests, and an answer with a cookie is for whom it was made.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

from ingressd.policy.ask import field_value

MAX_ANSWERS: Final = 4096
MAX_ANSWER_BYTES: Final = 4096
"""Of the fields of one answer; one with more is not kept. Together 16 MiB for each worker at the very most."""

_AGE = re.compile(rb"(?:^|,)\s*(s-maxage|max-age)=\"?([0-9]{1,9})\"?\s*(?=,|$)")
_FORBIDS = re.compile(rb"(?:^|,)\s*(?:no-store|no-cache|private)\s*(?:=|,|$)")
_HARMLESS_VARY: Final = frozenset({b"accept", b"accept-encoding", b"accept-language", b"origin", b""})


class CacheRule(NamedTuple):
    """Answers with one of ``statuses`` (none: with any) are kept for ``seconds``."""

    statuses: tuple[int, ...]
    seconds: float


class AuthAnswer(NamedTuple):
    """What the service said. ``lines`` are its end-to-end fields, each ending in CRLF."""

    status: int
    lines: bytes


def cache_digest(*parts: bytes) -> bytes:
    """A key that tells nothing of its parts, however long they are."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(b"%d:" % len(part))
        hashed.update(part)
    return hashed.digest()


def lifetime_s(rules: Iterable[CacheRule], answer: AuthAnswer) -> float:
    """Seconds for which ``answer`` may be kept; 0: not at all. As in nginx its own Cache-Control goes first.

    One that sets a cookie is never kept, as there: the next request with the same key may be somebody else's. What we
    do not work out (Expires, a Vary that names credentials) forbids keeping it.
    """
    if field_value(answer.lines, b"set-cookie") is not None:
        return 0.0
    said = field_value(answer.lines, b"cache-control")
    if said is not None:
        said = said.lower()
        if _FORBIDS.search(said):
            return 0.0
        ages = dict(_AGE.findall(said))
        age = ages.get(b"s-maxage", ages.get(b"max-age"))
        if age is not None:
            return float(age) if _rule_seconds(rules, answer.status) else 0.0
    if field_value(answer.lines, b"expires") is not None:
        return 0.0
    vary = field_value(answer.lines, b"vary")
    if vary is not None and not {name.strip() for name in vary.lower().split(b",")} <= _HARMLESS_VARY:
        return 0.0
    return _rule_seconds(rules, answer.status)


def _rule_seconds(rules: Iterable[CacheRule], status: int) -> float:
    for rule in rules:
        if not rule.statuses or status in rule.statuses:
            return rule.seconds
    return 0.0


class AuthCache:
    """The kept answers of one worker, for all routes. ``now`` is monotonic seconds."""

    __slots__ = ("_answers", "_max_answers")

    def __init__(self, max_answers: int = MAX_ANSWERS) -> None:
        self._answers: dict[bytes, tuple[float, AuthAnswer]] = {}  # the one used last comes last
        self._max_answers = max_answers

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: bytes, now: float) -> AuthAnswer | None:
        """The answer kept for ``key``; None: there is none any more."""
        kept = self._answers.pop(key, None)
        if kept is None or kept[0] <= now:
            return None
        self._answers[key] = kept
        return kept[1]

    def put(self, key: bytes, answer: AuthAnswer, seconds: float, now: float) -> None:
        """Keep ``answer`` for ``seconds``, instead of one that was not used for longest if there are too many."""
        if seconds <= 0.0:
            return
        if len(answer.lines) > MAX_ANSWER_BYTES:
            return
        self._answers.pop(key, None)
        if len(self._answers) >= self._max_answers:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = (now + seconds, answer)
