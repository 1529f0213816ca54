"""ExternalName resolution against a real DNS server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from ingressd.kube.resolve import NameResolver, retry_s


class Zone(asyncio.DatagramProtocol):
    """A DNS server: ``records`` by (name, type) as (TTL, addresses); ``rcode`` answers everything when set."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.aliases: dict[str, tuple[int, str]] = {}
        self.rcode: dns.rcode.Rcode | None = None
        self.failing: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.heard = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        [question] = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        self.heard.set()
        self.transport.sendto(self._answer(query, name, kind).to_wire(), addr)

    def _answer(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if name in self.aliases:
            ttl, target = self.aliases[name]
            answer.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", "CNAME", f"{target}."))
            name = target
        if self.rcode is not None or kind in self.failing:
            answer.set_rcode(self.rcode or dns.rcode.SERVFAIL)
        elif (name, kind) in self.records:
            ttl, addresses = self.records[name, kind]
            answer.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", kind, *addresses))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def make_resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        return resolver


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    transport, zone = await asyncio.get_running_loop().create_datagram_endpoint(Zone, local_addr=("127.0.0.1", 0))
    yield zone
    transport.close()


class Names:
    """A running resolver; ``until`` waits for its mapping."""

    def __init__(self, zone: Zone, **times: float) -> None:
        self._changed = asyncio.Event()
        self.changes = 0
        self.resolver = NameResolver(self._on_change, make_resolver=zone.make_resolver, **times)

    def _on_change(self) -> None:
        self.changes += 1
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await self._changed.wait()
                self._changed.clear()

    async def are(self, **expected: Collection[str]) -> None:
        wanted = {name.replace("_", "."): tuple(addresses) for name, addresses in expected.items()}
        await self.until(lambda: dict(self.resolver.resolved) == wanted)


@asynccontextmanager
async def running(zone: Zone, **times: float) -> AsyncIterator[Names]:
    names = Names(zone, **({"shortest_s": 0.01, "first_retry_s": 0.01} | times))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(names.resolver.run())
        try:
            yield names
        finally:
            task.cancel()


async def heard(zone: Zone, times: int) -> None:
    """Wait for this many more questions."""
    target = len(zone.asked) + times
    async with asyncio.timeout(20):
        while len(zone.asked) < target:
            zone.heard.clear()
            await zone.heard.wait()


async def test_both_families_sorted(zone: Zone) -> None:
    zone.records["api.example", "A"] = (300, ["192.0.2.20", "192.0.2.10"])
    zone.records["api.example", "AAAA"] = (300, ["2001:db8::1"])
    async with running(zone) as names:
        names.resolver.want({"api.example"})
        await names.are(api_example=["192.0.2.10", "192.0.2.20", "2001:db8::1"])


async def test_names_as_they_are_wanted(zone: Zone) -> None:
    zone.records["a.example", "A"] = (300, ["192.0.2.1"])
    zone.records["b.example", "A"] = (300, ["192.0.2.2"])
    async with running(zone) as names:
        names.resolver.want({"a.example"})
        await names.are(a_example=["192.0.2.1"])
        names.resolver.want({"a.example", "b.example"})
        await names.are(a_example=["192.0.2.1"], b_example=["192.0.2.2"])
        asked = len(zone.asked)
        names.resolver.want({"b.example"})
        assert dict(names.resolver.resolved) == {"b.example": ("192.0.2.2",)}
        assert len(zone.asked) == asked


async def test_an_alias_is_followed_and_its_ttl_counts(zone: Zone) -> None:
    zone.aliases["www.example"] = (0, "real.example")
    zone.records["real.example", "A"] = (300, ["192.0.2.1"])
    async with running(zone) as names:
        names.resolver.want({"www.example"})
        await names.are(www_example=["192.0.2.1"])
        zone.aliases["www.example"] = (0, "other.example")
        zone.records["other.example", "A"] = (300, ["192.0.2.2"])
        await names.are(www_example=["192.0.2.2"])


async def test_asked_again_when_the_ttl_is_over(zone: Zone) -> None:
    zone.records["a.example", "A"] = (0, ["192.0.2.1"])
    async with running(zone) as names:
        names.resolver.want({"a.example"})
        await names.are(a_example=["192.0.2.1"])
        zone.records["a.example", "A"] = (0, ["192.0.2.2", "192.0.2.3"])
        await names.are(a_example=["192.0.2.2", "192.0.2.3"])
        assert names.changes == 2


@pytest.mark.parametrize(
    ("ttl", "times", "wait_s"),
    [
        (7, {"shortest_s": 1.0, "longest_s": 300.0}, 7.0),
        (0, {"shortest_s": 1.0, "longest_s": 300.0}, 1.0),
        (86400, {"shortest_s": 1.0, "longest_s": 300.0}, 300.0),
    ],
)
async def test_ttl_bounds(zone: Zone, ttl: int, times: dict[str, float], wait_s: float) -> None:
    zone.records["a.example", "A"] = (ttl, ["192.0.2.1"])
    async with running(zone, **times) as names:
        before = asyncio.get_running_loop().time()
        names.resolver.want({"a.example"})
        await names.are(a_example=["192.0.2.1"])
        after = asyncio.get_running_loop().time()
        due = names.resolver.next_lookup_at("a.example")
        assert before + wait_s <= due <= after + wait_s


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NXDOMAIN])
async def test_a_failing_server_takes_nothing_away(zone: Zone, rcode: dns.rcode.Rcode) -> None:
    zone.records["a.example", "A"] = (0, ["192.0.2.1"])
    async with running(zone) as names:
        names.resolver.want({"a.example"})
        await names.are(a_example=["192.0.2.1"])
        zone.rcode = rcode
        await heard(zone, 6)
        assert dict(names.resolver.resolved) == {"a.example": ("192.0.2.1",)}
        zone.rcode = None
        zone.records["a.example", "A"] = (300, ["192.0.2.2"])
        await names.are(a_example=["192.0.2.2"])
        assert names.resolver.problems == {}


