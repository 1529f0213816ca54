"""Hosts and paths as an Ingress declares them, brought to the form requests are matched in, or refused with a reason.

The rules are those of a real API server (RFC 1123 names, no addresses; no empty, dot or hidden segments); they are
applied again because manifests are read without one. What could never match a normalised request is refused too: a rule
that silently never serves is worse than one that says so.
"""

import ipaddress
import re

from ingressd.errors import BadRequest
from ingressd.http.target import normalise_path, parse_target
from ingressd.model.objects import IngressPath
from ingressd.routing.snapshot import ANY_HOST, MatchKind

MAX_HOST_CHARACTERS = 253  # RFC 1035 §2.3.4 without the closing dot

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_SEGMENT = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*+"  # possessive: a long path must not backtrack
_PLAIN_PATH = re.compile(rf"/(?:{_SEGMENT}/)*+(?:{_SEGMENT})?")  # already in normal form, as nearly all are
_LOST_SEGMENT = re.compile(r"//|/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)
_KINDS: dict[str, MatchKind] = {
    "Exact": "exact",
    "Prefix": "prefix",
    "ImplementationSpecific": "prefix",
    "": "prefix",  # ingress-nginx's reading of an absent pathType
}


class DeclaredError(ValueError):
    """A host or path that cannot be served; ``reason`` is CamelCase, ``str()`` a sentence for its owner."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def normal_host(declared: str) -> str:
    """The lower-case name, ``*.parent`` for a wildcard, ``ANY_HOST`` for "". Raises DeclaredError."""
    if not declared:
        return ANY_HOST
    if not declared.isascii():
        raise DeclaredError("InvalidHost", f"{_shown(declared)} is not ASCII: write the name in its xn-- form")
    host = declared.lower().removesuffix(".")
    if len(host) > MAX_HOST_CHARACTERS or _HOST.fullmatch(host) is None:
        raise DeclaredError("InvalidHost", f"{_shown(declared)} is neither a DNS name nor `*.` and a DNS name")
    if host[-1].isdigit() and _is_address(host):
        raise DeclaredError("InvalidHost", f"{_shown(declared)} is an IP address; a host must be a DNS name")
    return host


def normal_path(declared: IngressPath) -> tuple[MatchKind, str]:
    """How and against what requests are matched; a prefix loses its trailing slash. Raises DeclaredError."""
    kind = _KINDS.get(declared.path_type)
    if kind is None:
        raise DeclaredError(
            "InvalidPathType", f"{_shown(declared.path_type)} is not Exact, Prefix or ImplementationSpecific"
        )
    if not declared.path and declared.path_type not in ("Exact", "Prefix"):
        return kind, "/"
    path = _normal(declared.path, strict=declared.path_type in ("Exact", "Prefix"))
    if kind == "prefix" and len(path) > 1:
        path = path.removesuffix("/")
    return kind, path


def pattern_path(declared: IngressPath) -> tuple[MatchKind, str]:
    """The same for a path that is a pattern: its text stays as it is. Raises DeclaredError."""
    kind = _KINDS.get(declared.path_type)
    if kind is None:
        return normal_path(declared)
    if not declared.path:
        return kind, "/"
    if not declared.path.startswith("/"):
        raise DeclaredError("InvalidPath", f"{_shown(declared.path)} does not begin with /")
    return kind, declared.path


_SECOND_READINGS = (
    (re.compile(r";|%3B"), "a path parameter (; or %3B), which some servers cut off"),
    (re.compile(r"%2F|%5C"), "an encoded slash or backslash, which some servers take for a slash"),
    (re.compile(r"%25"), "an encoded percent sign before two hexadecimal digits, which some servers decode again"),
)


def second_reading(path: str) -> str:
    """Why every request that would match the normal ``path`` is refused, as a sentence for its owner; or "".

    A path that servers read in two ways is served only where both ways lead to one route (see ``http/target``), and the
    other way never leads back to a path like this. The route still keeps what it names from the routes around it.
    """
    if ("%" not in path and ";" not in path) or not parse_target(path).other_reading:
        return ""
    what = next(what for sign, what in _SECOND_READINGS if sign.search(path))
    return f"{_shown(path)} holds {what}: every request for it is refused with 400; choose a path without it"


def _normal(path: str, *, strict: bool) -> str:
    if _PLAIN_PATH.fullmatch(path):
        return path
    if not path.startswith("/"):
        raise DeclaredError("InvalidPath", f"{_shown(path)} does not begin with /")
    if "?" in path or "#" in path:
        raise DeclaredError("InvalidPath", f"{_shown(path)} holds ? or #, which no request path does")
    if strict and "%2f" in path.lower():
        raise DeclaredError("InvalidPath", f"{_shown(path)} holds an encoded slash; Exact and Prefix do not allow it")
    if _LOST_SEGMENT.search(path):
        raise DeclaredError("InvalidPath", f"{_shown(path)} holds an empty or dot segment, which no request path keeps")
    try:
        # The request side reads bytes as latin-1; a declared path is text whose bytes are UTF-8.
        return parse_target(normalise_path(path.encode().decode("latin-1"))).path
    except (BadRequest, UnicodeEncodeError):
        raise DeclaredError("InvalidPath", f"{_shown(path)} is a path that every request is refused for") from None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    """The text as people may see it: quoted, escaped, cut."""
    return ascii(text if len(text) <= 100 else text[:99] + "…")
