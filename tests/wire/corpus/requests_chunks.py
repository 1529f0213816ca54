"""The chunked coding: sizes are plain hexadecimal, lines end in CRLF, what is beside the payload ends here."""

from tests.wire.corpus.case import Case, Want, passed, post, refused, unfinished

_FUNKY = "Funky chunks (Weikop 2025)"
_SIZE = "only hexadecimal digits are a size"
_LONGER = "the payload is not what its size says"
_LINE = "each line ends in CRLF and nothing less"


def _coded(coded: bytes, *lines: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", *lines, body=coded)


def _yes(name: str, coded: bytes, reason: str, source: str, body: bytes = b"hello") -> Case:
    return passed(name, _coded(coded), reason, source, Want(method=b"POST", body=body))


def _no(name: str, coded: bytes, reason: str = _SIZE, source: str = "RFC 9112 §7.1", status: int = 400) -> Case:
    return refused(name, _coded(coded), reason, source, in_body=True, status=status)


_LAST = b"0\r\n\r\n"

CASES: tuple[Case, ...] = (
    _yes("two chunks", b"2\r\nhe\r\n3\r\nllo\r\n" + _LAST, "the ordinary case", "RFC 9112 §7.1"),
    _yes("no chunk", _LAST, "an empty body", "RFC 9112 §7.1", b""),
    _yes(
        "one byte each",
        b"".join(b"1\r\n%c\r\n" % byte for byte in b"hello") + _LAST,
        "small chunks are chunks",
        "RFC 9112 §7.1",
    ),
    _yes(
        "hexadecimal in either case",
        b"A\r\n0123456789\r\na\r\nabcdefghij\r\n" + _LAST,
        "digits have no case",
        "RFC 5234 §2.3",
        b"0123456789abcdefghij",
    ),
    _yes("leading zeros", b"0005\r\nhello\r\n" + _LAST, "still digits", "RFC 9112 §7.1"),
    _yes("last chunk of many zeros", b"5\r\nhello\r\n0000\r\n\r\n", 'last-chunk = 1*("0")', "RFC 9112 §7.1"),
    _yes(
        "payload that looks like framing",
        b"7\r\n0\r\n\r\nGE\r\n" + _LAST,
        "payload is counted, not looked at",
        "TE.CL, HTTP Desync Attacks (Kettle 2019)",
        b"0\r\n\r\nGE",
    ),
    _yes("extension", b"5;ext\r\nhello\r\n" + _LAST, "read, and not passed on", "RFC 9112 §7.1.1"),
    _yes(
        "extension with a value", b'5;a=b;c="d;\\"e"\r\nhello\r\n' + _LAST, "read, and not passed on", "RFC 9112 §7.1.1"
    ),
    _yes(
        "white space around an extension",
        b"5 ;\ta = b\r\nhello\r\n" + _LAST,
        "bad white space is allowed there",
        "RFC 9112 §7.1.1",
    ),
    _yes(
        "trailer field",
        b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        "read, and not passed on: nobody asked for it",
        "RFC 9112 §7.1.2",
    ),
    _yes(
        "framing in the trailer",
        b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n",
        "never merged into the header",
        "RFC 9110 §6.5.1",
    ),
    _yes(
        "Host in the trailer",
        b"5\r\nhello\r\n0\r\nHost: b.example\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n",
        "never merged into the header",
        "RFC 9110 §6.5.1; trailer merging, HTTP Garden (2024)",
    ),
    unfinished(
        "last chunk without its end",
        _coded(b"5\r\nhello\r\n0\r\n"),
        "the trailer section is still to come",
        "RFC 9112 §7.1",
    ),
    unfinished("chunk without its end", _coded(b"a\r\nhello"), "five more bytes are to come", "RFC 9112 §7.1"),
    _no("plus sign", b"+5\r\nhello\r\n" + _LAST, source="int() of Python; CVE-2023-47627 (aiohttp)"),
    _no("minus sign", b"-5\r\nhello\r\n" + _LAST, source="strtol; CVE-2013-2028 (nginx)"),
    _no("minus zero", b"-0\r\n\r\n", source="strtol leniency"),
    _no("0x", b"0x5\r\nhello\r\n" + _LAST, source="int(text, 16) of Python, strtol; HTTP Garden (2024)"),
    _no("0X", b"0X5\r\nhello\r\n" + _LAST, source="the same in capitals"),
    _no("underscore", b"0_5\r\nhello\r\n" + _LAST, source="int() of Python; CVE-2023-47627 (aiohttp)"),
    _no("space before", b" 5\r\nhello\r\n" + _LAST, source="strtol skips white space"),
    _no("space after", b"5 \r\nhello\r\n" + _LAST, "bad white space goes before an extension only", "RFC 9112 §7.1.1"),
    _no("tab after", b"5\t\r\nhello\r\n" + _LAST, source="HTTP Garden (2024)"),
    _no("vertical tab after", b"5\x0b\r\nhello\r\n" + _LAST, source="isspace leniency"),
    _no("NUL after", b"5\x00\r\nhello\r\n" + _LAST, source="strings that end at NUL"),
    _no("nothing", b"\r\nhello\r\n" + _LAST, source="strtol gives 0"),
    _no("nothing but an extension", b";a=b\r\nhello\r\n" + _LAST, source="strtol gives 0"),
    _no("no digit", b"g\r\nhello\r\n" + _LAST),
    _no("letters after digits", b"5g\r\nhello\r\n" + _LAST, source="strtol stops at g"),
    _no("comma", b"5,\r\nhello\r\n" + _LAST),
    _no("hash", b"5#x\r\nhello\r\n" + _LAST),
    _no("quoted", b'"5"\r\nhello\r\n' + _LAST),
    _no("full-width digit", "５\r\nhello\r\n".encode() + _LAST, source="int() of Python"),
    _no(
        "over 64 bits",
        b"10000000000000005\r\nhello\r\n" + _LAST,
        "wraps to 5",
        "integer overflow; CVE-2013-2028 family",
    ),
    _no("63 bits", b"8000000000000005\r\nhello\r\n" + _LAST, "negative with a sign", "integer overflow"),
    _no(
        "all bits",
        b"ffffffffffffffff\r\nhello\r\n" + _LAST,
        "minus one with a sign",
        "integer overflow; CVE-2015-3183 family",
    ),
    _no(
        "zeros without end",
        b"0" * 300 + b"5\r\nhello\r\n" + _LAST,
        "a line that only costs memory",
        "RFC 9112 §7.1: limits",
    ),
    _no(
        "extension without end",
        b"5;" + b"a" * 300 + b"\r\nhello\r\n" + _LAST,
        "a line that only costs memory",
        "CVE-2023-39326 (Go), CVE-2024-22019 (Node)",
    ),
    _no("bare LF after the size", b"5\nhello\r\n" + _LAST, _LINE, "CVE-2025-22871 (Go)"),
    _no("bare CR after the size", b"5\rhello\r\n" + _LAST, _LINE, "CVE-2023-30589 (llhttp)"),
    _no(
        "bare LF in an extension",
        b"5;a\nhello\r\n" + _LAST,
        _LINE,
        "TERM.EXT, " + _FUNKY + "; CVE-2025-58056 (Netty), CVE-2025-55315 (Kestrel)",
    ),
    _no(
        "bare LF after the semicolon",
        b"2;\nxx\r\n45\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a.example\r\n\r\n0\r\n\r\n",
        _LINE,
        "EXT.TERM, " + _FUNKY,
    ),
    _no("bare CR in an extension", b"5;a\rb\r\nhello\r\n" + _LAST, _LINE, "CVE-2021-22960 (Node), " + _FUNKY),
    _no("NUL in an extension", b"5;a\x00\r\nhello\r\n" + _LAST, "a control character", "RFC 9112 §7.1.1"),
    _no("space in an extension's name", b"5;a b\r\nhello\r\n" + _LAST, "not the grammar", "RFC 9112 §7.1.1"),
    _no("quote never closed", b'5;a="b\r\nhello\r\n' + _LAST, "would swallow what follows", "RFC 9112 §7.1.1"),
    _no(
        "CRLF in quotes",
        b'5;a="\r\nhello\r\n0\r\n\r\n"\r\nhello\r\n' + _LAST,
        "a quoted string cannot hold a line's end",
        _FUNKY,
    ),
    _no("payload without CRLF", b"5\r\nhello0\r\n\r\n", _LONGER, "RFC 9112 §7.1"),
    _no("payload too long", b"5\r\nhelloX\r\n" + _LAST, _LONGER, "SPILL, " + _FUNKY),
    _no(
        "payload then two other bytes",
        b"5\r\nhelloXX0\r\n\r\n",
        "two bytes are skipped by some, whatever they are",
        "ONE.TWO and SPILL.TERM, " + _FUNKY + "; CVE-2025-43859 (h11)",
    ),
    _no("payload too short", b"6\r\nhello\r\n" + _LAST, _LONGER, "RFC 9112 §7.1"),
    _no("payload then bare LF", b"5\r\nhello\n" + _LAST, _LINE, "TWO.ONE, " + _FUNKY),
    _no("payload then bare CR", b"5\r\nhello\r" + _LAST, _LINE, _FUNKY),
    _no("payload then LF and CR", b"5\r\nhello\n\r" + _LAST, _LINE, "CVE-2025-43859 (h11)"),
    _no("payload then an empty line too many", b"5\r\nhello\r\n\r\n" + _LAST, _SIZE, "TWO.ZERO, " + _FUNKY),
    _no("last chunk with bare LF", b"5\r\nhello\r\n0\n\r\n", _LINE, "CVE-2025-22871 (Go)"),
    _no("last line with bare LF", b"5\r\nhello\r\n0\r\n\n", _LINE, "RFC 9112 §7.1"),
    _no("last line with a space", b"5\r\nhello\r\n0\r\n \r\n\r\n", "neither a field nor the end", "RFC 9112 §7.1.2"),
    _no("trailer without a colon", b"5\r\nhello\r\n0\r\nGET /admin HTTP/1.1\r\n\r\n", "not a field", "RFC 9112 §7.1.2"),
    _no(
        "trailer with space before the colon",
        b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "white space before the colon",
        "RFC 9112 §5.1",
    ),
    _no("trailer folded", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", "obs-fold", "RFC 9112 §5.2"),
    _no("trailer with bare LF", b"5\r\nhello\r\n0\r\nX: y\nZ: z\r\n\r\n", _LINE, "RFC 9112 §2.2"),
    _no("trailer with bare CR", b"5\r\nhello\r\n0\r\nX: y\rZ: z\r\n\r\n", _LINE, "RFC 9112 §2.2"),
    _no("trailer with NUL", b"5\r\nhello\r\n0\r\nX: y\x00\r\n\r\n", "a control character", "RFC 9110 §5.5"),
    _no("trailer with an empty name", b"5\r\nhello\r\n0\r\n: y\r\n\r\n", "not a field", "CVE-2023-25725 (HAProxy)"),
    _no(
        "trailer too large",
        b"5\r\nhello\r\n0\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
        "a section that only costs memory",
        "RFC 9112 §7.1.2: limits",
    ),
    _no(
        "trailer of too many lines",
        b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 2000 + b"\r\n",
        "a section that only costs memory",
        "RFC 9112 §7.1.2: limits",
    ),
    _no(
        "request instead of a chunk",
        b"GET /admin HTTP/1.1\r\nHost: a.example\r\n\r\n",
        _SIZE,
        "CL.TE, HTTP Desync Attacks (Kettle 2019)",
    ),
)
