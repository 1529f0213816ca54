"""Texts, lists, URLs, addresses and expressions: what ingress-nginx lets through, and nothing that could break a head.

Every function takes text without outer white space and raises BadValue with a sentence for the owner of the object.
The expressions here are linear: no repetition stands inside another over the same characters.
"""

import ipaddress
import re
import warnings
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from ingressd.policy.pattern import PatternError, compile_pattern
from ingressd.routing.annotations.row import BadValue, Outcome
from ingressd.routing.annotations.values import shown

_BASIC = r"\-._~a-zA-Z0-9/:"

# ingress-nginx's character sets, by the name of what they are for. A space is allowed where the second value says so.
PLAIN = re.compile(rf"[{_BASIC}]*")
WORDS = re.compile(rf"[{_BASIC} ]*")
URL = re.compile(rf"[{_BASIC},?&=]*")
URL_WITH_VARIABLES = re.compile(rf"[{_BASIC},?&= $]*")
VARIABLES = re.compile(r"[A-Za-z0-9\-_${}]*")
PATH_WITH_CAPTURES = re.compile(rf"[{_BASIC}$]*")
EXPRESSION = re.compile(rf"[{_BASIC}\^$\[\](){{}}*+?|&=\\]*")
HEADER_LIST = re.compile(r"[A-Za-z0-9\-_, ]*")
METHOD_LIST = re.compile(r"[A-Za-z]+(?:(?:, ?| )[A-Za-z]+)*(?:, ?| )?")
EXPOSED_LIST = re.compile(r"(?:[A-Za-z0-9\-_]+|\*)(?:(?:, ?| )(?:[A-Za-z0-9\-_]+|\*))*(?:, ?| )?")
CIPHERS = re.compile(r"[A-Za-z0-9!:+\-_@=]*")
UPSTREAM_CIPHERS = re.compile(r"[A-Za-z0-9!:+\-_]*")
SERVICE_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
ERROR_PAGE = re.compile(r"(?:@[A-Za-z0-9_-]+|(?:(?:https?://)?[A-Za-z0-9\-.]+(?::[0-9]+)?)?(?:/[A-Za-z0-9\-_.]+)*/?)")

_ORIGIN = re.compile(r"(?:[a-z]+://)?(?:\*\.)?[A-Za-z0-9\-.]*(?::[0-9]+)?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9\-_]+")
_QUOTED = re.compile(r"\A([\"'])(.*)\1\Z")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")  # RFC 9110 §5.5 less obs-text
# They frame the message or belong to one hop (RFC 9112 §6, RFC 9110 §7.6.1): an owner's text never sets them.
_NEVER_SET = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-length", "expect", "host"),
    }
)
_UPSTREAM_CONDITIONS = frozenset(
    {
        *("error", "timeout", "invalid_header", "non_idempotent", "off"),
        *("http_403", "http_404", "http_429", "http_500", "http_502", "http_503", "http_504"),
    }
)
_REDIRECTS = (301, 302, 303, 307, 308)


class Respond(NamedTuple):
    """An answer of a route: its status, and its body or, for a redirect, its Location."""

    status: int
    text: str = ""


def text(text: str) -> str:
    """Any text of one line."""
    if "\n" in text or "\r" in text:
        raise BadValue(f"{shown(text)} has a line break: write one line")
    return text


def any_text(text: str) -> str:
    return text


def spelled(pattern: re.Pattern[str], hint: str, *, spaces: bool = True) -> Callable[[str], str]:
    """Text of certain characters; ``spaces``: ignored in the check, kept in the value."""

    def parse(value: str) -> str:
        text(value)
        if pattern.fullmatch(value.replace(" ", "") if spaces else value) is None:
            raise BadValue(f"{shown(value)} has characters that are not allowed here: write {hint}")
        return value

    return parse


def items(value: str) -> tuple[str, ...]:
    """A comma-separated list, empty items left out."""
    return tuple(item for one in text(value).split(",") if (item := one.strip()))


def lines(value: str) -> tuple[str, ...]:
    return tuple(line for one in value.split("\n") if (line := one.strip()))


