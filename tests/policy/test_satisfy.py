"""All checks or any of them: tables of what each says, and what the client is told."""

import pytest

from ingressd.policy.ask import Answer
from ingressd.policy.satisfy import Access, Verdict

YES, NOTHING = Verdict.PASSED, Verdict.SILENT
A403, A401, A500 = Answer(403, "list"), Answer(401, "basic", b"WWW-Authenticate: a\r\n"), Answer(500, "external")
OTHER_401 = Answer(401, "external", b"WWW-Authenticate: b\r\n")

ALL: dict[str, tuple[list[Verdict | Answer], int | None, int]] = {
    # what the checks say, the status answered (None: goes on), how many are asked
    "nobody asked": ([], None, 0),
    "all pass": ([YES, YES, YES], None, 3),
    "silent is no refusal": ([NOTHING, YES], None, 2),
    "first refusal wins": ([A403, A401], 403, 1),
    "second refuses": ([YES, A401, A500], 401, 2),
}
ANY: dict[str, tuple[list[Verdict | Answer], int | None, int]] = {
    "nobody asked": ([], None, 0),
    "first passes, others not asked": ([YES, A401], None, 1),
    "second passes": ([A403, YES, A500], None, 2),
    "third passes": ([A403, A401, YES], None, 3),
    "nobody says anything": ([NOTHING], None, 1),
    "silent does not pass": ([NOTHING, A401], 401, 2),
    "all refuse: 401 before 403": ([A403, A401, A403], 401, 3),
    "401 stays": ([A401, A403], 401, 2),
    "only 403": ([A403, A403], 403, 2),
    "broken ends it": ([A403, A500, YES], 500, 2),
}


def run(verdicts: list[Verdict | Answer], *, is_any: bool) -> tuple[Access, int]:
    access = Access(is_any=is_any)
    for asked, verdict in enumerate(verdicts, 1):
        if access.settles(verdict):
            return access, asked
    return access, len(verdicts)


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_all(case: tuple[list[Verdict | Answer], int | None, int]) -> None:
    access, asked = run(case[0], is_any=False)
    assert (access.answer and access.answer.status, asked) == case[1:]


@pytest.mark.parametrize("case", ANY.values(), ids=ANY)
def test_any(case: tuple[list[Verdict | Answer], int | None, int]) -> None:
    access, asked = run(case[0], is_any=True)
    assert (access.answer and access.answer.status, asked) == case[1:]


def test_two_challenges_are_both_sent() -> None:
    access, _ = run([A401, OTHER_401], is_any=True)
    assert access.answer == Answer(401, "basic", b"WWW-Authenticate: a\r\nWWW-Authenticate: b\r\n")
