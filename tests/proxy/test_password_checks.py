"""Checks away from the loop: memory, turns, bounds, and the process behind them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from ingressd.proxy import password_checks
from ingressd.proxy.password_checker import PasswordChecker, Turn
from ingressd.proxy.password_checks import ChecksUnavailable, PasswordChecks
from ingressd.proxy.shared_limits import SharedLimits
from tests.support.eventually import soon

HASH = b"$2b$04$CrGt7DOjh.tnELgtyK5huelMYJyt0EZqQmhhRczFCKhRkBYs0SYnW"
OTHER = b"$apr1$abcdefgh$T64oOxnD8c28.dQa.2Lty1"
PASSWORD = b"open sesame"


class FakeChecker:
    """Says nothing until told to."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_verdict: Callable[[bool], None],
        on_lost: Callable[[], None],
        turn: Turn | None,
    ) -> None:
        self.on_verdict, self.on_lost = on_verdict, on_lost
        self.asked: list[bytes] = []
        self.stops = 0
        self.fails = False
        self.pid = 0

    def ask(self, message: bytes) -> None:
        if self.fails:
            raise FileNotFoundError(2, "No such file")
        self.asked.append(message[4:].removeprefix(HASH))

    def stop(self, *, wait: bool = False) -> None:
        self.stops += 1


@pytest.fixture
async def checks(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PasswordChecks]:
    monkeypatch.setattr(password_checks, "PasswordChecker", FakeChecker)
    made = PasswordChecks()
    yield made
    made.close()


@pytest.fixture
def checker(checks: PasswordChecks) -> FakeChecker:
    assert isinstance(checks._checker, FakeChecker)
    return checks._checker


def ask(checks: PasswordChecks, password: bytes, client: str = "") -> asyncio.Future[bool]:
    asked = checks.check(HASH, password, client)
    assert isinstance(asked, asyncio.Future)
    return asked


# -- memory


async def test_cheap_hashes_are_answered_at_once(checks: PasswordChecks, checker: FakeChecker) -> None:
    assert checks.check(b"{PLAIN}open sesame", PASSWORD) is True
    assert checks.check(b"{PLAIN}open sesame", b"wrong") is False
    assert checker.asked == []


