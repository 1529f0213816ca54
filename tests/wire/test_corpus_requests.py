"""Every request case: whole, cut at every byte, and joined to an innocent request that must stay its own."""

from collections.abc import Iterator

import pytest

from tests.wire.corpus.case import FOLLOWER, Case, Passed, Unfinished, Want
from tests.wire.corpus.path_readings import is_guarded, readings
from tests.wire.corpus.reading import Seen, answers
from tests.wire.corpus.requests import REQUESTS, TOPICS
from tests.wire.corpus.wires import CLIENT, Outcome, Wires, splits, two_routes

_INNOCENT = Want(target=b"/innocent")
_OURS = {
    b"x-real-ip": CLIENT.encode(),
    b"x-forwarded-for": CLIENT.encode(),
    b"x-forwarded-port": b"80",
    b"x-forwarded-proto": b"http",
    b"x-forwarded-scheme": b"http",
    b"x-scheme": b"http",
}


@pytest.fixture(scope="module")
def wires() -> Iterator[Wires]:
    wires = Wires(two_routes())
    yield wires
    wires.close()


def test_corpus_is_as_large_as_promised() -> None:
    assert len(REQUESTS) >= 200
    assert all(case.reason and case.source for case in REQUESTS)
    for topic, cases in TOPICS.items():
        assert len({case.name for case in cases}) == len(cases), f"names repeat in {topic}"


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{topic}: {case.name}") for topic, cases in TOPICS.items() for case in cases]
)
async def test_case(wires: Wires, case: Case) -> None:
    await _check_alone(wires, case)
    await _check_joined(wires, case)


async def _check_alone(wires: Wires, case: Case) -> None:
    check(case, await wires.run([case.raw]), joined=False)
    for pieces in splits(case.raw):
        check(case, await wires.run(pieces), joined=False)
    if len(case.raw) < 1500:
        check(case, await wires.run([bytes([byte]) for byte in case.raw]), joined=False)


async def _check_joined(wires: Wires, case: Case) -> None:
    if isinstance(case.expect, Unfinished):
        return  # what follows belongs to it
    check(case, await wires.run([case.raw + FOLLOWER]), joined=True, ahead=True)
    check(case, await wires.run([case.raw, FOLLOWER]), joined=True)
    for pieces in splits(case.raw, more=FOLLOWER):
        check(case, await wires.run(pieces), joined=True, ahead=True)


def check(case: Case, outcome: Outcome, *, joined: bool, ahead: bool = False) -> None:
    """What came of a run must be what the case says. ``ahead``: what is joined to it came before its answer."""
    expect = case.expect
    wants: tuple[Want, ...] = ()
    if isinstance(expect, Unfinished):
        assert not outcome.received
        assert not outcome.end
        assert not outcome.seen
        return
    if isinstance(expect, Passed):
        keeps = expect.keeps and not (expect.waits and ahead)
        follows = joined and keeps
        wants = (*expect.wants, _INNOCENT) if follows else expect.wants
        statuses = [200] * len(wants) + [expect.then] * bool(expect.then)
        ends = not keeps
        assert not outcome.cut
    else:
        statuses, ends = [expect.status], True
        assert expect.in_body or not outcome.cut
    assert bool(outcome.end) is ends, f"the connection's end: {outcome.end!r}"
    assert outcome.end != "aborted"
    assert not outcome.dangling, "part of a request is left on a connection to an endpoint"
    _check_answers(case, outcome, statuses, wants)
    assert len(outcome.seen) == len(wants), [seen for _, seen in outcome.seen]
    for (backend, seen), want in zip(outcome.seen, wants, strict=True):
        _check_seen(backend, seen, want)


def _check_answers(case: Case, outcome: Outcome, statuses: list[int], wants: tuple[Want, ...]) -> None:
    methods = [*case.methods, b"GET"]
    read = answers(outcome.received, tuple(methods), ended=bool(outcome.end))
    assert read.statuses == statuses
    assert all(answer.is_whole for answer in read.final)
    assert not read.rest, "bytes that belong to no answer"
    assert outcome.logged == statuses
    for answer, want in zip(read.final, wants, strict=False):
        echoed = b"" if want.method == b"HEAD" else want.method + b" " + want.target
        assert answer.body == echoed, "somebody else's answer"
    if outcome.end:
        assert read.final[-1].values(b"connection") == [b"close"]
    assert all(answer.values(b"connection") in ([], [b"keep-alive"]) for answer in read.final[:-1])


def _check_seen(backend: str, seen: Seen, want: Want) -> None:
    assert (seen.method, seen.target, seen.host) == (want.method, want.target, want.host)
    assert seen.body == want.body
    assert backend == want.backend
    assert not seen.trailers
    names = [name for name, _ in seen.fields]
    for name, value in _OURS.items():
        assert seen.values(name) == [value], "a field that is ours to write"
    assert seen.values(b"x-forwarded-host") == [want.host]
    assert len(seen.values(b"x-request-id")) == 1
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    fields = [name + b": " + value for name, value in seen.fields]
    assert set(want.has) <= set(fields)
    assert not set(want.lacks) & set(names)
    if backend == "open" and want.host.lower().startswith(b"a.example"):
        reached = {path for path in readings(seen.target.decode()) if is_guarded(path)}
        assert not reached, "another server would find /admin in it"
