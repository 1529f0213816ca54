"""Where ingressd and h11 judge the same bytes differently: the whole list, each with its reason.

A difference that no entry explains fails ``test_differential``. In most of them we refuse what h11 takes: h11 is a
library for servers and reads generously, we stand in front of servers of all kinds and pass on only what all of them
read alike.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address

from tests.wire.corpus.reading import Seen
from tests.wire.verdicts import CLOSED, MORE, Verdict


@dataclass(frozen=True, slots=True)
class Difference:
    """The first one in ``raw``, at a request that not both found or, if they found the same, after the last.

    ``head`` is the head as h11 read it of the request in question; None when it took none.
    """

    raw: bytes
    ours: Verdict
    theirs: Verdict
    at: int
    head: Seen | None

    @property
    def our_reason(self) -> str:
        """Why we refused the request in question; "" when we did not."""
        return self.ours.reason if len(self.ours.requests) == self.at else ""

    @property
    def their_reason(self) -> str:
        return self.theirs.reason if len(self.theirs.requests) == self.at else ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """``applies`` says whether it explains a difference."""

    name: str
    applies: Callable[[Difference], bool]
    reason: str


def _we_refuse(*reasons: str, when: bytes = b"", target: bytes = b"") -> Callable[[Difference], bool]:
    """We refuse for one of ``reasons``, and ``when`` is found in the bytes, or ``target`` in the target."""
    pattern, target_pattern = re.compile(when, re.IGNORECASE), re.compile(target, re.IGNORECASE)

    def applies(difference: Difference) -> bool:
        if difference.our_reason not in reasons:
            return False
        if target and (difference.head is None or target_pattern.search(difference.head.target) is None):
            return False
        return pattern.search(difference.raw) is not None

    return applies


def _they_refuse(said: str, *, when: bytes) -> Callable[[Difference], bool]:
    """h11 refuses with words that begin like this, and ``when`` is found in the bytes."""
    pattern = re.compile(when, re.IGNORECASE)

    def applies(difference: Difference) -> bool:
        is_theirs = bool(difference.their_reason) and difference.their_reason.startswith(said)
        return is_theirs and not difference.our_reason and pattern.search(difference.raw) is not None

    return applies


def _doubtful_host(difference: Difference) -> bool:
    head = difference.head
    return difference.our_reason == "bad_host" and head is not None and not _is_plain_host(head.host)


def _is_plain_host(host: bytes) -> bool:
    """A name of bounded length or an address, with a port that exists or none."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    address, port = match.groups()[1:]
    if address is not None:
        try:
            IPv6Address(address.decode())
        except ValueError:
            return False
    elif len(host) > 261:
        return False
    return not port or 0 < int(port) <= 65535


def _other_authority(difference: Difference) -> bool:
    head = difference.head
    if difference.our_reason != "bad_host" or head is None:
        return False
    absolute = _ABSOLUTE.match(head.target)
    return absolute is not None and absolute.group(1).lower() != head.host.lower()


def _first_byte(difference: Difference) -> bool:
    is_ours = difference.our_reason == "bad_request_line" and difference.head is None
    return is_ours and difference.theirs.ending == MORE


def _half_an_empty_line(difference: Difference) -> bool:
    is_theirs = difference.their_reason.startswith("illegal request line")
    return is_theirs and difference.ours.ending == MORE and difference.raw.endswith(b"\r")


def _offer(difference: Difference) -> bool:
    if difference.ours.ending != CLOSED or difference.theirs.ending == CLOSED or not difference.ours.requests:
        return False
    last = difference.theirs.requests[len(difference.ours.requests) - 1]
    options = b",".join(last.values(b"connection")).lower()
    return bool(last.values(b"upgrade")) and b"upgrade" in options


def _kept_old(difference: Difference) -> bool:
    options = re.search(rb" HTTP/1\.0\r\n(?:.+\r\n)*?connection:.*keep-alive", difference.raw, re.IGNORECASE)
    return difference.theirs.ending == CLOSED and options is not None


_HOST = re.compile(
    rb"(?!.*\.\.)([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[([0-9a-f:.]+)\])(?::([0-9]{0,5}))?", re.IGNORECASE
)
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
_BARE = rb"(?<!\r)\n|\r(?!\n)"
_CONTROL = rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]"
_FOLD = rb"\n[ \t]"
_LENGTHS = rb"content-length *:[^\n]*,|content-length *:(?s:.)*content-length *:"
_TWO_FRAMINGS = rb"content-length:(?s:.)*transfer-encoding:|transfer-encoding:(?s:.)*content-length:"