async def test_one_family_failing_costs_the_other_nothing(zone: Zone) -> None:
    zone.records["a.example", "A"] = (0, ["192.0.2.1"])
    zone.records["a.example", "AAAA"] = (0, ["2001:db8::1"])
    async with running(zone) as names:
        names.resolver.want({"a.example"})
        await names.are(a_example=["192.0.2.1", "2001:db8::1"])
        zone.failing.add("AAAA")
        zone.records["a.example", "A"] = (0, ["192.0.2.2"])
        await names.are(a_example=["192.0.2.2", "2001:db8::1"])


def test_failures_are_asked_again_ever_more_slowly() -> None:
    waits = [retry_s(failures, 1.0) for failures in range(1, 12)]
    for failures, wait_s in enumerate(waits[:6]):
        assert 2**failures <= wait_s <= 1.5 * 2**failures
    assert all(60 <= wait_s <= 90 for wait_s in waits[6:])


async def test_a_name_without_addresses_resolves_to_none(zone: Zone) -> None:
    zone.records["a.example", "TXT"] = (300, ['"text"'])
    async with running(zone) as names:
        names.resolver.want({"a.example"})
        await names.are(a_example=[])


async def test_an_unknown_name_stays_absent_and_is_said(zone: Zone) -> None:
    async with running(zone, first_retry_s=60.0) as names:
        names.resolver.want({"nobody.example"})
        await names.until(lambda: "nobody.example" in names.resolver.problems)
        assert dict(names.resolver.resolved) == {}
        assert "does not exist" in names.resolver.problems["nobody.example"]


@pytest.mark.parametrize("name", ["", ".", "a..example", "a" * 64 + ".example", "\udcff.example", "a b\0"])
async def test_names_that_are_none_hurt_nobody(zone: Zone, name: str) -> None:
    zone.records["a.example", "A"] = (300, ["192.0.2.1"])
    async with running(zone) as names:
        names.resolver.want({name})
        names.resolver.want({name, "a.example"})
        await names.until(lambda: names.resolver.resolved.get("a.example") == ("192.0.2.1",))


@pytest.mark.parametrize(("name", "address"), [("192.0.2.7", "192.0.2.7"), ("2001:DB8::7", "2001:db8::7")])
async def test_an_address_stands_for_itself(zone: Zone, name: str, address: str) -> None:
    async with running(zone) as names:
        names.resolver.want({name})
        await names.until(lambda: dict(names.resolver.resolved) == {name: (address,)})
        assert zone.asked == []


async def test_no_resolver_configuration_is_a_failure_like_any_other() -> None:
    def unconfigured() -> dns.asyncresolver.Resolver:
        asked.set()
        raise dns.resolver.NoResolverConfiguration

    asked = asyncio.Event()
    resolver = NameResolver(make_resolver=unconfigured, first_retry_s=0.001)
    resolver.want({"a.example"})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(resolver.run())
        for _ in range(3):
            await asked.wait()
            asked.clear()
        task.cancel()
    assert dict(resolver.resolved) == {}
