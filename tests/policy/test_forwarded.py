"""Where a request came from: whom we believe what, and what the upstream is told."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.http.head import read_request_fields
from ingressd.http.hops import forwarded_fields
from ingressd.policy.forwarded import Forwarding, ForwardingRules, Seen

LAN = ("10.0.0.0/8", "2001:db8::/32")
TRUSTING = Forwarding(client_from_header=True, target_from_headers=True, trusted=LAN)
REAL_IP = Forwarding(client_from_header=True, trusted=LAN)
FULL = Forwarding(client_from_header=True, target_from_headers=True, full_list=True, trusted=LAN)


def claims(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def see(settings: Forwarding, peer: str, *lines: str, scheme: bytes = b"http") -> Seen:
    return ForwardingRules(settings).seen_as(peer, scheme, b"80", b"a.example:8080", claims(*lines))


@pytest.mark.parametrize(
    "lines", [(), ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Real-IP: 1.1.1.1")]
)
def test_by_default_nobody_is_believed_anything(lines: tuple[str, ...]) -> None:
    seen = see(Forwarding(), "203.0.113.7", *lines)
    ours = forwarded_fields(client=b"203.0.113.7", host_field=b"a.example:8080", port=b"80", scheme=b"http")
    assert seen == Seen("203.0.113.7", b"http", b"a.example:8080", b"80", b"203.0.113.7", ours)


@pytest.mark.parametrize(
    ("peer", "listed", "client"),
    [
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1,10.0.0.2 10.0.0.3", "192.0.2.1"),  # nginx parts at spaces too
        ("10.0.0.1", "198.51.100.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),  # what stands left of the client is its word
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # all trusted: the leftmost
        ("10.0.0.1", "192.0.2.1, evil, 10.0.0.2", "10.0.0.2"),  # what is no address ends the reading
        ("10.0.0.1", "192.0.2.1, evil", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", " , ,", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.1", "2001:DB9::1", "2001:db9::1"),
        ("10.0.0.1", "[2001:db9::1]:4711", "2001:db9::1"),
        ("10.0.0.1", "[2001:db9::1]", "10.0.0.1"),  # as in nginx: brackets only with a port
        ("10.0.0.1", "192.0.2.1:0", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1:65536", "10.0.0.1"),
        ("10.0.0.1", "[2001:db9::1]:65536", "10.0.0.1"),
        ("10.0.0.1", "256.0.2.1", "10.0.0.1"),
        ("10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.01", "10.0.0.1"),
        ("10.0.0.1", "192.0.2", "10.0.0.1"),
        ("10.0.0.1", "fe80::1%eth0", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1:99999999", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1/32", "10.0.0.1"),
        ("2001:db8::1", "192.0.2.1", "192.0.2.1"),
        ("203.0.113.7", "192.0.2.1", "203.0.113.7"),  # a peer that is not trusted
        ("", "192.0.2.1", ""),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_not_trusted(peer: str, listed: str, client: str) -> None:
    for settings in (TRUSTING, REAL_IP):
        seen = see(settings, peer, f"x-forwarded-for: {listed}")
        assert seen.client == client
        assert b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\n" % (client.encode(), client.encode()) in seen.lines


def test_several_fields_are_one_list() -> None:
    assert see(REAL_IP, "10.0.0.1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 10.0.0.9").client == "192.0.2.1"


def test_real_ip_alone_believes_nothing_else() -> None:
    seen = see(REAL_IP, "10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: b.example", "X-Forwarded-Port: 443")
    assert (seen.scheme, seen.authority, seen.port) == (b"http", b"a.example:8080", b"80")


@pytest.mark.parametrize(
    ("line", "scheme", "authority", "port"),
    [
        ("X-Forwarded-Proto: https", b"https", b"a.example:8080", b"80"),
        ("X-Forwarded-Proto: HTTPS, http", b"https", b"a.example:8080", b"80"),
        ("X-Forwarded-Proto: wss", b"wss", b"a.example:8080", b"80"),
        ("X-Forwarded-Proto: https://evil", b"http", b"a.example:8080", b"80"),
        ("X-Forwarded-Proto:", b"http", b"a.example:8080", b"80"),
        ("X-Forwarded-Port: 443", b"http", b"a.example:8080", b"443"),
        ("X-Forwarded-Port: 443,80", b"http", b"a.example:8080", b"443"),
        ("X-Forwarded-Port: 0", b"http", b"a.example:8080", b"80"),
        ("X-Forwarded-Port: 65536", b"http", b"a.example:8080", b"80"),
        ("X-Forwarded-Port: -1", b"http", b"a.example:8080", b"80"),
        ("X-Forwarded-Host: b.example, c.example", b"http", b"b.example", b"80"),
        ("X-Forwarded-Host: B.example:8443", b"http", b"B.example:8443", b"80"),
        ("X-Forwarded-Host: b.example/x", b"http", b"a.example:8080", b"80"),
        ("X-Forwarded-Host: b\xe9.example", b"http", b"a.example:8080", b"80"),
        ("X-Forwarded-Host:", b"http", b"a.example:8080", b"80"),
    ],
)
def test_what_was_asked_for_is_believed_of_trusted_peers(
    line: str, scheme: bytes, authority: bytes, port: bytes
) -> None:
    seen = see(TRUSTING, "10.0.0.1", line)
    assert (seen.scheme, seen.authority, seen.port) == (scheme, authority, port)
    assert seen.lines == forwarded_fields(client=b"10.0.0.1", host_field=authority, port=port, scheme=scheme)
    assert see(TRUSTING, "203.0.113.7", line).scheme == b"http"


def test_everybody_includes_ipv6_peers_for_the_scheme_but_not_for_the_client() -> None:
    everybody = Forwarding(client_from_header=True, target_from_headers=True)
    seen = see(everybody, "2001:db8::1", "X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.1")
    assert (seen.scheme, seen.client) == (b"https", "2001:db8::1")


@pytest.mark.parametrize(
    ("peer", "lines", "listed", "client"),
    [
        ("10.0.0.1", ("X-Forwarded-For: 192.0.2.1",), b"192.0.2.1, 10.0.0.1", "192.0.2.1"),
        ("10.0.0.1", ("X-Forwarded-For: 5.5.5.5, 192.0.2.1",), b"5.5.5.5, 192.0.2.1, 10.0.0.1", "192.0.2.1"),
        ("10.0.0.1", (), b"10.0.0.1", "10.0.0.1"),
        ("203.0.113.7", ("X-Forwarded-For: 192.0.2.1",), b"203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", ("X-Forwarded-For: <script>",), b"10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", ("X-Forwarded-For: " + "1" * 3000,), b"10.0.0.1", "10.0.0.1"),
    ],
)
def test_the_full_list_is_added_to(peer: str, lines: tuple[str, ...], listed: bytes, client: str) -> None:
    seen = see(FULL, peer, *lines)
    assert (seen.forwarded_for, seen.client) == (listed, client)
    assert b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Host" % (client.encode(), listed) in seen.lines


def test_another_header_may_name_the_client() -> None:
    rules = ForwardingRules(Forwarding(client_from_header=True, header="CF-Connecting-IP", trusted=LAN))
    block = b"Host: a\r\nCF-Connecting-IP: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.99\r\n\r\n"
    claimed = rules.claims_of(read_request_fields(block, 100))
    assert rules.seen_as("10.0.0.1", b"http", b"80", b"a", claimed).client == "192.0.2.1"
    plain = read_request_fields(b"Host: a\r\nX-A: b\r\n\r\n", 100)
    assert rules.claims_of(plain) == b""


def test_who_names_that_header_in_connection_is_still_not_the_proxy() -> None:
    """Hop-by-hop abuse (Davison 2019): 10.0.0.1 may be on the list of addresses that a route lets in."""
    rules = ForwardingRules(Forwarding(client_from_header=True, header="CF-Connecting-IP", trusted=LAN))
    block = b"Host: a\r\nConnection: close, CF-Connecting-IP\r\nCF-Connecting-IP: 192.0.2.1\r\nX-A: b\r\n\r\n"
    fields = read_request_fields(block, 100)
    assert fields.onward == b"X-A: b\r\n"
    assert rules.seen_as("10.0.0.1", b"http", b"80", b"a", rules.claims_of(fields)).client == "192.0.2.1"


def test_originals_go_upstream_when_asked_for_and_sound() -> None:
    settings = Forwarding(originals=True)
    lines = see(settings, "203.0.113.7", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: b").lines
    assert lines.endswith(b"X-Original-Forwarded-For: 192.0.2.1\r\nX-Original-Forwarded-Host: b\r\n")
    assert b"Original" not in see(settings, "203.0.113.7", "X-Forwarded-For: \xe9").lines
    assert b"Original" not in see(settings, "203.0.113.7").lines


def test_what_is_remembered_is_bounded_and_the_same() -> None:
    rules = ForwardingRules(TRUSTING)
    for number in range(3000):
        claimed = claims(f"X-Forwarded-For: 192.0.{number // 256}.{number % 256}")
        once = rules.seen_as("10.0.0.1", b"http", b"80", b"a", claimed)
        assert rules.seen_as("10.0.0.1", b"http", b"80", b"a", claimed) is once
    assert len(rules._remembered) <= 1024


ENTRIES = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(
        ["10.0.0.1", "10.1.2.3:80", "2001:db8::5", "[2001:db8::6]:1", "unknown", "_x", "1.2.3", "", "\x80"]
    ),
)


@given(st.lists(ENTRIES, max_size=8), st.sampled_from([", ", ",", " ", " ,, "]))
def test_the_client_is_an_address_and_never_left_of_one_that_is_not_trusted(entries: list[str], comma: str) -> None:
    seen = see(FULL, "10.0.0.1", "X-Forwarded-For: " + comma.join(entries))
    trusted = [ipaddress.ip_network(network) for network in LAN]
    client = ipaddress.ip_address(seen.client)
    believed = [ipaddress.ip_address("10.0.0.1")]
    for entry in reversed([entry for entry in entries if entry]):
        try:
            address = ipaddress.ip_address(
                {"10.1.2.3:80": "10.1.2.3", "[2001:db8::6]:1": "2001:db8::6"}.get(entry, entry)
            )
        except ValueError:
            break
        believed.append(getattr(address, "ipv4_mapped", None) or address)
        if not any(believed[-1] in network for network in trusted):
            break
    assert client == believed[-1]
    assert seen.lines.count(b"\r\n") == 7
