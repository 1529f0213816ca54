"""Who may come in by address: deny list before allow list, IPv4 and IPv6.

An IPv4 address is the same client in all its spellings: ``::ffff:192.0.2.1`` is matched as ``192.0.2.1``, in a list
and as a client. A client whose address cannot be read is in no list, and is refused wherever there is one.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from ingressd.policy.ask import Answer, Ask, Plan
from ingressd.policy.memory import SharedBound
from ingressd.policy.satisfy import Verdict

_MAX_REMEMBERED = 4096
_all_verdicts = SharedBound(8 * _MAX_REMEMBERED)  # 5 MiB for each worker
"""Clients remembered for each list and worker: half a megabyte. More clients at a time cost a search each."""
_MAX_SETS = 256
_MAPPED_BITS = 96  # ::ffff:0:0/96 (RFC 4291 §2.5.5.2)

_FORBIDDEN = Answer(403, "address-not-allowed")


class AddressLists(Struct, frozen=True, gc=False, array_like=True):
    """Networks as ``read_networks`` returns them. An empty list does not take part."""

    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


def read_networks(text: str) -> tuple[str, ...]:
    """Networks and single addresses separated by commas, each in its one spelling, sorted, none twice.

    Raises:
        ValueError: an item is no network; the text names it.
    """
    return tuple(sorted({_network(item.strip()) for item in text.split(",")}))


def _network(item: str) -> str:
    try:
        if "%" in item:
            raise ValueError
        network = ipaddress.ip_network(item, strict=False)  # bits to the right of the prefix are ignored, as in nginx
    except ValueError:
        raise ValueError(f"{item[:64]!r} is neither an address nor a network such as 10.0.0.0/8") from None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return str(ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS)))
    return str(network)


def read_address(client: str) -> bytes | None:
    """The 4 or 16 bytes of a client's address, the same for each of its spellings; None: it is none."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.packed
    return address.packed


class AddressSet:
    """Networks joined to ranges without overlap, searched by bisection. Made once, not per request."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, networks: Iterable[str]) -> None:
        ranges: dict[int, list[tuple[int, int]]] = {4: [], 16: []}
        for text in networks:
            size, first, last = _range(text)
            ranges[size].append((first, last))
        joined = {size: _join(found) for size, found in ranges.items()}
        self._starts = {size: [first for first, _ in found] for size, found in joined.items()}
        self._ends = {size: [last for _, last in found] for size, found in joined.items()}

    def __contains__(self, packed: bytes) -> bool:
        """Whether the address, as ``read_address`` returns it, is in one of the networks."""
        number, size = int.from_bytes(packed, "big"), len(packed)
        at = bisect_right(self._starts[size], number) - 1
        return at >= 0 and number <= self._ends[size][at]


@lru_cache(maxsize=_MAX_SETS)
def address_set(networks: tuple[str, ...]) -> AddressSet:
    """The set of these networks, which many routes may share: one of 10,000 takes 20 ms to make."""
    return AddressSet(networks)


def _range(text: str) -> tuple[int, int, int]:
    """Bytes of an address, the first and the last as numbers. IPv4 by hand: ``ipaddress`` takes five times as long."""
    base, slash, bits = text.partition("/")
    if slash and ":" not in base:
        size = 1 << 32 - int(bits)
        first = int.from_bytes(bytes(map(int, base.split("."))), "big") & -size
        return 4, first, first + size - 1
    network = ipaddress.ip_network(text, strict=False)
    size = 4 if network.version == 4 else 16
    return size, int(network.network_address), int(network.broadcast_address)


def _join(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


class AddressCheck:
    """``AddressLists`` made ready for one worker."""

    __slots__ = ("_allow", "_deny", "_verdicts")

    def __init__(self, lists: AddressLists) -> None:
        self._deny = address_set(lists.deny) if lists.deny else None
        self._allow = address_set(lists.allow) if lists.allow else None
        self._verdicts: dict[str, Verdict | Answer] = {}

    def check(self, client: str) -> Verdict | Answer:
        """``client`` as in ``Ask.client``. The answer, if any, is 403."""
        verdict = self._verdicts.get(client)
        if verdict is None:
            verdict = self._search(client)
            _all_verdicts.remember(self._verdicts, client, verdict, _MAX_REMEMBERED)
        return verdict

    def apply(self, ask: Ask, plan: Plan) -> Answer | None:
        """``check`` where nothing else protects the route, so that there is nothing to combine it with."""
        verdict = self._verdicts.get(ask.client) or self.check(ask.client)
        return verdict if isinstance(verdict, Answer) else None

    def lets_in(self, client: str) -> bool:
        """Whether ``check`` has no answer."""
        return isinstance(self._verdicts.get(client) or self.check(client), Verdict)

    def _search(self, client: str) -> Verdict | Answer:
        packed = read_address(client)
        if packed is None:
            return _FORBIDDEN
        if self._deny is not None and packed in self._deny:
            return _FORBIDDEN
        if self._allow is None:
            return Verdict.SILENT
        return Verdict.PASSED if packed in self._allow else _FORBIDDEN
