"""Transfer-Encoding: ``chunked`` alone, once; every disguise of it is refused."""

from tests.wire.corpus.case import Case, Want, passed, post, refused

_KETTLE = "TE.TE, HTTP Desync Attacks (Kettle 2019)"
_OTHER = "any coding but a single chunked leaves the length to guesswork"
_CODED = b"5\r\nhello\r\n0\r\n\r\n"
_HELLO = Want(method=b"POST", body=b"hello", has=(b"transfer-encoding: chunked",), lacks=(b"content-length",))


def _with(*lines: bytes, first: bytes = b"POST /x HTTP/1.1") -> bytes:
    return post(*lines, first=first, body=_CODED)


def _no(name: str, value: bytes, source: str = _KETTLE, reason: str = _OTHER) -> Case:
    return refused(name, _with(b"Transfer-Encoding:" + value), reason, source)


CASES: tuple[Case, ...] = (
    passed("chunked", _with(b"Transfer-Encoding: chunked"), "the ordinary case", "RFC 9112 §7.1", _HELLO),
    passed(
        "no space after the colon",
        _with(b"Transfer-Encoding:chunked"),
        "white space is optional",
        "RFC 9112 §5",
        _HELLO,
    ),
    passed(
        "tab after the colon",
        _with(b"Transfer-Encoding:\tchunked"),
        "white space may be a tab",
        "RFC 9112 §5; " + _KETTLE,
        _HELLO,
    ),
    passed(
        "spaces after it",
        _with(b"Transfer-Encoding: chunked  "),
        "trailing white space is no part of a value",
        "RFC 9112 §5",
        _HELLO,
    ),
    passed(
        "odd case",
        _with(b"tRANSFER-eNCODING: ChUnKeD"),
        "names and codings have no case; written anew in ours",
        "RFC 9112 §7",
        _HELLO,
    ),
    passed(
        "GET with chunks",
        _with(b"Transfer-Encoding: chunked", first=b"GET /x HTTP/1.1"),
        "any method may have a body",
        "RFC 9112 §6.3; CL.0 by method",
        Want(body=b"hello", has=(b"transfer-encoding: chunked",)),
    ),
    passed(
        "with an underscore",
        post(b"Transfer_Encoding: chunked"),
        "not the field, and not passed on",
        _KETTLE + "; nginx underscores_in_headers",
        Want(method=b"POST", lacks=(b"transfer_encoding", b"transfer-encoding")),
    ),
    passed(
        "another name with the coding",
        post(b"X-Transfer-Encoding: chunked"),
        "an ordinary field",
        _KETTLE,
        Want(method=b"POST", has=(b"x-transfer-encoding: chunked",), lacks=(b"transfer-encoding",)),
    ),
    refused(
        "HTTP/1.0",
        _with(b"Transfer-Encoding: chunked", first=b"POST /x HTTP/1.0"),
        "faulty framing in HTTP/1.0",
        "RFC 9112 §6.1",
    ),
    refused(
        "twice chunked",
        _with(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        _OTHER,
        "RFC 9112 §6.1; CVE-2020-8287 (Node)",
    ),
    refused("chunked, then another", _with(b"Transfer-Encoding: chunked", b"Transfer-Encoding: cow"), _OTHER, _KETTLE),
    refused("another, then chunked", _with(b"Transfer-Encoding: cow", b"Transfer-Encoding: chunked"), _OTHER, _KETTLE),
    refused(
        "chunked, then identity",
        _with(b"Transfer-Encoding: chunked", b"Transfer-encoding: identity"),
        _OTHER,
        "CVE-2020-8287 (Node)",
    ),
    refused("chunked, then empty", _with(b"Transfer-Encoding: chunked", b"Transfer-Encoding:"), _OTHER, _KETTLE),
    _no("identity", b" identity", "RFC 7230 appendix A.2 removed it"),
    _no("gzip before chunked", b" gzip, chunked", "RFC 9112 §6.1: codings are not ours to undo"),
    _no("chunked before gzip", b" chunked, gzip", "RFC 9112 §6.3 item 4"),
    _no("chunked in a list of two", b" chunked, chunked", "RFC 9112 §6.1: not more than once"),
    _no("identity in a list", b" chunked, identity", "CVE-2022-32215 (Node)"),
    _no("empty", b"", "CVE-2022-1705 (Go)"),
    _no("empty list members", b" ,chunked,", "RFC 9110 §5.6.1"),
    _no("parameter", b" chunked;q=1", "RFC 9112 §7.1: chunked has no parameters"),
    _no("prefixed", b" xchunked"),
    _no("suffixed", b" chunkedx", "CVE-2022-32213 (Node): matched by its beginning"),
    _no("cut short", b" chunke", "T-Reqs (Jabiyev et al. 2021)"),
    _no("quoted", b' "chunked"'),
    _no("single-quoted", b" 'chunked'"),
    _no("tab after it", b" chunked\t", _KETTLE, "white space, but not all readers cut a tab off"),
    _no("vertical tab", b" \x0bchunked", "CVE-2019-18277 (HAProxy)"),
    _no("form feed", b" chunked\x0c", "CVE-2019-18277 family"),
    _no("NUL", b" chunked\x00"),
    _no("DEL", b" chunked\x7f"),
    _no("byte above ASCII", b" \xffchunked"),
    _no("no-break space", b" \xa0chunked", "str.strip of Python"),
    _no("next line character", b"\x85chunked", "str.strip of Python"),
    _no("Kelvin sign", " chun\u212aed".encode(), "case folding beyond ASCII", "lower() of str makes k of U+212A"),
    _no("folded value", b"\r\n chunked", "CVE-2022-32215 (Node), RFC 9112 §5.2", "obs-fold"),
    _no("folded with a tab", b" x\r\n\tchunked", _KETTLE, "obs-fold"),
    _no("bare CR before it", b" \rchunked", "CVE-2023-30589 (llhttp)", "bare CR"),
    _no("bare LF before it", b"\nchunked", "CVE-2022-32214 (Node)", "bare LF"),
    refused(
        "space before the colon",
        _with(b"Transfer-Encoding : chunked"),
        "white space before the colon",
        "RFC 9112 §5.1; CVE-2019-16276 (Go), CVE-2019-16869 (Netty)",
    ),
    refused(
        "vertical tab before the colon",
        _with(b"Transfer-Encoding\x0b: chunked"),
        "a control character in a name",
        "HTTP Garden (Kallus et al. 2024)",
    ),
    refused(
        "NUL in the name",
        _with(b"Transfer-\x00Encoding: chunked"),
        "a control character in a name",
        "CVE-2021-43797 (Netty)",
    ),
    refused(
        "space before the name",
        _with(b" Transfer-Encoding: chunked"),
        "a folded line to some, a field to others",
        "CVE-2020-7238 (Netty)",
    ),
    refused("behind a bare LF", _with(b"X: x\nTransfer-Encoding: chunked"), "bare LF", _KETTLE),
    refused("behind a bare CR", _with(b"X: x\rTransfer-Encoding: chunked"), "bare CR", "CVE-2023-30589 (llhttp)"),
    refused(
        "name with a long s", _with("Tranſfer-Encoding: chunked".encode()), "not a token", "case folding beyond ASCII"
    ),
    refused("space in the name", _with(b"Transfer Encoding: chunked"), "not a token", "RFC 9110 §5.6.2"),
    refused("in quotes as a name", _with(b'"Transfer-Encoding": chunked'), "not a token", "RFC 9110 §5.6.2"),
)
