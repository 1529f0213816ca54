"""Requests as policies see them, from field lines as a client sends them, judged as heads are."""

from typing import Any

from ingressd.http.head import read_request_fields
from ingressd.http.target import parse_target
from ingressd.policy.ask import Ask


def asked(target: str = "/", *lines: str, method: bytes = b"GET", host: str = "shop.example", **more: Any) -> Ask:
    """A request of ``target`` with the field ``lines`` (without line ends)."""
    read = parse_target(target)
    block = "".join(f"{line}\r\n" for line in (f"Host: {host}", *lines, "")).encode("latin-1")
    more.setdefault("authority", host.encode())
    return Ask(method=method, path=read.path, query=read.query, fields=read_request_fields(block, 100), **more)
