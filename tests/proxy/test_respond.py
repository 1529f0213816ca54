"""Own answers: which status tells the client about what, and what they look like."""

import h11
import pytest

from ingressd.errors import BadRequest, ProxyError, UpstreamError
from ingressd.proxy.respond import own_response, status_of

STATUSES: dict[int, list[ProxyError]] = {
    400: [BadRequest(reason) for reason in ("bad_fields", "bad_host", "bad_target", "bad_chunk", "anything_new")],
    405: [BadRequest("method_not_allowed")],
    408: [BadRequest("header_timeout"), BadRequest("body_timeout")],
    413: [BadRequest("body_too_large")],
    414: [BadRequest("request_line_too_long")],
    431: [BadRequest("header_too_large"), BadRequest("too_many_fields")],
    500: [ProxyError("internal")],
    502: [UpstreamError(reason) for reason in ("connect_failed", "closed_before_response", "bad_status_line", "new")],
    503: [UpstreamError("no_endpoints")],
    504: [UpstreamError("connect_timeout"), UpstreamError("read_timeout"), UpstreamError("send_timeout")],
}


@pytest.mark.parametrize("status", STATUSES)
def test_statuses(status: int) -> None:
    assert {status_of(error) for error in STATUSES[status]} == {status}


@pytest.mark.parametrize("status", [*STATUSES, 301, 418, 599])
@pytest.mark.parametrize("accept", [b"", b"text/html"])
@pytest.mark.parametrize("close", [False, True])
def test_answers_are_whole_messages_that_name_no_version(status: int, accept: bytes, close: bool) -> None:
    written = own_response(status, date=b"now", accept=accept, head_only=False, close=close)
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(written)
    response, body, end = client.next_event(), client.next_event(), client.next_event()
    assert isinstance(response, h11.Response)
    assert isinstance(body, h11.Data)
    assert isinstance(end, h11.EndOfMessage)
    assert response.status_code == status
    fields = dict(response.headers)
    assert fields[b"date"] == b"now"
    assert fields[b"content-length"] == str(len(body.data)).encode()
    assert fields[b"content-type"].startswith(b"text/html" if accept else b"text/plain")
    assert b"server" not in fields
    assert b"ingressd" not in written.lower()
    assert (b"<h1>" in body.data) is bool(accept)
    assert str(status).encode() in body.data
    assert client.their_state is (h11.MUST_CLOSE if close else h11.DONE)
    assert (b"allow" in fields) is (status == 405)


def test_head_gets_the_same_fields_and_no_body() -> None:
    whole = own_response(404, date=b"now", accept=b"", head_only=False, close=False)
    head = own_response(404, date=b"now", accept=b"", head_only=True, close=False)
    assert whole.startswith(head)
    assert head.endswith(b"\r\n\r\n")
    assert len(whole) > len(head)


def test_an_http_1_0_client_is_told_that_the_connection_goes_on() -> None:
    assert b"Connection: keep-alive\r\n" in own_response(
        404, date=b"now", accept=b"", head_only=False, close=False, keep_alive=True
    )
