"""Names of fields: their kinds are remembered, boundedly, and which may stand in a trailer section."""

import pytest

from ingressd.http import fields
from ingressd.http.fields import FieldKind, may_be_trailer, request_kind, response_kind


def test_kinds_differ_by_direction() -> None:
    assert request_kind(b"X-Forwarded-For") is FieldKind.CLAIMED
    assert request_kind(b"X_Forwarded_For") is FieldKind.DROPPED
    assert response_kind(b"X-Forwarded-For") is FieldKind.END_TO_END
    assert request_kind(b"TRAILER") is FieldKind.DROPPED
    assert response_kind(b"TRAILER") is FieldKind.TRAILER


def test_made_up_names_do_not_keep_real_ones_from_being_remembered() -> None:
    for number in range(10_000):
        request_kind(b"X-%d" % number)
    assert len(fields.request_kinds) <= 4096
    assert request_kind(b"X-Real-Name") is FieldKind.END_TO_END
    assert b"X-Real-Name" in fields.request_kinds


def test_names_as_long_as_a_header_are_not_remembered() -> None:
    """4,096 of them would be 128 MiB of every worker, which one client can fill."""
    name = b"X-" + b"a" * 30_000
    assert request_kind(name) is FieldKind.END_TO_END
    assert response_kind(name) is FieldKind.END_TO_END
    assert name not in fields.request_kinds
    assert name not in fields.response_kinds


@pytest.mark.parametrize("name", [b"X-Checksum", b"Grpc-Status", b"ETag", b"Server-Timing", b"Digest"])
def test_trailers_that_pass(name: bytes) -> None:
    assert may_be_trailer(name)


@pytest.mark.parametrize(
    "name",
    [
        b"Content-Length",
        b"CONTENT-TYPE",
        b"Transfer-Encoding",
        b"Host",
        b"X-Forwarded-For",
        b"X-Real-IP",
        b"Set-Cookie",
        b"Connection",
        b"Trailer",
        b"X_Y",
        b"Location",
        b"Date",
        b"Authorization",
        b"Proxy-Anything",
        b"Vary",
        b"Upgrade",
    ],
)
def test_trailers_that_do_not(name: bytes) -> None:
    assert not may_be_trailer(name)