def networks(value: str) -> tuple[str, ...]:
    """Addresses and networks in their normal form, sorted as there. One bad item makes the list bad."""
    return tuple(sorted({_network(item.strip()) for item in value.split(",")}))


def _network(item: str) -> str:
    if not item:
        raise BadValue("it has a comma too many: an item of the list is empty")
    address, slash, bits = item.partition("/")
    try:
        if "%" in address or (slash and not bits.isdigit()):
            raise ValueError
        if not slash:
            return str(ipaddress.ip_address(address))
        return str(ipaddress.ip_network(item, strict=False))
    except ValueError:
        hint = "write a list such as 10.0.0.0/8,2001:db8::1"
        raise BadValue(f"{shown(item)} is neither an IP address nor a network: {hint}") from None


def url(pattern: re.Pattern[str], unparsable: Outcome | None = None) -> Callable[[str], str]:
    """A URL with scheme and host; one of allowed characters that cannot be parsed has the outcome ``unparsable``."""
    check = spelled(pattern, "a URL such as https://auth.example.com/check")

    def parse(value: str) -> str:
        check(value)
        try:
            parts = urlsplit(value)
            host = parts.netloc
        except ValueError:
            host = ""
        if not host or not parts.scheme or ".." in host:
            raise BadValue(
                f"{shown(value)} is not a URL with scheme and host, such as https://a.example.com/", unparsable
            )
        return value

    return parse


def http_url(value: str) -> str:
    """``temporal-redirect``: a scheme that is not http… makes ingress-nginx ignore it, other characters freeze."""
    spelled(URL, "a URL such as https://www.example.com", spaces=False)(value)
    if not value.lower().startswith("http") or ":" not in value:
        raise BadValue(f"{shown(value)} does not start with http:// or https://", "default")
    return value


def app_root(value: str) -> str:
    spelled(PATH_WITH_CAPTURES, "a path such as /app", spaces=False)(value)
    if not value.startswith("/"):
        raise BadValue(f"{shown(value)} is not an absolute path: write one such as /app")
    return value


def header_names(value: str) -> tuple[str, ...]:
    names = items(value)
    bad = [name for name in names if _HEADER_NAME.fullmatch(name) is None]
    if bad:
        raise BadValue(f"{shown(bad[0])} is not a header name: write a list such as X-User,X-Email")
    return tuple(dict.fromkeys(names))


def server_names(value: str) -> tuple[str, ...]:
    """Names, wildcards and ``~`` expressions of ``server-alias``, sorted as there."""
    names = items(value)
    for name in names:
        spelled(EXPRESSION, "names such as a.example.com,*.b.example.com,~^c[0-9]+$")(name)
        if name.startswith("~"):
            _any_expression(name[1:])
    return tuple(sorted(set(names)))


def expression(value: str) -> str:
    """One that is matched here: ``policy.pattern`` is asked, because it is what a worker will ask."""
    try:
        compile_pattern(value)
    except PatternError as error:
        raise BadValue(f"this regular expression is not understood: {error}") from None
    return value


