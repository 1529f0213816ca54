"""Addresses of ExternalName Services: each wanted name is looked up again when its TTL is over.

An answer is kept until there is a better one: a DNS server that is away or fails takes nothing out of service. Which
addresses may be used (loopback, link-local, metadata …) is routing's decision, not ours.
"""

import asyncio
import ipaddress
import random
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from msgspec import Struct, field

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 300.0
NO_ADDRESS_S: Final = 30.0
"""How long "there is no address" is believed; RFC 2308 would take it from the SOA record, which is often hours."""

LONGEST_RETRY_S: Final = 60.0
LOOKUP_TIMEOUT_S: Final = 5.0
MAX_LOOKUPS_AT_ONCE: Final = 20
FAMILIES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)


class _Name(Struct):
    """What is known of one name. ``addresses`` by family, so that one family failing costs the other nothing."""

    due: float
    addresses: dict[dns.rdatatype.RdataType, tuple[str, ...]] = field(default_factory=dict)
    failures: int = 0
    problem: str = ""
    is_being_looked_up: bool = False


class NameResolver:
    """Keeps ``resolved`` current for the names that are wanted. One asyncio loop only.

    ``on_change`` is called after ``resolved`` or ``problems`` has changed. ``make_resolver`` is called for each lookup,
    so that a changed resolv.conf is obeyed.
    """

    def __init__(
        self,
        on_change: Callable[[], None] = lambda: None,
        *,
        make_resolver: Callable[[], dns.asyncresolver.Resolver] = dns.asyncresolver.Resolver,
        shortest_s: float = SHORTEST_S,
        longest_s: float = LONGEST_S,
        first_retry_s: float = 1.0,
    ) -> None:
        self._on_change = on_change
        self._make_resolver = make_resolver
        self._shortest_s, self._longest_s, self._first_retry_s = shortest_s, longest_s, first_retry_s
        self._names: dict[str, _Name] = {}
        self._resolved: Mapping[str, tuple[str, ...]] = MappingProxyType({})
        self._problems: Mapping[str, str] = MappingProxyType({})
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_LOOKUPS_AT_ONCE)

    @property
    def resolved(self) -> Mapping[str, tuple[str, ...]]:
        """Sorted addresses by name; a name that never resolved is absent. A new mapping after every change."""
        return self._resolved

    @property
    def problems(self) -> Mapping[str, str]:
        """Why the last lookup of a name failed, for those where it did."""
        return self._problems

    def next_lookup_at(self, name: str) -> float:
        """When a wanted name is looked up next, by the loop's clock."""
        return self._names[name].due

    def want(self, names: Collection[str]) -> None:
        """From now on exactly these names are kept; others are forgotten at once."""
        for name in self._names.keys() - set(names):
            del self._names[name]
        for name in sorted(set(names) - self._names.keys()):
            self._names[name] = _Name(due=0.0)
        self._publish()
        self._wake.set()

    async def run(self) -> None:
        """Look names up as they fall due, until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as lookups:
            while True:
                self._wake.clear()
                for name, state in self._names.items():
                    if state.due <= loop.time() and not state.is_being_looked_up:
                        state.is_being_looked_up = True
                        lookups.create_task(self._look_up(name, state))
                await self._until_next(loop)

    async def _until_next(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = [state.due for state in self._names.values() if not state.is_being_looked_up]
        try:
            async with asyncio.timeout_at(max(min(waiting), loop.time()) if waiting else None):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _look_up(self, name: str, state: _Name) -> None:
        async with self._slots:
            if self._names.get(name) is not state:
                return  # no longer wanted
            answers = await self._ask(name)
        problems = [answer for answer in answers.values() if isinstance(answer, str)]
        sound = {family: answer for family, answer in answers.items() if not isinstance(answer, str)}
        state.addresses.update((family, answer.addresses) for family, answer in sound.items())
        ttl_s = min((answer.ttl_s for answer in sound.values() if answer.addresses), default=NO_ADDRESS_S)
        state.problem = problems[0] if problems else ""
        state.failures = state.failures + 1 if problems else 0
        wait_s = (
            retry_s(state.failures, self._first_retry_s)
            if problems
            else min(max(ttl_s, self._shortest_s), self._longest_s)
        )
        state.due = asyncio.get_running_loop().time() + wait_s
        state.is_being_looked_up = False
        self._publish()
        self._wake.set()

    async def _ask(self, name: str) -> dict[dns.rdatatype.RdataType, "_Answer | str"]:
        """An answer, or what went wrong, by family."""
        literal = _literal(name)
        if literal is not None:
            return literal
        try:
            resolver = self._make_resolver()
            # Absolute: cluster DNS answers with a CNAME to exactly this name, search domains play no part.
            target = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError, OSError) as error:
            return {family: _said(error) for family in FAMILIES}
        asked = await asyncio.gather(*(_ask_family(resolver, target, family) for family in FAMILIES))
        return dict(zip(FAMILIES, asked, strict=True))

    def _publish(self) -> None:
        resolved = {
            name: tuple(sorted({address for addresses in state.addresses.values() for address in addresses}))
            for name, state in sorted(self._names.items())
            if state.addresses
        }
        problems = {name: state.problem for name, state in sorted(self._names.items()) if state.problem}
        if (resolved, problems) != (self._resolved, self._problems):
            self._resolved, self._problems = MappingProxyType(resolved), MappingProxyType(problems)
            self._on_change()


def retry_s(failures: int, first_s: float) -> float:
    """Doubling, with up to half as much again so that many names do not fail in step."""
    wait_s = min(first_s * float(1 << min(failures - 1, 16)), LONGEST_RETRY_S)
    return wait_s * (1 + random.random() / 2)  # noqa: S311 - no secret


class _Answer(Struct, frozen=True):
    addresses: tuple[str, ...] = ()
    ttl_s: float = NO_ADDRESS_S


async def _ask_family(
    resolver: dns.asyncresolver.Resolver, name: dns.name.Name, family: dns.rdatatype.RdataType
) -> _Answer | str:
    """One question. That a name has no address of this family is an answer; that there is no such name is not:

    a zone being reloaded says so too, and routes should survive that.
    """
    try:
        answer = await resolver.resolve(name, family, raise_on_no_answer=False, lifetime=LOOKUP_TIMEOUT_S)
    except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
        return _said(error)
    if answer.rrset is None:
        return _Answer()
    return _Answer(tuple(record.address for record in answer), float(answer.chaining_result.minimum_ttl))


def _literal(name: str) -> dict[dns.rdatatype.RdataType, _Answer | str] | None:
    """An address in place of a name stands for itself."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    family = dns.rdatatype.A if address.version == 4 else dns.rdatatype.AAAA
    return {family: _Answer((str(address),), LONGEST_S)}


def _said(error: Exception) -> str:
    """The same failure in the same words each time: dnspython's tell durations, and every change is passed on."""
    match error:
        case dns.resolver.LifetimeTimeout():
            return f"no answer within {LOOKUP_TIMEOUT_S:g} s"
        case dns.resolver.NoNameservers():
            return "every DNS server failed or refused"
    return (str(error) or type(error).__name__).splitlines()[0][:200]
