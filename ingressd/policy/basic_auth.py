"""Name and password in ``Authorization`` (RFC 7617).

Digest (RFC 7616) is not done: whoever asks for it must deny the route, because leaving it open would open what was
meant to be closed.
"""

import binascii
import re

from msgspec import Struct

from ingressd.policy.ask import Answer
from ingressd.policy.htpasswd import Question, Users, ask_about
from ingressd.policy.satisfy import Verdict

_MAX_CREDENTIALS = 8192
_SCHEME = b"basic "
_NOT_IN_A_REALM = re.compile(r"[\x00-\x1f\x7f]")

UNAVAILABLE = Answer(503, "password-checks-unavailable")
"""Nobody could say whether the password is right: the client may try again, and is not let in meanwhile."""


class BasicAuth(Struct, frozen=True, gc=False, array_like=True):
    """``users`` is a key of the snapshot's materials, which hold the ``Users``."""

    users: str
    realm: str = ""


def credentials(field: bytes | None) -> tuple[bytes, bytes] | None:
    """User and password; None when the field's value names none. As nginx: any case, padding may be missing."""
    if field is None or field[:6].lower() != _SCHEME or len(field) > _MAX_CREDENTIALS:
        return None
    text = field[6:].strip(b" ").rstrip(b"=")
    try:
        user, colon, password = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True).partition(b":")
    except binascii.Error:
        return None
    return (user, password) if user and colon else None


def challenge(realm: str) -> Answer:
    """401. The realm is a quoted string (RFC 9110 §5.6.4)."""
    quoted = _NOT_IN_A_REALM.sub("", realm).replace("\\", "\\\\").replace('"', '\\"')
    return Answer(401, "no-login", b'WWW-Authenticate: Basic realm="%b"\r\n' % quoted.encode())


class BasicCheck:
    """``BasicAuth`` made ready for one worker.

    ``question`` first; when there is one, whoever can checks the password and tells ``verdict``.
    """

    __slots__ = ("_users", "refusal")

    def __init__(self, basic: BasicAuth, users: Users) -> None:
        self._users = users
        self.refusal = challenge(basic.realm)

    def question(self, authorization: bytes | None) -> Question | None:
        """What to find out about the login in the field's value; None: it is refused."""
        sent = credentials(authorization)
        return None if sent is None else ask_about(self._users, *sent)

    def verdict(self, question: Question, is_right: bool) -> Verdict | Answer:
        return Verdict.PASSED if is_right and question.counts else self.refusal
