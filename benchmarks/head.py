"""What a head costs: a request's and a response's, remembered and new, and the onward ones.

    python -m benchmarks.head

Prints microseconds per head, median of some rounds. "new" means that the field section was never seen before.
"""

import statistics
import time
from collections.abc import Callable

from ingressd.http import hops
from ingressd.http.head import RequestHead
from ingressd.http.response import read_response_head
from ingressd.proxy.limits import Limits
from ingressd.proxy.request_head import read_request

COUNT = 20_000
ROUNDS = 7
LINE = b"GET /some/path?with=query HTTP/1.1\r\n"
HOST = b"Host: a.example\r\n"
BROWSER = (
    HOST + b"Connection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="156", "Not A Brand";v="24"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: "Linux"\r\n'
    b"Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nSec-Fetch-Site: none\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n"
)
RESPONSE = (
    b"Server: origin\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n"
    b"Cache-Control: no-store\r\nVary: Accept\r\nX-Content-Type-Options: nosniff\r\n"
)
LIMITS = Limits()


def numbered(start: bytes, name: bytes) -> list[bytes]:
    """``COUNT`` heads that differ in one field."""
    return [start + b"%b: %d\r\n\r\n" % (name, number) for number in range(COUNT)]


def read_one_request(head: bytes) -> None:
    read_request(head, len(head) - 4, LIMITS)


def read_one_response(head: bytes) -> None:
    read_response_head(head, 100)


def onward_request(request: RequestHead) -> None:
    hops.request_head(request.line, request.fields, HOST)


def microseconds(work: Callable[[bytes], None], heads: list[bytes]) -> float:
    figures = []
    for round_number in range(ROUNDS):
        # What a round has read must be new to the next one, if it was new to it.
        salted = [
            head.replace(b"\r\n\r\n", b"%d\r\n\r\n" % round_number) if head is not heads[0] else head for head in heads
        ]
        started = time.process_time()
        for head in salted:
            work(head)
        figures.append((time.process_time() - started) / len(salted) * 1e6)
    return statistics.median(figures)


def main() -> None:
    status = b"HTTP/1.1 200 OK\r\n"
    head = LINE + BROWSER + b"\r\n"
    remembered = read_request(head, len(head) - 4, LIMITS)
    rows: list[tuple[str, Callable[[bytes], None], list[bytes]]] = [
        ("request, Host only, remembered", read_one_request, [LINE + HOST + b"\r\n"] * COUNT),
        ("request, 12 fields, remembered", read_one_request, [LINE + BROWSER + b"Cookie: a\r\n\r\n"] * COUNT),
        ("request, 2 fields, new", read_one_request, numbered(LINE + HOST, b"Cookie")),
        ("request, 12 fields, new", read_one_request, numbered(LINE + BROWSER, b"Cookie")),
        (
            "response, 8 fields, remembered",
            read_one_response,
            [status + RESPONSE + b"ETag: a\r\n\r\n"] * COUNT,
        ),
        ("response, 8 fields, new", read_one_response, numbered(status + RESPONSE, b"ETag")),
        ("onward request head", lambda _: onward_request(remembered), [b""] * COUNT),
    ]
    print("| head | µs |\n| --- | ---: |")
    for name, work, heads in rows:
        print(f"| {name} | {microseconds(work, heads):.2f} |")


if __name__ == "__main__":
    main()
