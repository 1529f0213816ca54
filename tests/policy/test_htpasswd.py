"""Users from both forms: which hash counts, what is refused, what is said about it."""

import msgspec
import pytest

from ingressd.policy.htpasswd import (
    MAX_PASSWORD,
    Question,
    Users,
    ask_about,
    check_cheap,
    is_cheap,
    read_auth_file,
    read_auth_map,
)

BCRYPT = b"$2y$04$CrGt7DOjh.tnELgtyK5huelMYJyt0EZqQmhhRczFCKhRkBYs0SYnW"
APR1 = b"$apr1$abcdefgh$T64oOxnD8c28.dQa.2Lty1"
SHA256 = b"$5$abcdefgh$FWXdh6oXOJQkX7oAcP02d0Gnxjct6ra8Fwv29U9RIN2"
SHA512 = b"$6$abcdefgh$CkjGkP7IIgZVUCNlt.Vi53LOYJLXZ5KzdpzEYCj01XGruA1hxZYJqccTU2zz68oJwAGsd1iPty5F7dHIatUTy/"
DES = b"tE60JnXqXC962"
SHA = b"{SHA}5GKgk0ZmJYkwCJ9gFOd0BUe6LAY="
SSHA = b"{SSHA}G3Dzg8f/qUn+BX0tqpLRXRTlPqJzYWx0"
KNOWN = (BCRYPT, APR1, SHA256, SHA512, DES, SHA, SSHA, b"{PLAIN}open sesame", b"$1$abcdefgh$9qMkHazuSy1Q8myEum7yb/")
UNKNOWN = {
    "": "has no password hash",
    "open sesame": "of a kind that is not known",
    "$2x$" + BCRYPT[4:].decode(): "of a kind that is not known",
    "$2y$31$" + BCRYPT[7:].decode(): "not of cost 4 to 15",
    "$2y$04$short": "of a kind that is not known",
    "$y$j9T$salt$hash": "of a kind that is not known",
    "$6$rounds=999999999" + SHA512[2:].decode(): "not of 1000 to 2000000 rounds",
    "$5$rounds=10$" + SHA256[3:].decode(): "of a kind that is not known",
    "{SHA}5GKgk0Zm": "cut off",
    "{SSHA}****": "cut off",
    "{MD5}5GKgk0ZmJYkwCJ9gFOd0BQ==": "of a kind that is not known",
}

