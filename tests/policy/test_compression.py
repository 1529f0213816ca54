"""Which answers are compressed, how, and what their heads say."""

import pytest

from ingressd.http.response import read_response_fields
from ingressd.policy.compression import Chosen, CodingSettings, Compression, CompressionRules, weights

GZIP = CodingSettings(1, 256, ("application/json", "text/plain"))
BROTLI = CodingSettings(4, 20, ("application/json", "text/css"))
BOTH = Compression(GZIP, BROTLI)
JSON = "Content-Type: Application/JSON; charset=utf-8"


def choose(
    settings: Compression,
    *lines: str,
    accept: str | None = "gzip, br",
    agent: bytes = b"",
    method: bytes = b"GET",
    minor: int = 1,
    status: int = 200,
    has_brotli: bool = True,
) -> Chosen | None:
    rules = CompressionRules(settings, has_brotli=has_brotli)
    fields = read_response_fields("".join(f"{line}\r\n" for line in (*lines, "")).encode(), 100)
    encoding = None if accept is None else accept.encode()
    found = [rules.choose(encoding, agent, method=method, minor=minor, status=status, fields=fields) for _ in range(2)]
    assert found[0] == found[1]
    return found[0]


def coding(*lines: str, settings: Compression = BOTH, **other: object) -> str | None:
    """The coding; "untouched", or None for one that only varies."""
    chosen = choose(settings, *lines, **other)  # type: ignore[arg-type]
    return "untouched" if chosen is None else chosen.coding


@pytest.mark.parametrize(
    ("lines", "chosen"),
    [
        ((JSON,), "br"),
        ((JSON, "Content-Length: 256"), "br"),
        ((JSON, "Content-Length: 20"), "br"),
        ((JSON, "Content-Length: 19"), "untouched"),
        ((JSON, "Content-Length: 0"), "untouched"),
        (("Content-Type: text/html",), "br"),
        (("Content-Type: text/plain",), "gzip"),
        (("Content-Type: text/plain", "Content-Length: 255"), "untouched"),
        (("Content-Type: text/css",), "br"),
        (("Content-Type: image/png",), "untouched"),
        (("Content-Type: application/jsonp",), "untouched"),
        ((), "untouched"),
        ((JSON, "Content-Encoding: gzip"), "untouched"),
        ((JSON, "Content-Encoding: identity"), "untouched"),
        ((JSON, "Content-Range: bytes 0-1/2"), "untouched"),
        ((JSON, "Cache-Control: public, No-Transform"), "untouched"),
        ((JSON, "Cache-Control: no-transformer"), "br"),
        ((JSON, "Content-Digest: sha-256=:x=:"), "untouched"),
        ((JSON, "Content-MD5: x"), "untouched"),
    ],
)
def test_answers(lines: tuple[str, ...], chosen: str) -> None:
    assert coding(*lines) == chosen


@pytest.mark.parametrize("status", [201, 204, 206, 301, 304, 500])
def test_other_statuses_stay(status: int) -> None:
    assert coding(JSON, status=status) == "untouched"


def test_statuses_and_methods() -> None:
    assert [coding(JSON, status=status) for status in (200, 403, 404)] == ["br", "br", "br"]
    assert coding(JSON, method=b"HEAD") == "untouched"
    assert coding(JSON, method=b"POST") == "br"
    assert coding(JSON, minor=0) is None
    assert coding(JSON, settings=Compression()) == "untouched"
    assert coding("Content-Type: image/png", settings=Compression(CodingSettings(1, 0, ("*",)))) == "gzip"
    assert coding(settings=Compression(CodingSettings(1, 0, ("*",)))) == "untouched"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP ; Q=0.5", "gzip"),
        ("deflate", None),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("gzip;q=1, br;q=0.9", "gzip"),
        ("gzip;q=0.5, br;q=0.5", "br"),
        ("gzip;q=0, br;q=0", None),
        ("gzip;q=0.000", None),
        ("gzip;q=2", None),
        ("gzip;q=", None),
        ("gzip;q=0.1234", None),
        ("gzip;x=1", None),
        ("gzip;q=0.5;q=1", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
    ],
)
def test_what_the_client_accepts(accept: str | None, chosen: str | None) -> None:
    assert coding(JSON, accept=accept) == chosen


def test_without_the_library_brotli_is_off() -> None:
    assert coding(JSON, has_brotli=False) == "gzip"
    assert coding("Content-Type: text/css", has_brotli=False) == "untouched"


def test_user_agents_left_out() -> None:
    settings = Compression(GZIP, gzip_disable="odd(ball)?")
    assert coding(JSON, settings=settings, agent=b"ODDBALL") is None
    assert coding(JSON, settings=settings, agent=b"MSIE 6.0") == "gzip"


@pytest.mark.parametrize(
    ("agent", "chosen"),
    [
        (b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", None),
        (b"Mozilla/4.0 (compatible; MSIE 5.5; Windows NT 5.1)", None),
        (b"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", "gzip"),
        (b"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.0)", "gzip"),
        (b"Mozilla/4.8 [en] (Windows NT 5.1; U)", "gzip"),
        (b"MSIE ", "gzip"),
        (b"", "gzip"),
    ],
)
def test_the_word_msie6(agent: bytes, chosen: str | None) -> None:
    assert coding(JSON, settings=Compression(GZIP, gzip_disable="msie6"), agent=agent) == chosen


def test_heads() -> None:
    lines = (JSON, "Content-Length: 300", 'ETag: "a"', "Accept-Ranges: bytes", "Vary: Origin")
    vary = b"Vary: Origin\r\nVary: Accept-Encoding\r\n"
    start = JSON.encode() + b"\r\n"
    compressed = start + b'ETag: W/"a"\r\n' + vary + b"Content-Encoding: gzip\r\n"
    plain = start + b'ETag: "a"\r\nAccept-Ranges: bytes\r\n' + vary
    assert choose(Compression(GZIP), *lines) == Chosen("gzip", 1, compressed, plain)
    assert choose(Compression(GZIP), *lines, accept=None) == Chosen(None, 0, plain, plain)


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ('ETag: W/"a"', b'ETag: W/"a"\r\nVary: Accept-Encoding\r\n'),
        ("Vary: x, ACCEPT-ENCODING", b"Vary: x, ACCEPT-ENCODING\r\n"),
        ("Vary: *", b"Vary: *\r\n"),
    ],
)
def test_tags_that_are_weak_and_answers_that_vary_already(line: str, sent: bytes) -> None:
    chosen = choose(Compression(GZIP), "Content-Type: text/html", line)
    assert chosen is not None
    assert chosen.onward == b"Content-Type: text/html\r\n" + sent + b"Content-Encoding: gzip\r\n"


def test_what_nobody_would_list_is_not_weighed() -> None:
    assert coding(JSON, accept="a," * 500 + "gzip") == "gzip"
    assert coding(JSON, accept="a," * 5000 + "gzip") is None


def test_weights_are_bounded_in_memory() -> None:
    for number in range(1000):
        weights(b"gzip;q=0.%d" % number)
    assert weights.cache_info().currsize <= 256
