"""Users with their password hashes, from the two forms a Secret may have, read as nginx reads a password file.

Kinds of hash: bcrypt ($2a$, $2b$, $2y$), apr1, crypt's $1$, $5$, $6$ and DES, {SHA}, {SSHA}, {PLAIN}. The last three
cost nothing to check and are checked here; the others belong into ``ingressd/passwords.py``, away from any event loop.
Whoever has an entry that cannot be used is refused: a line is never skipped so that a later one could count instead.
"""

import binascii
import hmac
import re
from collections.abc import Iterator, Mapping
from hashlib import sha1
from typing import NamedTuple

from msgspec import Struct

MAX_PASSWORD = 512
"""Bytes. Longer ones are wrong without being looked at: crypt's time grows with the length."""
MAX_BCRYPT_COST = 15
MAX_ROUNDS = 2_000_000
"""Of $5$ and $6$. Either takes some two seconds; a check that takes longer serves nobody."""
_MAX_PROBLEMS = 10

_UNUSABLE = b"*"
_SALT = rb"[^$:\s]"
_KINDS: dict[re.Pattern[bytes], float] = {
    # what a hash looks like → milliseconds, for the unit of cost that its first group names
    re.compile(rb"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}"): 0.07,
    re.compile(rb"\$5\$(?:rounds=(\d{4,9})\$)?" + _SALT + rb"{0,16}\$[./0-9A-Za-z]{43}"): 0.0005,
    re.compile(rb"\$6\$(?:rounds=(\d{4,9})\$)?" + _SALT + rb"{0,16}\$[./0-9A-Za-z]{86}"): 0.0007,
    re.compile(rb"\$(?:apr1|1)\$" + _SALT + rb"{0,8}\$[./0-9A-Za-z]{22}()"): 0.6,
    re.compile(rb"[./0-9A-Za-z]{13}()"): 0.55,
}
_PLAIN, _SHA, _SSHA = b"{PLAIN}", b"{SHA}", b"{SSHA}"
_SHA1_SIZE = 20


class Users(Struct, frozen=True, gc=False, array_like=True):
    """``decoy`` is the hash that takes longest: who is not a user is checked against it, and refused."""

    hashes: dict[bytes, bytes]
    decoy: bytes = b""

    def __repr__(self) -> str:
        return f"<Users: {len(self.hashes)}>"


class Question(NamedTuple):
    """Is ``password`` the one of ``hash``? The answer matters only if ``counts``: else the user is unknown."""

    hash: bytes
    password: bytes
    counts: bool

    def __repr__(self) -> str:
        return "<Question>"


def read_auth_file(data: bytes) -> tuple[Users, tuple[str, ...]]:
    """``user:hash`` lines, and what is wrong with some of them, by line number. # begins a comment line."""
    return _users(
        (f"line {number}", line.partition(b"\r")[0])
        for number, line in enumerate(data.split(b"\n"), 1)
        if line[:1] not in (b"", b"#", b"\r")
    )


def read_auth_map(data: Mapping[str, bytes]) -> tuple[Users, tuple[str, ...]]:
    """A user for each key, its hash as the value; and what is wrong with some of them, by key."""
    return _users((f"key {user[:64]!r}", user.encode() + b":" + _first_line(data[user])) for user in sorted(data))


def _first_line(value: bytes) -> bytes:
    return value.partition(b"\n")[0].partition(b"\r")[0]


def _users(entries: Iterator[tuple[str, bytes]]) -> tuple[Users, tuple[str, ...]]:
    hashes: dict[bytes, bytes] = {}
    problems: list[str] = []
    for where, entry in entries:
        user, colon, rest = entry.partition(b":")
        hashed = rest.partition(b":")[0]  # nginx: a third field is a comment
        problem = "is not of the form user:hash" if not (user and colon) else _problem_of(hashed)
        if not problem and user in hashes:
            problem = "names a user a second time; the first entry counts"
        if problem:
            problems.append(f"{where} {problem}")
        if user and colon:
            hashes.setdefault(user, _UNUSABLE if _problem_of(hashed) else hashed)
    if len(problems) > _MAX_PROBLEMS:
        problems[_MAX_PROBLEMS:] = [f"and {len(problems) - _MAX_PROBLEMS} more"]
    usable = (hashed for hashed in hashes.values() if hashed != _UNUSABLE)
    return Users(hashes, max(usable, key=_cost_ms, default=b"")), tuple(problems)


def _problem_of(hashed: bytes) -> str:
    """Why a hash can not be used, "" when it can. Never shows any of it."""
    if not hashed:
        return "has no password hash; the user is refused"
    if is_cheap(hashed):
        usable = hashed.startswith(_PLAIN) or len(_decoded(hashed)) >= _SHA1_SIZE
        return "" if usable else "has a hash that is cut off; the user is refused"
    for kind in _KINDS:
        if found := kind.fullmatch(hashed):
            number = int(found[1] or 5000)
            if hashed.startswith(b"$2"):
                is_fine, bounds = 4 <= number <= MAX_BCRYPT_COST, f"cost 4 to {MAX_BCRYPT_COST}"
            else:
                is_fine, bounds = 1000 <= number <= MAX_ROUNDS, f"1000 to {MAX_ROUNDS} rounds"
            return "" if is_fine else f"has a hash that is not of {bounds}; the user is refused"
    return "has a hash of a kind that is not known; the user is refused"


def _cost_ms(hashed: bytes) -> float:
    for kind, unit_ms in _KINDS.items():
        if found := kind.fullmatch(hashed):
            if hashed.startswith(b"$2"):
                return unit_ms * 2.0 ** int(found[1])
            return unit_ms * int(found[1] or 5000) if hashed[:3] in (b"$5$", b"$6$") else unit_ms
    return 0.0


def ask_about(users: Users, user: bytes, password: bytes) -> Question | None:
    """What to find out about a login; None: it is refused already, and no check would tell anybody anything."""
    if len(password) > MAX_PASSWORD or b"\0" in password:
        return None
    hashed = users.hashes.get(user)
    if hashed is not None and hashed != _UNUSABLE:
        return Question(hashed, password, True)
    if not users.decoy:
        return None
    # Takes as long as a known user's wrong password. The name makes it a password nobody has.
    return Question(users.decoy, (user + b":" + password)[:MAX_PASSWORD], False)


def is_cheap(hashed: bytes) -> bool:
    """Whether ``check_cheap`` is for this hash."""
    return hashed.startswith((_SHA, _SSHA, _PLAIN))


def check_cheap(hashed: bytes, password: bytes) -> bool:
    """Whether the password is right, for {SHA}, {SSHA}, {PLAIN}. How long it takes does not tell where they differ."""
    if hashed.startswith(_PLAIN):
        return hmac.compare_digest(hashed[len(_PLAIN) :], password)
    stored = _decoded(hashed)
    digest = sha1(password + stored[_SHA1_SIZE:], usedforsecurity=False).digest()
    return len(stored) >= _SHA1_SIZE and hmac.compare_digest(stored[:_SHA1_SIZE], digest)


def _decoded(hashed: bytes) -> bytes:
    """Digest, then salt; {SHA} has none. Empty when it is not base64."""
    is_salted = hashed.startswith(_SSHA)
    text = hashed[len(_SSHA if is_salted else _SHA) :].rstrip(b"=")
    try:
        stored = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return b""
    return stored if is_salted else stored[:_SHA1_SIZE]