def _any_expression(value: str) -> None:
    """One that nothing is matched by here, so any dialect will do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `[[` means something else in other dialects: not our owner's concern
            re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadValue(f"{shown(value)} is not a regular expression: {error}") from None


def expressions(value: str) -> tuple[str, ...]:
    """Regular expressions, one on a line."""
    return tuple(expression(line) for line in lines(value))


def listed_expressions(value: str) -> tuple[str, ...]:
    """``block-user-agents``: names, or ``~`` and ``~*`` with an expression, separated by commas.

    One with spaces stands in quotes in nginx's ``map``, from which these lists come.
    """
    found = tuple(unquoted for item in items(value) if (unquoted := _QUOTED.sub(r"\2", item)))
    for item in found:
        if item.startswith("~"):
            expression(item.removeprefix("~").removeprefix("*"))
    return found


def common_name(value: str) -> str:
    if not value.startswith("CN="):
        raise BadValue(f"{shown(value)} does not start with CN=: write one such as CN=^client$")
    expression(value[3:])
    return text(value)


def origins(value: str) -> tuple[str, ...]:
    """``*`` anywhere stands for all. Entries without a scheme are left out, as there."""
    found = items(value)
    if "*" in found:
        return ("*",)
    bad = [origin for origin in found if _ORIGIN.fullmatch(origin.replace(" ", "")) is None]
    if bad:
        raise BadValue(
            f"{shown(bad[0])} is not an origin: write * or a list such as https://a.com,https://*.b.com:8443"
        )
    return tuple(origin for origin in found if "://" in origin or origin == "null")


def upstream_conditions(value: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(value.split()))
    bad = [word for word in words if word not in _UPSTREAM_CONDITIONS]
    if bad:
        raise BadValue(f"{shown(bad[0])} is no condition: write words such as error timeout http_502, or off")
    return words


def pair(value: str) -> tuple[str, str] | None:
    """``off``, or what is replaced and by what."""
    if value == "off":
        return None
    words = spelled(URL, "off, or two words such as a.internal a.example.com")(value).split()
    if len(words) != 2:
        raise BadValue(f"{shown(value)} is neither off nor two words, what is replaced and by what")
    return words[0], words[1]


def protocols(value: str) -> tuple[str, ...]:
    """TLS versions; what OpenSSL of today refuses anyway is refused here."""
    words = value.split()
    bad = [word for word in words if word not in ("TLSv1.2", "TLSv1.3")]
    if bad:
        raise BadValue(f"{shown(bad[0])} is not TLSv1.2 or TLSv1.3")
    return tuple(sorted(set(words)))


_CURVES = {
    "X25519": "X25519",
    "prime256v1": "P-256",
    "secp256r1": "P-256",
    "P-256": "P-256",
    "secp384r1": "P-384",
    "P-384": "P-384",
    "X25519MLKEM768": "X25519MLKEM768",
}


def curves(value: str) -> str:
    """Groups for the key exchange, spelled as OpenSSL 3 does; "" for auto. Only those that cost a handshake little."""
    if value == "auto":
        return ""
    words = value.split(":")
    bad = [word for word in words if word not in _CURVES]
    if bad:
        raise BadValue(f"{shown(bad[0])} is none of {', '.join(_CURVES)}: all others cost a worker too much")
    return ":".join(dict.fromkeys(_CURVES[word] for word in words))


def header_lines(value: str) -> tuple[tuple[str, str], ...]:
    """``Name: value``, one on a line. Values are literal."""
    return tuple(_header_line(line) for line in lines(value))


def _header_line(line: str) -> tuple[str, str]:
    name, colon, content = line.partition(":")
    _may_set(name)
    if not colon or _FIELD_VALUE.fullmatch(content.strip()) is None:
        raise BadValue(f"the line of {shown(name)} is not a header: write Name: value, printable ASCII")
    return name, content.strip()


def removable_names(value: str) -> tuple[str, ...]:
    """Header names, one on a line or separated by commas."""
    names = tuple(name for line in lines(value) for name in items(line))
    for name in names:
        _may_set(name)
    return names


def _may_set(name: str) -> None:
    if _TOKEN.fullmatch(name) is None:
        raise BadValue(f"{shown(name)} is not a header name: write letters, digits and hyphens")
    if name.lower() in _NEVER_SET:
        raise BadValue(f"{name} frames the message or belongs to one connection and cannot be set or removed")


def respond(value: str) -> Respond:
    """``<status> [text or URL]``; a redirect needs its URL."""
    code, _, rest = text(value).partition(" ")
    if re.fullmatch(r"[2-5][0-9]{2}", code) is None:
        raise BadValue(
            f"{shown(code)} is not a status from 200 to 599: write one such as 403 or 301 https://example.com/"
        )
    status, content = int(code), rest.strip()
    if _FIELD_VALUE.fullmatch(content) is None:
        raise BadValue(f"{shown(content)} is not printable ASCII")
    if status in _REDIRECTS and not content.startswith(("http://", "https://", "/")):
        raise BadValue(f"a redirect with {status} needs where to: a URL or a path behind the status")
    return Respond(status, content)
