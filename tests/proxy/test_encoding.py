"""Compressed bodies: whole, in order, in slices, and let out when the body pauses."""

import gzip
import zlib
from random import Random

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy.compression import Coding
from ingressd.proxy.encoding import Encoders, Encoding, has_brotli

CODINGS: list[Coding] = ["gzip", "br"]
TEXT = Random(7).randbytes(50_000).hex().encode()


def decoded(coding: Coding, data: bytes) -> bytes:
    return bytes(brotli.decompress(data)) if coding == "br" else gzip.decompress(data)


def drained(encoding: Encoding) -> bytes:
    out = b""
    while encoding.pending:
        out += encoding.more()
    return out


@pytest.mark.parametrize("coding", CODINGS)
@given(pieces=st.lists(st.sampled_from([0, 1, 100, 16_384, 32_768, 32_769, 90_000]), max_size=5), flushes=st.booleans())
def test_what_goes_in_comes_out(coding: Coding, pieces: list[int], flushes: bool) -> None:
    encoding, out, fed = Encoding(coding, 4), b"", b""
    for size in pieces:
        out += encoding.feed(TEXT[:size])
        fed += TEXT[:size]
        if flushes:
            out += drained(encoding) + encoding.flush()
    assert decoded(coding, out + drained(encoding) + encoding.finish()) == fed


@pytest.mark.parametrize(
    ("coding", "level", "slice_bytes"), [("gzip", 6, 32768), ("gzip", 9, 16384), ("br", 11, 32768)]
)
def test_a_turn_compresses_a_slice(coding: Coding, level: int, slice_bytes: int) -> None:
    encoding = Encoding(coding, level)
    encoding.feed(TEXT)
    assert encoding.pending == len(TEXT) - slice_bytes
    assert encoding.feed(b"more") == b""
    assert encoding.pending == len(TEXT) + 4 - slice_bytes
    assert encoding.flush() == b""
    encoding.more()
    assert encoding.pending == len(TEXT) + 4 - 2 * slice_bytes
    with pytest.raises(AssertionError):
        encoding.finish()


def test_brotli_does_not_gather_more_than_a_slice() -> None:
    encoding, reader, read = Encoding("br", 6), brotli.Decompressor(), b""
    for at in range(0, 65_536, 1024):
        read += reader.process(encoding.feed(TEXT[at : at + 1024]))
        assert at + 1024 - len(read) < 32_768


@pytest.mark.parametrize("coding", CODINGS)
def test_a_pause_lets_everything_out(coding: Coding) -> None:
    encoding = Encoding(coding, 1)
    out = encoding.feed(b"event: 1\n\n") + encoding.flush()
    read = brotli.Decompressor().process(out) if coding == "br" else zlib.decompressobj(31).decompress(out)
    assert read == b"event: 1\n\n"
    assert encoding.flush() == b""
    assert encoding.feed(b"") == b""


def test_levels_are_kept_within_bounds() -> None:
    for level in (-5, 0, 1, 9, 99):
        for coding in CODINGS:
            encoding = Encoding(coding, level)
            assert decoded(coding, encoding.feed(b"x") + encoding.finish()) == b"x"


def test_the_library_is_there() -> None:
    assert has_brotli()


@pytest.mark.parametrize("coding", CODINGS)
def test_memory_is_bounded(coding: Coding) -> None:
    encoders = Encoders(2 << 20)
    opened: list[Encoding] = []
    while (encoding := encoders.open(coding, 4)) is not None:
        opened.append(encoding)
    assert len(opened) == {"gzip": 7, "br": 2}[coding]
    encoders.close(opened.pop())
    assert encoders.open(coding, 4) is not None
    assert encoders.open(coding, 4) is None
