"""YAML and JSON to plain documents: what is text, what is a fault, what makes a file unreadable."""

import contextlib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ingressd.kube.json_documents import parse_json
from ingressd.kube.parsed import ParseError
from ingressd.kube.scalars import plain_scalar
from ingressd.kube.yaml_documents import parse_yaml


def values(text: str | bytes) -> list[Any]:
    found = list(parse_yaml(text if isinstance(text, bytes) else text.encode()))
    assert [document.fault for document in found] == [None] * len(found)
    assert [document.number for document in found] == list(range(1, len(found) + 1))
    return [document.value for document in found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, None) for text in ("~", "null", "Null", "NULL", "")),
        *((text, True) for text in ("true", "True", "TRUE", "yes", "Yes", "on", "ON")),
        *((text, False) for text in ("false", "no", "No", "off", "Off")),
        *((text, text) for text in ("y", "n", "tRue", "nul", "-", ".", "+", "...", "e3", "1e", "0x", "0b", "1.2.3")),
        *(
            (text, text)
            for text in ("2026-01-01", "2026-01-01T00:00:00Z", "12:30:45", "10.0.0.1", "10.0.0.0/8", "=", "1 ")
        ),
        ("0", 0),
        ("80", 80),
        ("-1", -1),
        ("+1", 1),
        ("1_000", 1000),
        ("010", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("-0x10", -16),
        ("08", 8.0),
        ("80.0", 80.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        (".inf", float("inf")),
        ("-.Inf", float("-inf")),
        ("9" * 500, "9" * 500),
    ],
)
def test_unquoted_scalars(text: str, value: Any) -> None:
    found = plain_scalar(text)
    assert (type(found), found) == (type(value), value)


def test_not_a_number_is_not_equal_to_itself() -> None:
    found = plain_scalar(".nan")
    assert isinstance(found, float)
    assert found != found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'80'", "80"),
        ('"on"', "on"),
        ("|\n  true\n", "true\n"),
        ("!!str 80", "80"),
        ("!!int 80", 80),
        ("!!float 80", 80),
        ("!!bool yes", True),
        ("!!null ~", None),
        ("!!map {a: !!seq [b]}", {"a": ["b"]}),
        ("{80: a, on: b, ~: c, 'x': d}", {"80": "a", "on": "b", "~": "c", "x": "d"}),
        ("{a: &x [1], b: *x}", {"a": [1], "b": [1]}),
        ("{a: &x 80, b: *x}", {"a": 80, "b": 80}),
        ("{<<: {a: 1, b: 2}, b: 3}", {"a": 1, "b": 3}),
        ("{b: 3, <<: {a: 1, b: 2}}", {"a": 1, "b": 3}),
        ("{<<: [{a: 1}, {a: 2, b: 2}]}", {"a": 1, "b": 2}),
        ("{'<<': {a: 1}}", {"<<": {"a": 1}}),
        ("[a, [b], {c: d}, ]", ["a", ["b"], {"c": "d"}]),
        ("? a\n: b", {"a": "b"}),
    ],
)
def test_nodes(text: str, value: Any) -> None:
    [found] = values(text)
    assert found == value
    assert type(found) is type(value)


def test_streams() -> None:
    assert values("") == []
    assert values("# nothing\n") == []
    assert values("---\n---\na\n...\n---\nb\n") == [None, "a", "b"]
    assert values(b"\xef\xbb\xbfa: b\r\n") == [{"a": "b"}]
    assert values("{a: b}".encode("utf-16")) == [{"a": "b"}]


PLACES: dict[str, tuple[str, str, int, int, str]] = {
    "key twice": ("a: 1\nb:\n  c: 1\n  c: 2\n", "DuplicateKey", 4, 3, "b.c"),
    "key twice in a list": ("a: [x, {b: 1, b: 2}]", "DuplicateKey", 1, 15, "a[1].b"),
    "foreign tag": ("a: [!!python/name:os.system x]", "BadTag", 1, 5, "a[0]"),
    "tag that lies": ("a: !!int text", "BadTag", 1, 4, "a"),
    "tagged mapping": ("a: !thing {}", "BadTag", 1, 4, "a"),
    "binary": ("a: !!binary YQ==", "BadTag", 1, 4, "a"),
    "merge of text": ("a: {<<: text}", "BadMerge", 1, 9, "a"),
}


