"""Names to addresses: kept, renewed before they are missed, asked for once at a time, good through failures."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ingressd.errors import UpstreamError
from ingressd.proxy.resolver import FAILED_S, FRESH_S, MAX_LOOKUPS, USABLE_S, Resolver
from tests.support.clock import Clock


class Names:
    """A name server that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, tuple[str, ...] | Exception] = {"auth": ("10.0.0.1", "10.0.0.2")}
        self.open = asyncio.Event()
        self.open.set()
        self.idle = asyncio.Event()

    async def look_up(self, name: str) -> tuple[str, ...]:
        self.asked.append(name)
        await self.open.wait()
        answer = self.answers.get(name, ())
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def resolver(names: Names, clock: Clock) -> AsyncIterator[Resolver]:
    made = Resolver(asyncio.get_running_loop(), lookup=names.look_up, clock=clock, max_names=3)
    yield made
    made.close()


async def renewed(resolver: Resolver) -> None:
    while resolver._under_way:
        await asyncio.wait(resolver._under_way)


async def test_addresses_are_kept_and_addresses_of_addresses_are_themselves(resolver: Resolver, names: Names) -> None:
    assert resolver.known("auth") == ()
    assert await resolver.addresses("auth") == ("10.0.0.1", "10.0.0.2")
    assert resolver.known("auth") == await resolver.addresses("auth")
    assert (await resolver.addresses("192.0.2.1"), await resolver.addresses("::1")) == (("192.0.2.1",), ("::1",))
    assert names.asked == ["auth"]


async def test_everybody_waits_for_the_same_look_up(resolver: Resolver, names: Names) -> None:
    names.open.clear()
    waiting = [asyncio.get_running_loop().create_task(resolver.addresses("auth")) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    names.open.set()
    found = await asyncio.gather(*waiting[1:])
    assert found == [("10.0.0.1", "10.0.0.2")] * 4
    assert names.asked == ["auth"]


async def test_old_addresses_are_used_while_they_are_renewed(resolver: Resolver, names: Names, clock: Clock) -> None:
    await resolver.addresses("auth")
    names.answers["auth"] = ("10.0.0.9",)
    clock.passed_s += FRESH_S
    assert await resolver.addresses("auth") == ("10.0.0.1", "10.0.0.2")
    await renewed(resolver)
    assert await resolver.addresses("auth") == ("10.0.0.9",)
    assert names.asked == ["auth", "auth"]


@pytest.mark.parametrize("failure", [OSError("no such name"), TimeoutError(), ()])
async def test_the_last_good_addresses_outlive_failures(
    resolver: Resolver, names: Names, clock: Clock, failure: Exception | tuple[str, ...]
) -> None:
    await resolver.addresses("auth")
    names.answers["auth"] = failure
    clock.passed_s += USABLE_S + 1.0
    assert resolver.known("auth") == ()
    assert await resolver.addresses("auth") == ("10.0.0.1", "10.0.0.2")


async def test_a_name_that_is_not_there_is_not_asked_for_each_time(
    resolver: Resolver, names: Names, clock: Clock
) -> None:
    for _ in range(3):
        with pytest.raises(UpstreamError) as refusal:
            await resolver.addresses("nobody")
        assert (refusal.value.reason, refusal.value.unheard) == ("name_not_resolved", True)
    assert names.asked == ["nobody"]
    clock.passed_s += FAILED_S
    names.answers["nobody"] = ("10.0.0.3",)
    assert await resolver.addresses("nobody") == ("10.0.0.3",)


async def test_names_and_look_ups_are_bounded(resolver: Resolver, names: Names) -> None:
    names.open.clear()
    waiting = [
        asyncio.get_running_loop().create_task(resolver.addresses(f"n{number}")) for number in range(MAX_LOOKUPS + 5)
    ]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert len(names.asked) == MAX_LOOKUPS
    assert all(isinstance(one.exception(), UpstreamError) for one in done)
    names.open.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(resolver._known) == 3


async def test_the_system_is_asked_off_the_loop() -> None:
    resolver = Resolver(asyncio.get_running_loop())
    assert set(await resolver.addresses("localhost")) <= {"127.0.0.1", "::1"}
    resolver.close()
