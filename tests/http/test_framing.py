"""Chunked coding: taken apart strictly, the same under every split, and made anew."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.http import framing
from ingressd.http.framing import ChunkReader, FramingError, encode_chunk, encode_end


def read(pieces: list[bytes]) -> tuple[bytes, bytes, bytes, bool]:
    """Payload, trailers, what follows, and whether the end was seen."""
    reader = ChunkReader()
    payload, rest = b"", b""
    for piece in pieces:
        if reader.done:
            rest += piece
            continue
        payload += b"".join(reader.feed(piece))
        rest += reader.rest
    return payload, reader.trailers, rest, reader.done


GOOD = {
    "empty": (b"0\r\n\r\n", b"", b""),
    "one": (b"3\r\nabc\r\n0\r\n\r\n", b"abc", b""),
    "two": (b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", b"abcd", b""),
    "upper and lower case": (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2, b""),
    "leading zeros": (b"0003\r\nabc\r\n000\r\n\r\n", b"abc", b""),
    "payload looks like framing": (b"7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n\r\n", b""),
    "extension": (b"3;a\r\nabc\r\n0;b=c\r\n\r\n", b"abc", b""),
    "extensions": (b'3 ; a = "b;\\" c" ;d\r\nabc\r\n0\r\n\r\n', b"abc", b""),
    "trailer": (b"0\r\nX-Sum: 1 \r\n\r\n", b"", b"X-Sum: 1\r\n"),
    "empty trailer": (b"0\r\nX-Sum:\r\n\r\n", b"", b"X-Sum: \r\n"),
    "unsafe trailers": (
        b"0\r\nContent-Length: 5\r\nX_Y: 1\r\nX-Sum: 1\r\nHost: b\r\nCookie: a\r\n\r\n",
        b"",
        b"X-Sum: 1\r\n",
    ),
}
BAD = {
    "no size": b"\r\nabc\r\n",
    "sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "minus": b"-3\r\n",
    "0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "underscore": b"1_0\r\n",
    "space before": b" 3\r\nabc\r\n0\r\n\r\n",
    "space after": b"3 \r\nabc\r\n0\r\n\r\n",
    "bare LF": b"3\nabc\r\n0\r\n\r\n",
    "bare LF in an extension": b"3;a\nabc\r\n0\r\n\r\n",
    "bare CR in an extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "bare CR": b"3\rabc",
    "16 digits": b"1234567890123456\r\n",
    "overflow": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "longer than said": b"3\r\nabcd\r\n0\r\n\r\n",
    "LF after the payload": b"3\r\nabc\n0\r\n\r\n",
    "CR and something after the payload": b"3\r\nabc\rx0\r\n\r\n",
    "not hexadecimal": b"g\r\n",
    "obs-text size": b"\xb2\r\n",
    "unfinished extension": b"3;\r\nabc\r\n0\r\n\r\n",
    "unfinished quotes": b'3;a="b\r\nabc\r\n0\r\n\r\n',
    "endless extension": b"3;" + b"a" * 300,
    "endless extension, ended": b"3;" + b"a" * 300 + b"\r\nabc\r\n0\r\n\r\n",
    "trailer without a colon": b"0\r\nX-Sum\r\n\r\n",
    "trailer with a space before the colon": b"0\r\nX-Sum : 1\r\n\r\n",
    "folded trailer": b"0\r\nX-Sum: 1\r\n 2\r\n\r\n",
    "trailer with NUL": b"0\r\nX-Sum: \x00\r\n\r\n",
    "trailer of white space": b"0\r\nX-Sum:" + b" " * 7000 + b"\x01\r\n\r\n",
    "trailer with bare LF": b"0\r\nX-Sum: 1\nY: 2\r\n\r\n",
    "large trailer": b"0\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
    "many trailers": b"0\r\n" + b"X: 1\r\n" * 2000 + b"\r\n",
    "bare LF at the end": b"0\r\n\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_good_bodies_under_every_split(name: str) -> None:
    coded, payload, trailers = GOOD[name]
    following = b"GET /"
    wanted = (payload, trailers, following, True)
    data = coded + following
    assert read([data]) == wanted
    assert read([data[at : at + 1] for at in range(len(data))]) == wanted
    for at in range(len(data)):
        assert read([data[:at], data[at:]]) == wanted
        assert read([coded[:at]])[3] is (at >= len(coded))


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies_under_every_split(name: str) -> None:
    coded = BAD[name]
    step = max(1, len(coded) // 500)
    splits = [[coded], [coded[at : at + 1] for at in range(len(coded))]]
    splits += [[coded[:at], coded[at:]] for at in range(0, len(coded), step)]
    for pieces in splits:
        with pytest.raises(FramingError):
            read(pieces)


def test_a_trailer_of_white_space_is_refused_in_one_go() -> None:
    """Without end for an expression that tries each border between the white space and the value."""
    assert framing._TRAILER_LINE.fullmatch(b"X-Sum:" + b" \t" * 1_000_000 + b"\x01") is None


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.lists(st.integers(min_value=0), max_size=10))
def test_what_is_encoded_is_read_again_under_any_cut(payload: list[bytes], places: list[int]) -> None:
    coded = b"".join(encode_chunk([piece]) for piece in payload) + encode_end()
    assert read(cut(coded, places)) == (b"".join(payload), b"", b"", True)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8))
def test_pieces_become_one_chunk(payload: list[bytes]) -> None:
    assert read([encode_chunk(payload) + encode_end(b"X: y\r\n")]) == (b"".join(payload), b"X: y\r\n", b"", True)


@given(
    st.lists(
        st.sampled_from([b"0", b"3", b"a", b"\r\n", b"\r", b"\n", b";", b"x", b" ", b":", b"abc", b"X: y"]), max_size=20
    ),
    st.lists(st.integers(min_value=0), max_size=10),
)
def test_anything_is_judged_alike_under_any_cut(tokens: list[bytes], places: list[int]) -> None:
    data = b"".join(tokens)

    def outcome(pieces: list[bytes]) -> object:
        try:
            return read(pieces)
        except FramingError:
            return FramingError

    assert outcome([data]) == outcome(cut(data, places))