@pytest.mark.parametrize("case", PLACES)
def test_faults_cost_one_document(case: str) -> None:
    text, reason, line, column, field = PLACES[case]
    before, broken, after = parse_yaml(f"--- before\n---\n{text}\n--- after\n".encode())
    assert (before.value, before.fault, after.value, after.fault) == ("before", None, "after", None)
    fault = broken.fault
    assert fault is not None
    assert (fault.reason, fault.line - 2, fault.column, fault.field) == (reason, line, column, field)


@pytest.mark.parametrize(
    ("text", "reason", "line", "column"),
    [
        (b"a: b\nc: [d\n", "BadYaml", 3, 1),
        (b"a: b\n\tc: d\n", "BadYaml", 2, 1),
        (b"a: b\nc: *d\n", "BadAlias", 2, 4),
        (b"a: &a [*a]\n", "BadAlias", 1, 8),
        (b"{*a : b}", "BadAlias", 1, 2),
        (b"[&a x, {*a : b}]", "BadKey", 1, 9),
        (b"a: {{ .Values.x }}\n", "BadKey", 1, 5),
        (b"? [a]\n: b\n", "BadKey", 1, 3),
        (b"a: b\nc: \xff\n", "NotText", 2, 4),
        (b"a: \x00\n", "NotText", 1, 4),
        (b"a: \x07\n", "NotText", 1, 4),
        (b"[" * 101, "TooDeep", 1, 101),
    ],
)
def test_what_makes_a_file_unreadable(text: bytes, reason: str, line: int, column: int) -> None:
    with pytest.raises(ParseError) as caught:
        list(parse_yaml(text))
    fault = caught.value.fault
    assert (fault.reason, fault.line, fault.column) == (reason, line, column)
    assert str(caught.value) == f"line {line}, column {column}: {fault.message}"


def test_depth_up_to_the_bound() -> None:
    [found] = values("[" * 100 + "]" * 100)
    for _ in range(99):
        [found] = found
    assert found == []


def test_aliases_up_to_the_bound() -> None:
    text = f"a: &a {'x' * 1000}\nb: [{', '.join(['*a'] * 4000)}]"
    assert len(values(text)[0]["b"]) == 4000
    with pytest.raises(ParseError) as caught:
        list(parse_yaml(text.replace("*a]", "*a, " + "*a, " * 300 + "]").encode()))
    assert caught.value.fault.reason == "TooManyAliases"


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc<*&: -80~", max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN, st.booleans())
def test_what_pyyaml_writes_is_read_back(value: Any, is_flow: bool) -> None:
    text = yaml.safe_dump_all([value, value], default_flow_style=is_flow, allow_unicode=True)
    assert values(text) == [value, value]


@given(st.binary(max_size=60) | st.text("a:- \n[]{}&*!|>'\"#%~<,?", max_size=40).map(str.encode))
def test_any_bytes_are_documents_or_a_parse_error(data: bytes) -> None:
    for parse in (parse_yaml, parse_json):
        with contextlib.suppress(ParseError):
            for number, document in enumerate(parse(data), 1):
                assert document.number == number


def test_json_documents_in_a_row() -> None:
    assert [one.value for one in parse_json(b'\xef\xbb\xbf{"a": 1}\n{"b": [2.5, null]}  "c" ')] == [
        {"a": 1},
        {"b": [2.5, None]},
        "c",
    ]
    assert list(parse_json(b" \n")) == []


def test_json_key_twice() -> None:
    [found, other] = parse_json(b'{"a": {"b": 1, "c": 1, "b": 2}} {}')
    assert found.fault is not None
    assert (found.fault.reason, found.fault.field) == ("DuplicateKey", "b")
    assert other.fault is None


@pytest.mark.parametrize(
    ("text", "reason", "line", "column"),
    [
        (b'{"a": 1,\n "b" 2}', "BadJson", 2, 6),
        (b'{"a": 1}\n{"a": NaN}', "BadJson", 2, 1),
        (b'{"a":\n "\xff"}', "NotText", 2, 3),
        (b"[" * 100_000, "TooDeep", 1, 1),
    ],
)
def test_what_is_not_json(text: bytes, reason: str, line: int, column: int) -> None:
    with pytest.raises(ParseError) as caught:
        list(parse_json(text))
    fault = caught.value.fault
    assert (fault.reason, fault.line, fault.column) == (reason, line, column)
