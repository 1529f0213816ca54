"""Deny and allow lists: which clients are in, however their addresses are spelled."""

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.address_list import AddressCheck, AddressLists, AddressSet, read_address, read_networks
from ingressd.policy.ask import Answer
from ingressd.policy.satisfy import Verdict

PASSED, SILENT, REFUSED = Verdict.PASSED, Verdict.SILENT, 403

READ = {
    "10.0.0.0/8": ("10.0.0.0/8",),
    "10.1.2.3/8": ("10.0.0.0/8",),
    " 192.0.2.1 , 10.0.0.0/8": ("10.0.0.0/8", "192.0.2.1/32"),
    "2001:DB8::/32,::1": ("2001:db8::/32", "::1/128"),
    "::ffff:10.0.0.0/104": ("10.0.0.0/8",),
    "::ffff:192.0.2.1": ("192.0.2.1/32",),
    "::/0": ("::/0",),
    "::/90": ("::/90",),
    "10.0.0.1,10.0.0.1/32": ("10.0.0.1/32",),
}
UNREADABLE = ("", "10.0.0.0/8,", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "all", "010.0.0.1", "10.0.0.0/8 10.1.0.0/8")

# deny, allow, client, verdict
CLIENTS = {
    "allowed": ("", "10.0.0.0/8", "10.255.0.1", PASSED),
    "not allowed": ("", "10.0.0.0/8", "11.0.0.0", REFUSED),
    "denied": ("192.0.2.1", "", "192.0.2.1", REFUSED),
    "not denied": ("192.0.2.1", "", "192.0.2.2", SILENT),
    "deny before allow": ("10.1.0.0/16", "10.0.0.0/8", "10.1.0.1", REFUSED),
    "allow beside deny": ("10.1.0.0/16", "10.0.0.0/8", "10.2.0.1", PASSED),
    "the first address": ("", "10.0.0.0/8", "10.0.0.0", PASSED),
    "before the first": ("", "10.0.0.0/8", "9.255.255.255", REFUSED),
    "IPv6": ("", "2001:db8::/32", "2001:db8:ffff::1", PASSED),
    "IPv6 in other letters": ("", "2001:db8::/32", "2001:0DB8:0::1", PASSED),
    "IPv6 outside": ("", "2001:db8::/32", "2001:db9::", REFUSED),
    "a mapped client": ("", "10.0.0.0/8", "::ffff:10.0.0.1", PASSED),
    "a mapped client, denied": ("10.0.0.0/8", "", "::FFFF:a00:1", REFUSED),
    "IPv4 is not in ::/0": ("", "::/0", "10.0.0.1", REFUSED),
    "IPv6 is not in 0.0.0.0/0": ("", "0.0.0.0/0", "::1", REFUSED),
    "with a zone": ("", "fe80::/10", "fe80::1%eth0", PASSED),
    "no address, allow list": ("", "0.0.0.0/0,::/0", "unknown", REFUSED),
    "no address, deny list": ("10.0.0.0/8", "", "", REFUSED),
    "no list": ("", "", "10.0.0.1", SILENT),
}


@pytest.mark.parametrize(("text", "networks"), READ.items(), ids=READ)
def test_reading(text: str, networks: tuple[str, ...]) -> None:
    assert read_networks(text) == networks


@pytest.mark.parametrize("text", UNREADABLE)
def test_an_item_that_is_no_network_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is neither an address nor a network"):
        read_networks(text)


@pytest.mark.parametrize(("deny", "allow", "client", "verdict"), CLIENTS.values(), ids=CLIENTS)
def test_clients(deny: str, allow: str, client: str, verdict: Verdict | int) -> None:
    lists = AddressLists(*(read_networks(text) if text else () for text in (deny, allow)))
    check = AddressCheck(lists)
    for _ in range(2):  # the second time from memory
        found = check.check(client)
        assert (found.status if isinstance(found, Answer) else found) == verdict


def test_what_is_remembered_is_bounded() -> None:
    check = AddressCheck(AddressLists(deny=("10.0.0.0/24",)))
    for number in range(10_000):
        client = str(ipaddress.IPv4Address((10 << 24) + number))
        assert isinstance(check.check(client), Answer) is (number < 256)
    assert len(check._verdicts) <= 4096


networks = st.one_of(
    st.builds(
        lambda base, bits: ipaddress.IPv4Network((base << 8, bits), strict=False),
        st.integers(0, 255),
        st.integers(22, 32),
    ),
    st.builds(
        lambda base, bits: ipaddress.IPv6Network((base << 8, bits), strict=False),
        st.integers(0, 255),
        st.integers(116, 128),
    ),
)
spellings = st.sampled_from((str, lambda network: network.exploded, lambda network: str(network).removesuffix("/32")))
addresses = st.one_of(
    st.integers(0, 1 << 16).map(ipaddress.IPv4Address), st.integers(0, 1 << 16).map(ipaddress.IPv6Address)
)


@given(st.lists(networks), spellings, st.lists(addresses, min_size=1))
def test_the_search_agrees_with_looking_at_every_network(
    chosen: list[ipaddress.IPv4Network | ipaddress.IPv6Network],
    spelled: Callable[[object], str],
    clients: list[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> None:
    found = AddressSet(spelled(network) for network in chosen)
    for client in clients:
        packed = read_address(str(client))
        assert packed is not None
        assert (packed in found) is any(client in network for network in chosen)