FILES: dict[str, tuple[bytes, dict[bytes, bytes], tuple[str, ...]]] = {
    "two users": (b"a:" + DES + b"\nb:" + APR1, {b"a": DES, b"b": APR1}, ()),
    "line ends of Windows": (b"a:" + DES + b"\r\nb:" + APR1 + b"\r\n", {b"a": DES, b"b": APR1}, ()),
    "comments and empty lines": (b"# who\n\n\r\na:" + DES + b"\n#b:" + DES, {b"a": DES}, ()),
    "a third field": (b"a:" + DES + b":the boss\n", {b"a": DES}, ()),
    "no colon": (b"who\na:" + DES, {b"a": DES}, ("line 1 is not of the form user:hash",)),
    "no user": (b":" + DES, {}, ("line 1 is not of the form user:hash",)),
    "no hash": (b"a:\n", {b"a": b"*"}, ("line 1 has no password hash; the user is refused",)),
    "twice": (
        b"a:" + DES + b"\na:" + APR1,
        {b"a": DES},
        ("line 2 names a user a second time; the first entry counts",),
    ),
    "twice, the first unusable": (
        b"a:x\na:" + APR1,
        {b"a": b"*"},
        (
            "line 1 has a hash of a kind that is not known; the user is refused",
            "line 2 names a user a second time; the first entry counts",
        ),
    ),
    "nobody": (b"", {}, ()),
    "other bytes": (b"\xff\xfe:" + DES, {b"\xff\xfe": DES}, ()),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_files(case: tuple[bytes, dict[bytes, bytes], tuple[str, ...]]) -> None:
    users, problems = read_auth_file(case[0])
    assert (users.hashes, problems) == case[1:]


@pytest.mark.parametrize("hashed", KNOWN)
def test_hashes_that_are_understood(hashed: bytes) -> None:
    assert read_auth_file(b"a:" + hashed) == (Users({b"a": hashed}, hashed), ())


@pytest.mark.parametrize(("hashed", "problem"), UNKNOWN.items(), ids=UNKNOWN)
def test_hashes_that_are_not(hashed: str, problem: str) -> None:
    users, [told] = read_auth_file(b"a:" + hashed.encode())
    assert users.hashes == {b"a": b"*"}
    assert problem in told
    assert not hashed or hashed not in told
    assert ask_about(users, b"a", b"*") is None


def test_a_map_has_a_user_for_each_key() -> None:
    users, problems = read_auth_map({"b": APR1 + b"\n", "a": DES + b"\r\nc:x", "d": b""})
    assert users.hashes == {b"a": DES, b"b": APR1, b"d": b"*"}
    assert problems == ("key 'd' has no password hash; the user is refused",)


def test_only_some_problems_are_told() -> None:
    _, problems = read_auth_file(b"x\n" * 25)
    assert len(problems) == 11
    assert problems[-1] == "and 15 more"


def test_users_travel_and_are_not_shown() -> None:
    users, _ = read_auth_file(b"alice:{PLAIN}open sesame")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(users), type=Users) == users
    assert "alice" not in repr(users)
    assert "sesame" not in repr((users, ask_about(users, b"alice", b"open sesame")))


DECOYS = (
    (b"a:" + SHA + b"\nb:" + DES + b"\nc:" + BCRYPT + b"\nd:" + SHA512, SHA512),
    (b"a:$2y$12$" + BCRYPT[7:] + b"\nd:" + SHA512, b"$2y$12$" + BCRYPT[7:]),
    (b"a:" + SHA256 + b"\nb:" + APR1, SHA256),
    (b"a:x\nb:" + SHA, SHA),
)


@pytest.mark.parametrize(("data", "decoy"), DECOYS)
def test_who_is_unknown_costs_as_much_as_the_dearest(data: bytes, decoy: bytes) -> None:
    users, _ = read_auth_file(data)
    asked = ask_about(users, b"nobody", b"pass")
    assert asked == Question(decoy, b"nobody:pass", False)


def test_questions() -> None:
    users, _ = read_auth_file(b"a:" + APR1 + b"\nbroken:x")
    assert ask_about(users, b"a", b"pass") == Question(APR1, b"pass", True)
    assert ask_about(users, b"broken", b"pass") == Question(APR1, b"broken:pass", False)
    assert ask_about(users, b"a", b"x" * MAX_PASSWORD) is not None
    assert ask_about(users, b"a", b"x" * (MAX_PASSWORD + 1)) is None
    assert ask_about(users, b"a", b"pass\0word") is None
    assert ask_about(read_auth_file(b"")[0], b"a", b"pass") is None


CHEAP = (
    (b"{PLAIN}open sesame", b"open sesame", True),
    (b"{PLAIN}open sesame", b"open", False),
    (b"{PLAIN}", b"", True),
    (b"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", b"password", True),
    (b"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g", b"password", True),
    (b"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", b"passwort", False),
    (b"{SSHA}yI6cZwQadOA1e+/f+T+H3eCQQhRzYWx0", b"password", True),
    (b"{SSHA}yI6cZwQadOA1e+/f+T+H3eCQQhRzYWx0", b"passwordsalt", False),
    (b"{SSHA}", b"", False),
)


@pytest.mark.parametrize(("hashed", "password", "is_right"), CHEAP)
def test_cheap_hashes(hashed: bytes, password: bytes, is_right: bool) -> None:
    assert is_cheap(hashed)
    assert check_cheap(hashed, password) is is_right