@pytest.mark.parametrize("verdict", [True, False])
async def test_verdicts_are_remembered_for_a_while(
    checks: PasswordChecks, checker: FakeChecker, verdict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(checks, PASSWORD)
    checker.on_verdict(verdict)
    assert await asked is verdict
    assert checks.check(HASH, PASSWORD) is verdict
    assert not isinstance(checks.check(OTHER, PASSWORD), bool)  # of one hash says nothing about another
    for_s = password_checks.RIGHT_FOR_S if verdict else password_checks.WRONG_FOR_S
    now = checks._loop.time()
    monkeypatch.setattr(checks._loop, "time", lambda: now + for_s)
    assert isinstance(checks.check(HASH, PASSWORD), asyncio.Future)


async def test_what_is_remembered_is_bounded_and_wrong_ones_push_out_no_right_one(
    checks: PasswordChecks, checker: FakeChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(password_checks, "MAX_REMEMBERED", 3)
    ask(checks, PASSWORD)
    checker.on_verdict(True)
    for number in range(5):
        ask(checks, b"%d" % number)
        checker.on_verdict(False)
    assert checks.check(HASH, PASSWORD) is True
    assert [isinstance(checks.check(HASH, b"%d" % number), bool) for number in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]


async def test_no_password_is_kept(checks: PasswordChecks, checker: FakeChecker) -> None:
    ask(checks, PASSWORD)
    assert b"sesame" not in repr((checks, checks._pending)).encode()
    checker.on_verdict(True)
    assert checks._pending == {}
    assert all(PASSWORD not in key for key in checks._right._until)


# -- turns and bounds


async def test_one_at_a_time_and_the_same_one_once(checks: PasswordChecks, checker: FakeChecker) -> None:
    first, again, second = ask(checks, b"a"), ask(checks, b"a"), ask(checks, b"b")
    assert checker.asked == [b"a"]
    checker.on_verdict(True)
    assert (await first, await again) == (True, True)
    assert checker.asked == [b"a", b"b"]
    checker.on_verdict(False)
    assert await second is False


async def test_clients_take_turns(checks: PasswordChecks, checker: FakeChecker) -> None:
    for number in range(4):
        ask(checks, b"guess %d" % number, "attacker")
    ask(checks, b"hers", "alice")
    ask(checks, b"his", "bob")
    for _ in range(6):
        checker.on_verdict(False)
    assert checker.asked == [b"guess 0", b"guess 1", b"hers", b"his", b"guess 2", b"guess 3"]


async def test_one_client_cannot_fill_the_queue(checks: PasswordChecks, checker: FakeChecker) -> None:
    for number in range(1 + password_checks.MAX_WAITING_OF_CLIENT):
        ask(checks, b"%d" % number, "attacker")
    with pytest.raises(ChecksUnavailable, match="password-checks-full"):
        ask(checks, b"one more", "attacker")
    ask(checks, b"0", "attacker")  # the same as one that waits
    ask(checks, b"hers", "alice")
    checker.on_verdict(False)
    ask(checks, b"one more", "attacker")


async def test_the_queue_is_bounded(checks: PasswordChecks) -> None:
    for number in range(1 + password_checks.MAX_WAITING):  # one of them is being checked
        ask(checks, b"%d" % number, f"client {number}")
    with pytest.raises(ChecksUnavailable, match="password-checks-full"):
        ask(checks, b"one more", "another")


async def test_so_many_wait_for_one_password(checks: PasswordChecks) -> None:
    for _ in range(password_checks.MAX_TOGETHER):
        ask(checks, PASSWORD)
    with pytest.raises(ChecksUnavailable, match="password-checks-full"):
        ask(checks, PASSWORD)


async def test_who_has_gone_is_not_checked_for(checks: PasswordChecks, checker: FakeChecker) -> None:
    first, gone, stays, third = (ask(checks, word) for word in (b"1", b"2", b"3", b"3"))
    gone.cancel()
    stays.cancel()
    checker.on_verdict(True)
    assert checker.asked == [b"1", b"3"]
    checker.on_verdict(True)
    assert (await first, await third) == (True, True)
    assert (checks._waiting, checks._pending) == (0, {})


# -- when it goes wrong


async def test_a_process_that_ends_fails_its_check_and_the_next_waits(
    checks: PasswordChecks, checker: FakeChecker
) -> None:
    first, second = ask(checks, b"1"), ask(checks, b"2")
    checker.on_lost()
    with pytest.raises(ChecksUnavailable, match="password-checks-failed"):
        await first
    assert checker.asked == [b"1"]
    checks._on_timer()  # the pause is over
    assert checker.asked == [b"1", b"2"]
    checker.on_verdict(True)
    assert await second is True


async def test_a_check_that_takes_too_long_is_given_up(checks: PasswordChecks, checker: FakeChecker) -> None:
    first, second = ask(checks, b"1"), ask(checks, b"2")
    checks._on_timer()
    assert checker.stops == 1
    with pytest.raises(ChecksUnavailable, match="password-checks-slow"):
        await first
    checker.on_verdict(True)
    assert await second is True


async def test_a_process_that_cannot_start_fails_all(checks: PasswordChecks, checker: FakeChecker) -> None:
    checker.fails = True
    asked = ask(checks, b"1")
    with pytest.raises(ChecksUnavailable, match="password-checks-failed"):
        await asked
    checker.fails = False
    again = ask(checks, b"1")
    checker.on_verdict(True)
    assert await again is True


async def test_idle_it_is_ended(checks: PasswordChecks, checker: FakeChecker) -> None:
    ask(checks, b"1")
    checker.on_verdict(True)
    checks._on_timer()
    assert checker.stops == 1


async def test_closing_tells_who_waits(checks: PasswordChecks) -> None:
    first, second = ask(checks, b"1"), ask(checks, b"2")
    checks.close()
    for asked in (first, second):
        with pytest.raises(ChecksUnavailable, match="password-checks-ended"):
            await asked


# -- the real process


@pytest.fixture
async def real() -> AsyncIterator[PasswordChecks]:
    made = PasswordChecks()
    yield made
    made.close()


async def test_real_checks(real: PasswordChecks) -> None:
    assert real.checker_pid == 0
    asked = [real.check(hashed, word) for hashed in (HASH, OTHER) for word in (PASSWORD, b"wrong")]
    assert [await one for one in asked if isinstance(one, asyncio.Future)] == [True, False, True, False]
    assert real.check(HASH, PASSWORD) is True
    command = Path(f"/proc/{real.checker_pid}/cmdline").read_bytes()
    assert command.rstrip(b"\0").endswith(b"passwords.py")
    assert int(Path(f"/proc/{real.checker_pid}/stat").read_text().rpartition(")")[2].split()[16]) == 19


async def test_workers_take_turns() -> None:
    fd = SharedLimits.create(4)
    shared = [SharedLimits(fd, workers=4, index=index) for index in range(4)]
    assert len({one.turn for one in shared}) == 2
    made = [PasswordChecks(turn=one.turn) for one in shared]
    assert [await ask(one, PASSWORD) for one in made] == [True] * 4
    for one in made:
        one.close()
    os.close(fd)


async def test_a_process_that_was_killed_is_replaced(real: PasswordChecks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_checks, "RESTART_PAUSE_S", 0.0)
    assert await ask(real, PASSWORD) is True
    killed = real.checker_pid
    os.kill(killed, signal.SIGKILL)
    await soon(lambda: real.checker_pid == 0 and not Path(f"/proc/{killed}").exists())
    assert await ask(real, b"another") is False
    assert real.checker_pid not in (0, killed)


async def test_closing_ends_the_process(real: PasswordChecks) -> None:
    assert await ask(real, PASSWORD) is True
    pid = real.checker_pid
    real.close()
    assert not Path(f"/proc/{pid}").exists()


PARENT = """
import asyncio, os, sys
from ingressd.proxy.password_checks import PasswordChecks
async def main():
    checks = PasswordChecks()
    await checks.check(b"$apr1$abcdefgh$T64oOxnD8c28.dQa.2Lty1", b"x")
    print(checks.checker_pid, flush=True)
    os._exit(0)
asyncio.run(main())
"""


async def test_it_ends_with_its_worker(checkout: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, cwd=checkout, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    status = Path(f"/proc/{int(said)}/stat")
    await soon(lambda: not status.exists() or ") Z" in status.read_text())


async def test_a_program_that_is_not_there_is_an_error() -> None:
    checker = PasswordChecker(["/nonexistent"], on_verdict=lambda _: None, on_lost=lambda: None)
    with pytest.raises(FileNotFoundError):
        checker.ask(b"")
    assert checker.pid == 0


async def test_a_program_that_ends_at_once_is_reported_lost() -> None:
    lost = asyncio.Event()
    checker = PasswordChecker([sys.executable, "-c", ""], on_verdict=lambda _: None, on_lost=lost.set)
    checker.ask(b"question")
    pid = checker.pid
    await lost.wait()
    await soon(lambda: not Path(f"/proc/{pid}").exists())
    assert checker.pid == 0
