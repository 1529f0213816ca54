"""Answers of our own, as clients get them: form, framing, counting."""

import pytest

from ingressd.routing.snapshot import Route, Snapshot, VirtualHost
from tests.support.gateway import one_host
from tests.support.memory import MemoryPath

SNAPSHOT = Snapshot(hosts={"a.example": VirtualHost("a.example", (Route("prefix", "/gone", "", status=503),))})


def answer(request: str) -> tuple[bytes, MemoryPath]:
    path = MemoryPath()
    path.local.show(SNAPSHOT)
    path.send(request.encode("latin-1"))
    return path.received, path


@pytest.mark.parametrize(
    ("request_line", "status", "reason"),
    [
        ("GET / HTTP/1.1\r\nHost: a.example", 404, ""),
        ("GET /gone HTTP/1.1\r\nHost: a.example", 503, ""),
        ("GET / HTTP/1.1\r\nHost: b.example", 404, ""),
        ("TRACE / HTTP/1.1\r\nHost: a.example", 405, "method_not_allowed"),
        ("GET / HTTP/3.0\r\nHost: a.example", 400, "bad_request_line"),
        ("GET / HTTP/1.1\r\nX: y", 400, "bad_host"),
        ("GET /%zz HTTP/1.1\r\nHost: a.example", 400, "bad_target"),
        ("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2000000\r\nX: y", 413, "body_too_large"),
        (f"GET /{'a' * 9000} HTTP/1.1\r\nHost: a.example", 414, "request_line_too_long"),
        (f"GET / HTTP/1.1\r\nHost: a.example\r\nX: {'a' * 33000}", 431, "header_too_large"),
        ("GET / HTTP/1.1\r\nHost: a.example" + "\r\nX: y" * 100, 431, "too_many_fields"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_form_and_counting(request_line: str, status: int, reason: str, method: str) -> None:
    request_line = request_line.replace("GET", method)
    received, path = answer(request_line + "\r\n\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    assert fields["Date"] == "Sat, 21 Nov 2026 00:00:00 GMT"
    assert fields["Content-Type"] == "text/plain; charset=utf-8"
    is_read = reason not in ("bad_request_line", "request_line_too_long")  # else nobody knows that it was a HEAD
    is_head = is_read and request_line.startswith("HEAD")
    assert body == (b"" if is_head else f"{lines[0].removeprefix('HTTP/1.1 ')}\n".encode())
    assert int(fields["Content-Length"]) == len(lines[0].removeprefix("HTTP/1.1 ")) + 1
    assert "Server" not in fields
    assert path.statuses == [status]
    assert [record.bytes_out for record in path.local.log.records] == [len(body)]  # type: ignore[attr-defined]
    assert path.local.sent_bytes() == len(body)
    assert path.local.rejected() == ({reason: 1} if reason else {})
    path.close()


@pytest.mark.parametrize("status", [404, 405])
def test_people_get_html(status: int) -> None:
    method = {404: "GET", 405: "TRACE"}[status]
    received, path = answer(f"{method} / HTTP/1.1\r\nHost: a.example\r\nAccept: text/html, */*;q=0.1\r\n\r\n")
    assert b"\r\nContent-Type: text/html; charset=utf-8\r\n" in received
    assert f"<h1>{status} ".encode() in received
    [record] = path.local.log.records  # type: ignore[attr-defined]
    assert record.bytes_out == len(received.partition(b"\r\n\r\n")[2])
    path.close()


@pytest.mark.parametrize(("method", "body"), [("GET", b"503 Service Unavailable\n"), ("HEAD", b"")])
def test_an_answer_in_an_endpoints_stead_is_counted(method: str, body: bytes) -> None:
    path = MemoryPath()
    path.local.show(one_host([]))

    path.send(f"{method} / HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())

    assert path.received.partition(b"\r\n\r\n")[2] == body
    [record] = path.local.log.records  # type: ignore[attr-defined]
    assert (record.status, record.bytes_out, path.local.sent_bytes()) == (503, len(body), len(body))
    path.close()


def test_a_refused_request_is_logged_as_far_as_it_was_read() -> None:
    _, path = answer("PUT /%zz HTTP/1.1\r\nHost: a.example\r\n\r\n")
    [record] = path.local.log.records  # type: ignore[attr-defined]
    assert (record.method, record.target, record.host, record.status) == ("PUT", "/%zz", "a.example", 400)
    path.close()
    _, path = answer("nonsense\r\n\r\n")
    [record] = path.local.log.records  # type: ignore[attr-defined]
    assert (record.method, record.target, record.host, record.status) == ("", "", "", 400)
    path.close()
