"""Which addresses and names an object may send requests to."""

import pytest

from ingressd.routing.addresses import AddressError, endpoint_address, external_address, external_name

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "fe80::1",
    "::",
    "ff02::1",
]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1"]
NONSENSE = ["", "foo", "10.0.0", "010.0.0.1", "10.0.0.1/8", "10.0.0.256", "fd00::1%eth0", "::ffff:127.0.0.1", "\ud800"]


def family(text: str) -> str:
    return "IPv6" if ":" in text else "IPv4"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("169.1.2.3", "169.1.2.3"),
        ("240.0.0.1", "240.0.0.1"),
        ("FD00:0:0::1", "fd00::1"),
    ],
)
def test_endpoint_address(text: str, address: str) -> None:
    assert endpoint_address(text, family(text), allow_loopback=False) == address


@pytest.mark.parametrize("allow_loopback", [False, True])
@pytest.mark.parametrize("text", NEVER + NONSENSE)
def test_endpoint_address_refused(text: str, allow_loopback: bool) -> None:
    with pytest.raises(AddressError):
        endpoint_address(text, family(text), allow_loopback=allow_loopback)


@pytest.mark.parametrize("text", LOOPBACK)
def test_loopback_is_for_those_who_ask_for_it(text: str) -> None:
    assert endpoint_address(text, family(text), allow_loopback=True) == text
    with pytest.raises(AddressError):
        endpoint_address(text, family(text), allow_loopback=False)


def test_an_address_of_the_other_family_is_refused() -> None:
    with pytest.raises(AddressError):
        endpoint_address("10.0.0.1", "IPv6", allow_loopback=False)


@pytest.mark.parametrize(
    "text",
    NEVER + LOOPBACK + NONSENSE + ["fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"],
)
def test_external_address_refused(text: str) -> None:
    with pytest.raises(AddressError):
        external_address(text)


def test_external_address() -> None:
    assert external_address("93.184.216.34") == ("93.184.216.34", "IPv4")
    assert external_address("2001:DB8::1") == ("2001:db8::1", "IPv6")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("API.example.com.", "api.example.com"),
        ("_srv.example.com", "_srv.example.com"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::1", "fd00::1"),
    ],
)
def test_external_name(text: str, name: str) -> None:
    assert external_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "localhost",
        "LOCALHOST.",
        "x.localhost",
        "ip6-loopback",
        "a b",
        "http://x",
        "a..b",
        "ü.example",
        "x" * 254,
    ],
)
def test_external_name_refused(text: str) -> None:
    with pytest.raises(AddressError):
        external_name(text)
