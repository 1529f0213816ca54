"""Lines out of chunks cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.kube.lines import LineSplitter, LineTooLongError

LINE = st.binary(min_size=1, max_size=40).map(lambda line: line.replace(b"\n", b"") + b"x")


@given(lines=st.lists(LINE, max_size=8), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_the_same_lines_come_out_however_the_chunks_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    splitter = LineSplitter()
    seen = [line for start, end in pairwise(edges) for line in splitter.feed(whole[start:end])]
    assert seen == lines
    assert splitter.is_between_lines


def test_blank_lines_are_no_lines() -> None:
    assert LineSplitter().feed(b"\n\r\n  \na\n\n") == [b"a"]


def test_the_end_of_a_stream_in_the_middle_of_a_line_is_seen() -> None:
    splitter = LineSplitter()
    splitter.feed(b"whole\nhal")
    assert not splitter.is_between_lines
    assert splitter.feed(b"f\n") == [b"half"]
    assert splitter.is_between_lines


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 11 + b"\n"], [b"xxxxxx", b"xxxxxx"], [b"xxxxxx", b"xxxxxx\n"]])
def test_a_line_over_the_limit_is_refused_before_it_has_ended_too(chunks: list[bytes]) -> None:
    splitter = LineSplitter(limit=10)
    with pytest.raises(LineTooLongError):
        list(map(splitter.feed, chunks))


def test_a_line_of_the_limit_passes() -> None:
    assert LineSplitter(limit=10).feed(b"x" * 10 + b"\ny" * 5) == [b"x" * 10, b"y", b"y", b"y", b"y"]
