"""Every case of ``response_cases``, without sockets, under every cut; h11 reads what the client gets."""

from collections.abc import Iterable

import h11
import pytest

from tests.proxy.response_cases import CASES, LIMITS, Case
from tests.support.memory import MemoryPath


def cuts(data: bytes) -> Iterable[tuple[bytes, ...]]:
    """Whole, byte by byte, and in two at every place."""
    yield (data,)
    yield tuple(data[at : at + 1] for at in range(len(data)))
    for at in range(1, len(data)):
        yield data[:at], data[at:]


class Reader:
    """The client: h11 reads final responses, interim ones are noted."""

    def __init__(self, method: bytes, version: bytes = b"1.1") -> None:
        self._h11 = h11.Connection(h11.CLIENT)
        self._h11.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"a")]))
        self._h11.send(h11.EndOfMessage())
        self.interim: list[int] = []
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False

    def read(self, received: bytes, *, ended: bool) -> None:
        self._h11.receive_data(received)
        if ended:
            self._h11.receive_data(b"")
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError:
                return  # cut off
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.InformationalResponse):
                self.interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                self.status, self.fields = event.status_code, list(event.headers)
            elif isinstance(event, h11.Data):
                self.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.complete, self.trailers = True, list(event.headers)
                return


def run(case: Case, pieces: Iterable[bytes], *, version: bytes = b"1.1", fields: bytes = b"") -> MemoryPath:
    path = MemoryPath(limits=LIMITS)
    origin = path.origins[0]
    origin.is_scripted = True
    path.send(b"%b / HTTP/%b\r\nHost: a.example\r\n%b\r\n" % (case.method, version, fields))
    for piece in pieces:
        if not origin.transport.is_closing():
            origin.connection.data_received(piece)
    if case.ends and not origin.transport.is_closing():
        origin.connection.eof_received()
        origin.connection.connection_lost(None)
        origin.transport.close()
    return path


def check(case: Case, path: MemoryPath, reader: Reader) -> None:
    aborted = path.transport.aborted
    reader.read(path.received, ended=path.transport.is_done() and not aborted)
    if case.complete:
        assert (reader.status, reader.body, reader.complete) == (case.status, case.body, True)
        assert not aborted
    else:
        # A cut may lie before anything was relayed; then there is still room for a 502.
        if reader.status == 502:
            assert reader.complete
        else:
            assert aborted
            assert not reader.complete
            assert case.body.startswith(reader.body)
    assert path.statuses == [reader.status or case.status]
    origin = path.origins[0]
    assert bool(path.gateway.pool.idle) is case.reused
    assert origin.transport.is_closing() is not case.reused
    path.close()


@pytest.mark.parametrize("name", CASES)
def test_cases_under_every_cut(name: str) -> None:
    case = CASES[name]
    for pieces in cuts(case.sent):
        check(case.in_pieces(pieces), run(case, pieces), Reader(case.method))


@pytest.mark.parametrize("name", CASES)
def test_cases_for_an_http_1_0_client(name: str) -> None:
    """No chunks and no interim responses: whatever has no length ends with the connection, or is cut by a reset."""
    sent = CASES[name].sent
    for pieces in cuts(sent):
        case = CASES[name].in_pieces(pieces)
        path = run(case, pieces, version=b"1.0")
        assert b"chunked" not in path.received
        reader = Reader(case.method)
        aborted = path.transport.aborted
        assert path.transport.is_done()
        reader.read(path.received, ended=not aborted)
        assert reader.interim == []
        assert (b"connection", b"close") in reader.fields or aborted
        assert aborted is (not case.complete and reader.status != 502)
        if not aborted and case.complete:
            assert (reader.status, reader.body, reader.complete) == (case.status, case.body, True)
        path.close()


def read_by_client(name: str, fields: bytes = b"", *, version: bytes = b"1.1") -> Reader:
    case = CASES[name]
    path = run(case, [case.sent], fields=fields, version=version)
    reader = Reader(case.method)
    reader.read(path.received, ended=path.transport.is_done())
    path.close()
    return reader


def test_trailers_reach_only_who_wants_them() -> None:
    assert read_by_client("chunked, trailers").trailers == []
    assert read_by_client("chunked, trailers", b"TE: trailers\r\n").trailers == []
    assert read_by_client("chunked, trailers", b"TE: trailers\r\nConnection: TE\r\n").trailers == [(b"x-sum", b"1")]


def test_interim_responses_are_relayed_with_their_fields() -> None:
    case = CASES["interim"]
    path = run(case, [case.sent])
    assert path.received.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n")
    path.close()
    assert read_by_client("three interim").interim == [102, 102, 102]
    assert read_by_client("100 unasked").interim == []


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("HEAD", b"700"),
        ("304", b"700"),
        ("length 0", b"0"),
        ("length", b"2"),
        ("204 with a length", None),
        ("204", None),
    ],
)
def test_lengths_that_are_told(name: str, length: bytes | None) -> None:
    assert dict(read_by_client(name).fields).get(b"content-length") == length


def test_a_close_delimited_body_is_chunked_for_who_can_read_it() -> None:
    fields = dict(read_by_client("until close").fields)
    assert fields[b"transfer-encoding"] == b"chunked"
    assert b"connection" not in fields


def test_an_http_1_0_client_may_keep_its_connection_when_the_length_is_known() -> None:
    fields = dict(read_by_client("length", b"Connection: keep-alive\r\n", version=b"1.0").fields)
    assert fields[b"connection"] == b"keep-alive"
    fields = dict(read_by_client("chunked", b"Connection: keep-alive\r\n", version=b"1.0").fields)
    assert fields[b"connection"] == b"close"


def test_a_date_is_added_only_where_there_is_none() -> None:
    assert dict(read_by_client("length").fields)[b"date"] == b"Sat, 21 Nov 2026 00:00:00 GMT"
    case = Case(b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 0\r\n\r\n")
    path = run(case, [case.sent])
    assert path.received.count(b"Date: ") == 1
    assert b"Date: then\r\n" in path.received
    path.close()
