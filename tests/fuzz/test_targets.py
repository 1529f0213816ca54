"""Every fuzz target over its seeds, without the fuzzer; and that each target would notice."""

import re
from collections.abc import Iterator

import pytest

from ingressd.errors import BadRequest
from ingressd.http import framing, head, request_line, response, target
from ingressd.proxy import downstream
from tests.fuzz.seeds import CORPUS, seeds
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    inputs = seeds(name)
    assert len(inputs) > 20
    for data in inputs:
        try:
            TARGETS[name](data)
        except AssertionError as error:
            raise AssertionError(f"input: {data!r}") from error


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    """What a reader that was broken on purpose has read must not reach another test."""
    request_line.remembered_lines.clear()
    yield
    request_line.remembered_lines.clear()
    head._remembered.clear()
    for remembered in head._remembered_with_names.values():
        remembered.clear()
    response._remembered.clear()


def test_kept_inputs_belong_to_a_target_and_are_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 200_000


def _must_notice(name: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        _run_all(name)


def _run_all(name: str) -> None:
    for data in seeds(name):
        TARGETS[name](data)


def test_a_lenient_chunk_size_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "_CHUNK_LINE", re.compile(rb"(?:0x|\+)?([0-9a-fA-F]{1,15})(?:[ \t]*;.*)?"))
    _must_notice("chunks")


def test_slashes_left_doubled_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_SLASHES", re.compile("/{3,}"))
    _must_notice("path")


def test_field_lines_that_pass_unchecked_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_ascii_query", lambda query: query)
    _must_notice("head")


def test_a_length_that_is_not_judged_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "_remembered", {})
    monkeypatch.setattr(response, "content_length", lambda value: int(value) + 1 if value.isdigit() else -1)
    _must_notice("response")


def test_an_error_that_is_not_documented_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise ValueError("not one of ours")

    monkeypatch.setattr(downstream, "read_request", refuse)
    _must_notice("connection")


def test_a_path_that_is_not_normalised_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(raw: str) -> target.Target:
        if not raw.startswith("/"):
            raise BadRequest("bad_target")
        return target.Target(*raw.partition("?")[::2])

    monkeypatch.setattr(request_line, "parse_target", parse)
    _must_notice("connection")
