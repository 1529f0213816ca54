"""A client that judges answers strictly, with h11: an answer counts only when it is complete by its own framing."""

from __future__ import annotations

import asyncio
import ssl

import h11

from tests.faults.ledger import CUT, LATE, NOTHING, Ledger, Request

PATIENCE_S = 8.0
_READ_BYTES = 65536


class Caller:
    """One connection; requests one after the other. ``usable`` turns false when it takes no further one."""

    def __init__(self, ledger: Ledger, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ledger = ledger
        self._host = host
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self._usable = True
        self.local_port: int = writer.get_extra_info("sockname")[1]

    @classmethod
    async def open(cls, ledger: Ledger, port: int, host: str, *, tls: ssl.SSLContext | None = None) -> Caller:
        """Raises OSError."""
        name = host if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
        return cls(ledger, host, reader, writer)

    @property
    def usable(self) -> bool:
        """Whether a client would send another request: nobody has said that the connection ends."""
        return self._usable and not self._reader.at_eof() and not self._writer.is_closing()

    async def ask(self, method: str = "GET", *, chunked: bool = False, half_close: bool = False) -> Request:
        """Send a request and enter what comes of it."""
        request = self._ledger.issue(method, chunked=chunked, connection=self.local_port)
        self._writer.write(self._words(request))
        if half_close:
            self._writer.write_eof()
        try:
            async with asyncio.timeout(PATIENCE_S):
                outcome, body = await self._answer()
        except TimeoutError:
            outcome, body = LATE, b""
        self._ledger.settle(request, outcome, body)
        if outcome in (CUT, NOTHING, LATE) or self._http.our_state is not h11.DONE:
            self._usable = False
        else:
            self._http.start_next_cycle()
        return request

    def _words(self, request: Request) -> bytes:
        body = request.body
        fields = [("Host", self._host)]
        if body:
            fields.append(("Transfer-Encoding", "chunked") if request.chunked else ("Content-Length", str(len(body))))
        head = h11.Request(method=request.method, target=f"/{request.number}", headers=fields)
        middle = len(body) // 2
        parts = [h11.Data(data=part) for part in (body[:middle], body[middle:]) if part]
        return b"".join(self._http.send(event) or b"" for event in (head, *parts, h11.EndOfMessage()))

    async def _answer(self) -> tuple[str, bytes]:
        status, body = "", bytearray()
        while True:
            try:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    self._http.receive_data(await self._reader.read(_READ_BYTES))
                    continue
            except (OSError, h11.RemoteProtocolError):
                began = bool(status) or bool(self._http.trailing_data[0])
                return (CUT if began else NOTHING), bytes(body)
            if isinstance(event, h11.Response):
                status = str(event.status_code)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, bytes(body)
            elif isinstance(event, h11.ConnectionClosed):
                return NOTHING, b""

    def close(self) -> None:
        self._writer.transport.abort()