DISAGREEMENTS: tuple[Disagreement, ...] = (
    # What we refuse and h11 takes
    Disagreement(
        "line ends",
        _we_refuse("bad_line_end", "bad_fields", "bad_request_line", "bad_chunk", when=_BARE),
        "h11 takes LF for CRLF, as RFC 9112 §2.2 allows; next to servers that do not, that is where smuggling begins",
    ),
    Disagreement(
        "folded fields",
        _we_refuse("bad_fields", when=_FOLD),
        "h11 joins the lines; a proxy may refuse them, RFC 9112 §5.2",
    ),
    Disagreement(
        "control characters in values",
        _we_refuse("bad_fields", when=_CONTROL),
        "h11 passes all but NUL and white space; RFC 9110 §5.5 calls them invalid",
    ),
    Disagreement(
        "two framings",
        _we_refuse("ambiguous_framing", "bad_fields", when=_TWO_FRAMINGS),
        "h11 prefers chunked; RFC 9112 §6.1 lets a server refuse",
    ),
    Disagreement(
        "repeated lengths",
        _we_refuse("bad_content_length", "bad_fields", when=_LENGTHS),
        "h11 takes equal ones for one, as RFC 9112 §6.3 allows; not worth the doubt",
    ),
    Disagreement(
        "huge lengths",
        _we_refuse("bad_content_length", "bad_fields", when=rb"content-length:[ \t]*[0-9]{19}"),
        "over 63 bits some servers wrap",
    ),
    Disagreement(
        "tab after chunked",
        _we_refuse("bad_fields", when=rb"chunked[ \t]*\t"),
        "white space to h11, as to RFC 9112 §5; not all servers cut it off",
    ),
    Disagreement(
        "transfer coding in HTTP/1.0",
        _we_refuse("bad_transfer_encoding", when=rb" HTTP/1\.0\r\n(?s:.)*transfer-encoding:"),
        "faulty framing, RFC 9112 §6.1; h11 reads it",
    ),
    Disagreement(
        "chunk sizes, extensions and trailers",
        _we_refuse("bad_chunk", when=rb"transfer-encoding:[ \t]*chunked"),
        "h11 reads over any extension, white space after a size, 80 bits of size and folded trailers",
    ),
    Disagreement(
        "HTTP versions",
        _we_refuse("bad_request_line", when=rb" HTTP/(?!1\.[01]\r\n)[0-9]\.[0-9]\r?\n"),
        "h11 takes any digits for a version; we speak 1.0 and 1.1",
    ),
    Disagreement(
        "long methods",
        _we_refuse("bad_request_line", when=rb"[!#$%&'*+\-.^_`|~0-9a-z]{33} "),
        "no method has more than 32 characters",
    ),
    Disagreement("Host that is none", _doubtful_host, "h11 leaves Host to its user; we route by it"),
    Disagreement("Host that is not the target's", _other_authority, "h11 leaves targets to its user, RFC 9112 §3.2.2"),
    Disagreement(
        "targets not in origin or absolute form",
        _we_refuse("bad_target", target=rb"^[^/]"),
        "h11 leaves targets to its user, RFC 9112 §3.2",
    ),
    Disagreement(
        "targets with two readings",
        _we_refuse("bad_target", "ambiguous_path", target=rb"#|%|\.\.|;|\\|[\x80-\xff]"),
        "h11 leaves targets to its user; see requests_paths",
    ),
    Disagreement(
        "methods that make tunnels or mirrors",
        _we_refuse("method_not_allowed", when=rb"(?:CONNECT|TRACE) "),
        "RFC 9110 §9.3.6, §9.3.8",
    ),
    Disagreement(
        "limits",
        _we_refuse("request_line_too_long", "header_too_large", "too_many_fields", when=rb"(?s:.{8192})|(?:.+\n){100}"),
        "h11 has one limit for the whole head, its user sets it; ours are in proxy/limits",
    ),
    Disagreement(
        "large bodies",
        _we_refuse("body_too_large", when=rb"content-length:[ \t]*[0-9]{7}|(?s:.{1048576})"),
        "the route's limit; h11 has none",
    ),
    Disagreement(
        "a first byte that begins no method",
        _first_byte,
        "we refuse at once; h11 does so for control characters, and else when the line is complete",
    ),
    # What we take and h11 refuses
    Disagreement(
        "an empty line before a request",
        _they_refuse("no request line received", when=rb"(?:^|\n)\r\n"),
        "RFC 9112 §2.2 asks servers to read over one; h11 does not",
    ),
    Disagreement(
        "bytes above ASCII in targets",
        _they_refuse("illegal request line", when=rb"[\x80-\xff]"),
        "browsers send them; we pass them on percent-encoded",
    ),
    Disagreement(
        "white space around chunk extensions",
        _they_refuse("illegal chunk header", when=rb"[ \t];"),
        "bad white space that RFC 9112 §7.1.1 allows; nothing of it is passed on",
    ),
    Disagreement(
        "framing fields in trailers",
        _they_refuse("", when=rb"\n0+(?:;[^\n]*)?\r\n(?s:.)*(?:content-length|transfer-encoding):"),
        "h11 holds them to the rules of headers; we drop them (RFC 9110 §6.5.1)",
    ),
    Disagreement(
        "half an empty line before a request",
        _half_an_empty_line,
        "h11 refuses the CR at once, we wait for its LF (RFC 9112 §2.2)",
    ),
    # How the connection goes on
    Disagreement(
        "HTTP/1.0 that stays",
        _kept_old,
        "h11 closes after HTTP/1.0; clients that say keep-alive are kept (RFC 9112 appendix C.2.2)",
    ),
    Disagreement(
        "after an offer to switch",
        _offer,
        "h11 goes on in HTTP/1.1 when the offer is declined; what follows may already be something else, so we end",
    ),
)


def explanation(difference: Difference) -> Disagreement | None:
    """The first entry that explains ``difference``."""
    return next((entry for entry in DISAGREEMENTS if entry.applies(difference)), None)
