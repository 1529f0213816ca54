"""Deny and allow lists, basic and external authentication put together: all of them, or any one.

nginx's ``satisfy``. The checks are made in that order; each says that the client passed, nothing, or what to answer.

- all: the first refusal is the answer.
- any: the first that passes ends it, and later ones are not made. Refusals with 401 or 403 are kept meanwhile; any
  other answer (an authentication service that is broken) ends it at once. When nobody passed, a 401 kept is preferred
  to a 403, because the client can do something about it. When nobody said anything, the request goes on.
"""

from enum import Enum

from ingressd.policy.ask import Answer

_REFUSALS = (401, 403)


class Verdict(Enum):
    """What a check says when it has no answer of its own."""

    PASSED = 1
    SILENT = 0  # a deny list that does not name the client refuses nobody, and vouches for nobody


class Access:
    """The checks of one request. Tell it each verdict in turn; ``answer`` None at the end: the request goes on."""

    __slots__ = ("_is_any", "answer")

    def __init__(self, *, is_any: bool) -> None:
        self._is_any = is_any
        self.answer: Answer | None = None

    def settles(self, verdict: Verdict | Answer) -> bool:
        """Take what the next check said; True: ask no further."""
        if not self._is_any:
            if isinstance(verdict, Answer):
                self.answer = verdict
                return True
            return False
        if verdict is Verdict.PASSED:
            self.answer = None
            return True
        if isinstance(verdict, Answer):
            return self._keep(verdict)
        return False

    def _keep(self, refusal: Answer) -> bool:
        if refusal.status not in _REFUSALS:
            self.answer = refusal
            return True
        if self.answer is None or self.answer.status != 401:
            self.answer = refusal
        elif refusal.status == 401:
            self.answer = _both(self.answer, refusal)
        return False


def _both(first: Answer, second: Answer) -> Answer:
    """Two challenges: the client may take up either (RFC 9110 §11.6.1)."""
    return Answer(401, first.reason, first.fields + second.fields, first.body)
