"""Targets and hosts: one spelling, found at once, in which no server finds what our routes do not see."""

import re

from ingressd.errors import BadRequest
from ingressd.http.target import MAX_HOST_BYTES, Target, normalise_path, parse_target, rewritten_target, split_host
from tests.wire.corpus.path_readings import is_guarded, readings

_RAW_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_PATH = re.compile(r"/(?:[\x21-\x24\x26-\x2e\x30-\x5b\x5d-\x7e]|%[0-9A-F]{2}|/)*")
_DOT_SEGMENT = re.compile(r"/\.\.?(?:/|$|;)")
_NEEDLESS_ESCAPE = re.compile(r"%(?:2D|2E|5F|7E|3[0-9]|[46][1-9A-F]|[57][0-9A])")
_QUERY = re.compile(r"(?:\?[\x21-\x7e]*)?")


def check(data: bytes) -> None:
    _check_host(data.decode("latin-1"))
    if _RAW_TARGET.fullmatch(data) is None:
        return  # the request line is refused before anybody looks at its target
    try:
        target = parse_target(data.decode("latin-1"))
    except BadRequest:
        return
    check_target(target)
    if target.authority:
        _check_absolute(target)


def check_target(target: Target) -> None:
    """Fail unless ``target`` is in its one form."""
    path, query, other = target.path, target.query, target.other_reading
    _check_path(path)
    assert _QUERY.fullmatch(query), query
    again = parse_target(path + query)
    assert (again.path, again.query, again.other_reading) == (path, query, other), "normalised again, it changes"
    if other:
        _check_path(other)
    reached = {one for one in readings(path) if is_guarded(one)}
    assert not reached or is_guarded(path) or is_guarded(other), f"another server would find {reached} in {path}"
    written = rewritten_target(path, query)
    assert written.decode().partition("?")[0] == path


def _check_path(path: str) -> None:
    assert _PATH.fullmatch(path), path
    assert "//" not in path
    assert "%00" not in path
    assert not _DOT_SEGMENT.search(path), path
    assert not _NEEDLESS_ESCAPE.search(path), path
    assert normalise_path(path) == path


def _check_absolute(target: Target) -> None:
    assert target.scheme in ("http", "https")
    try:
        assert target.names_host(target.authority)
        assert not target.names_host(target.authority.partition(":")[0] + "x")
    except BadRequest:
        return


def _check_host(raw: str) -> None:
    try:
        host, port = split_host(raw)
    except BadRequest:
        return
    assert len(raw) <= MAX_HOST_BYTES
    assert split_host(host) == (host, ""), "normalised again, it changes"
    assert host == host.lower()
    assert re.fullmatch(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]", host)
    assert not port or 0 < int(port) < 65536
