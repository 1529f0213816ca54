"""Reading Authorization, and what a refused client is told."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.ask import Answer
from ingressd.policy.basic_auth import BasicAuth, BasicCheck, challenge, credentials
from ingressd.policy.htpasswd import read_auth_file
from ingressd.policy.satisfy import Verdict

FIELDS: dict[bytes | None, tuple[bytes, bytes] | None] = {
    b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==": (b"Aladdin", b"open sesame"),  # RFC 7617 §2
    b"Basic dGVzdDoxMjPCow==": (b"test", "123£".encode()),  # RFC 7617 §2.1
    b"basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==": (b"Aladdin", b"open sesame"),
    b"Basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ== ": (b"Aladdin", b"open sesame"),
    b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ": (b"Aladdin", b"open sesame"),
    b"Basic YTpiOmM=": (b"a", b"b:c"),
    b"Basic YTo=": (b"a", b""),
    b"Basic OmI=": None,  # no user
    b"Basic YQ==": None,  # no colon
    b"Basic": None,
    b"Basic ": None,
    b"BasicYTpi": None,
    b"Bearer YTpi": None,
    b"Basic YTpi, Basic YTpi": None,
    b"Basic YT*i": None,
    b"Basic YTpiY": None,
    b"Basic YTpi" + b"YTpi" * 4096: None,
    b"": None,
    None: None,
}
CHALLENGES = {
    "": b'WWW-Authenticate: Basic realm=""\r\n',
    "Area 51: members": b'WWW-Authenticate: Basic realm="Area 51: members"\r\n',
    'a "b" \\': b'WWW-Authenticate: Basic realm="a \\"b\\" \\\\"\r\n',
    "off": b'WWW-Authenticate: Basic realm="off"\r\n',
    "a\r\nX: y": b'WWW-Authenticate: Basic realm="aX: y"\r\n',
}


@pytest.mark.parametrize(("field", "sent"), FIELDS.items())
def test_credentials(field: bytes | None, sent: tuple[bytes, bytes] | None) -> None:
    assert credentials(field) == sent


@given(st.binary(min_size=1).filter(lambda user: b":" not in user), st.binary(max_size=600))
def test_whatever_is_sent_is_read(user: bytes, password: bytes) -> None:
    assert credentials(b"Basic " + b64encode(user + b":" + password)) == (user, password)


@pytest.mark.parametrize(("realm", "line"), CHALLENGES.items())
def test_challenges(realm: str, line: bytes) -> None:
    assert challenge(realm) == Answer(401, "no-login", line)


def test_only_a_known_user_with_the_right_password_passes() -> None:
    check = BasicCheck(BasicAuth("users:a/b", "here"), read_auth_file(b"a:{PLAIN}b")[0])
    known = check.question(b"Basic " + b64encode(b"a:b"))
    unknown = check.question(b"Basic " + b64encode(b"c:b"))
    assert known is not None
    assert unknown is not None
    assert check.verdict(known, True) is Verdict.PASSED
    assert check.verdict(known, False) == challenge("here")
    assert check.verdict(unknown, True) == challenge("here")
    assert check.question(None) is None
    assert check.refusal == challenge("here")
