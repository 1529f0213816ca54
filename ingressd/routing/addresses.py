"""Which addresses and external names an object may send requests to.

Whoever may write a Service or an EndpointSlice must not reach, through the proxy, what listens on the proxy's own
loopback or the cloud's metadata service (CVE-2021-25740 is of this kind).
"""

import ipaddress
import re

# Metadata services that are not link-local: AWS over IPv6, Azure's wire server, Alibaba Cloud, Oracle Cloud (classic).
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192")
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_SHORTEST_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_NAME = re.compile(r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?)*")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressError(ValueError):
    """An address or name that is not followed; ``str()`` says which and why."""


def endpoint_address(text: str, address_type: str, *, allow_loopback: bool) -> str:
    """The address of a slice's endpoint in its shortest form. Raises AddressError."""
    if address_type == "IPv4" and _SHORTEST_IPV4.fullmatch(text) and not _may_be_faulty_v4(int(text.partition(".")[0])):
        return text  # nearly all are: reading one with ``ipaddress`` takes five times as long (benchmarks/compile.py)
    address = _parsed(text)
    if f"IPv{address.version}" != address_type:
        raise AddressError(f"{_shown(text)} is not an {address_type} address")
    if not (allow_loopback and address.is_loopback):
        _check(address)
    return str(address)


def external_address(text: str) -> tuple[str, str]:
    """An answer for an external name, and its family; loopback is never allowed. Raises AddressError."""
    address = _parsed(text)
    _check(address)
    if address in _METADATA:
        raise AddressError(f"{address} is a metadata service")
    return str(address), f"IPv{address.version}"


def external_name(text: str) -> str:
    """``spec.externalName`` as it is to be resolved: lower case, no trailing dot. Raises AddressError."""
    name = text.lower().removesuffix(".")
    if not text.isascii() or len(name) > 253 or not (is_literal(name) or _NAME.fullmatch(name)):
        raise AddressError(f"the external name {_shown(text)} is not a DNS name")
    if name in _LOOPBACK_NAMES or name.endswith(".localhost"):  # RFC 6761 §6.3
        raise AddressError(f"the external name {_shown(text)} is this machine itself")
    return name


def is_literal(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _parsed(text: str) -> Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise AddressError(f"{_shown(text)} is not an IP address") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise AddressError(f"{_shown(text)} has a zone, which means nothing on another machine")
        if address.ipv4_mapped is not None:
            raise AddressError(f"{_shown(text)} is an IPv4 address in disguise; write it as IPv4")
    return address


def _check(address: Address) -> None:
    fault = _fault_v4(int(address)) if address.version == 4 else _fault_v6(address)
    if fault:
        raise AddressError(f"{address} is {fault}, which endpoints may not have")


def _may_be_faulty_v4(first: int) -> bool:
    """Whether an address with this first octet has to be looked at more closely."""
    return not 0 < first < 224 or first in (127, 169)


def _fault_v4(value: int) -> str:
    """By number: asking ``ipaddress`` for each property takes ten times as long, and there are 30,000 endpoints."""
    first = value >> 24
    if not _may_be_faulty_v4(first):
        return ""
    if first == 127:
        return "a loopback address"
    if value >> 16 == 0xA9FE:  # 169.254.0.0/16
        return "a link-local address"
    if first == 0:  # RFC 1122 §3.2.1.3: this host on this network
        return "no address of a host"
    if first in range(224, 240):
        return "a multicast address"
    return "the broadcast address" if value == 0xFFFFFFFF else ""


def _fault_v6(address: Address) -> str:
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_unspecified:
        return "no address of a host"
    return "a multicast address" if address.is_multicast else ""


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 100 else text[:99] + "…")
