"""Patterns choose what Perl would choose, take no more than linear time, and say what they do not do."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.policy import pattern as module
from ingressd.policy.pattern import (
    MAX_ATTEMPTS,
    MAX_PATTERN_CHARACTERS,
    Pattern,
    PatternError,
    PatternSet,
    check_pattern,
    compile_pattern,
    location_pattern,
    path_expression,
)


@pytest.mark.parametrize(
    ("pattern", "text", "groups"),
    [
        (r"/api(/|$)(.*)", "/api/orders", ("/", "orders")),
        (r"/api(/|$)(.*)", "/v1/api", ("", "")),
        (r"/(a)|/(b)", "/b", ("", "b")),
        (r"/(a|ab)(c|bcd)?", "/abcd", ("a", "bcd")),
        (r"/(?<name>x)(?P<other>y)", "/xy", ("x", "y")),
        (r"^/x", "/y/x", None),
        (r"/é", "/\xc3\xa9", ()),
        (r"\d{2}\/", "/12/", ()),
    ],
)
def test_search(pattern: str, text: str, groups: tuple[str, ...] | None) -> None:
    assert compile_pattern(pattern).search(text) == groups


def test_match_begins_at_the_start() -> None:
    assert compile_pattern("/(a)").match("/a/b") == ("a",)
    assert compile_pattern("/(a)").match("/b/a") is None


def test_case() -> None:
    assert compile_pattern("/A", ignore_case=True).match("/a") == ()
    assert compile_pattern("/A").match("/a") is None
    assert compile_pattern("(?i)/A(?!b)").match("/aB") is None


@pytest.mark.parametrize(
    ("pattern", "found", "not_found"),
    [
        ("^/(?!api)(.*)", ["/x", "/", "/ap"], ["/api", "/apis", "/x/../api"[5:] + "x"]),
        ("^/((?!api|auth/).*)", ["/auth", "/x"], ["/api", "/auth/x"]),
        ("^/v[12]/(?!internal(/|$))", ["/v1/x", "/v2/internals"], ["/v1/internal", "/v2/internal/x", "/v3/x"]),
        (r"^/\w{3}(?=/)", ["/abc/", "/ab_/x"], ["/abcd", "/abc"]),
        (r"^/.*(?<!\.js)$", ["/a.jsx", "/", "/.js/"], ["/a.js", "/b/c.js"]),
        (r"^/(.*)(?<=\.html)$", ["/a.html"], ["/a.htm"]),
        (r"/(?!a)(?!b)", ["/c", "/a/c"], ["/a", "/a/b"]),
        (r"^/(?!.*\.\w+$)", ["/a", "/a.b/c"], ["/a.b", "/x/y.z"]),
        (r"^/a(?!\b)", ["/ab"], ["/a", "/a/"]),
        (r"^/[]a(?!]x(?!y)", ["/]x", "/!xz"], ["/ax" + "y", "/bx"]),
    ],
)
def test_lookarounds(pattern: str, found: list[str], not_found: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [text for text in (*found, *not_found) if compiled.search(text) is not None] == found
    assert [text for text in (*found, *not_found) if re.search(pattern, text)] == found


def test_groups_keep_their_numbers_beside_a_lookahead() -> None:
    assert compile_pattern("/(?!(api|(auth)))(x)(y)?").search("/x") == ("", "", "x", "")


REFUSED = {
    r"(a)\1": "back-reference",
    r"/(?>a)": "atomic",
    r"/a++": "possessive",
    r"/(?:(?!b).)*": "repeated with its group",
    r"/(?!b)*": "repeated or stands beside",
    r"/[^/]+/(?!b)": "varies in length",
    r"/(a)?(?!b)": "varies in length",
    r"/(?!b)|/c": "beside a |",
    r"/c|/(?!b)": "beside a |",
    r"/(?<!b)c": "stands elsewhere",
    r"/(?=(b))": "cannot be captured",
    r"/(?!a(?!b))": "lookaround within a lookaround",
    r"/(?!a": "not closed",
    r"/(?i:(?!a))": "at the pattern's beginning",
    r"/((?i)(?!a))": "at the pattern's beginning",
    r"/(": "missing )",
    r"/[a": "missing ]",
    r"/a{600}": "too much is repeated",
    "/" + "(?:a|b.)?" * 110: "too much is repeated",
    "/" + "(a)" * 21: "more than 20 groups",
    r"/(a{100}){100}": "repetition",
    "/" * (MAX_PATTERN_CHARACTERS + 1): "longer than",
    "/\ud800": "surrogate pair",
    r"/(?!\1)": "back-reference",
}


@pytest.mark.parametrize(("pattern", "why"), REFUSED.items(), ids=lambda text: ascii(text)[:20])
def test_refused(pattern: str, why: str) -> None:
    said = check_pattern(pattern)
    assert said is not None
    assert why in said
    assert said.isascii() or "…" in said
    with pytest.raises(PatternError):
        compile_pattern(pattern)


def test_a_long_plain_path_is_no_burden() -> None:
    assert check_pattern("/" + "a" * 1000 + "(/|$)(.*)") is None


def test_check_finds_nothing_wrong() -> None:
    assert check_pattern("/api(/|$)(.*)") is None


# A grammar in which Perl's rules matter (alternatives, greed, groups that take no part) and nothing is repeated that
# may be empty, where engines differ.
_ATOMS = st.sampled_from(
    ["a", "b", "/", ".", "[ab]", "[^a]", r"\w", r"\/", "(a)", "(a|b)", "(ab|a)", "(?:b|/)", "(/|$)"]
)
_ITEMS = st.one_of(
    _ATOMS, st.tuples(st.sampled_from(["a", ".", "[ab]", "(a)"]), st.sampled_from("*+?")).map("".join), st.just("b*?")
)
_SEQUENCES = st.lists(_ITEMS, max_size=5).map("".join)
_FIXED = st.lists(st.sampled_from(["a", "/", "[ab]", r"\w", "(", "a{2}", "."]), max_size=3).map("".join)
_LOOKS = st.tuples(st.sampled_from(["(?!", "(?="]), _SEQUENCES.filter(lambda text: not re.search(r"\((?!\?)", text)))
_TEXTS = st.text("ab/", max_size=12)


def same_as_re(pattern: str, text: str) -> None:
    expected = re.search(pattern, text)
    assert compile_pattern(pattern).search(text) == (expected.groups("") if expected else None)


@given(_SEQUENCES, st.sampled_from(["", "^", "^/"]), st.sampled_from(["", "$", "|a", "|(b)"]), _TEXTS)
def test_same_as_backtracking(pattern: str, start: str, end: str, text: str) -> None:
    same_as_re(start + pattern + end, text)


@given(st.sampled_from(["", "^"]), _FIXED, _LOOKS, _SEQUENCES, _TEXTS)
def test_lookaheads_same_as_backtracking(start: str, before: str, look: tuple[str, str], after: str, text: str) -> None:
    same_as_re(start + before + "".join(look) + ")" + after + ")" * before.count("("), text)


@given(_SEQUENCES, st.sampled_from(["(?<!", "(?<="]), st.sampled_from(["a", "ab", "[ab]", "//"]), _TEXTS)
def test_lookbehinds_same_as_backtracking(before: str, look: str, inner: str, text: str) -> None:
    same_as_re(f"{before}{look}{inner})$", text)


@given(st.text("a/()[]{}|*+?^$\\.!=<:i2,é", max_size=12), _TEXTS)
def test_whatever_is_written_it_is_a_pattern_or_an_error(pattern: str, text: str) -> None:
    try:
        compiled = compile_pattern(pattern, ignore_case=True)
    except PatternError:
        return
    found = compiled.search(text)
    assert found is None or all(group in text for group in found)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a|b|ab)*c", "(.*)(.*)(.*)(.*)(.*)x", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_what_backtracking_would_never_finish(pattern: str) -> None:
    assert compile_pattern(pattern).search("a" * 8192) is None


def test_a_search_gives_up_rather_than_take_quadratic_time() -> None:
    pattern = compile_pattern("/(?!a)")
    assert pattern.search("/a" * (MAX_ATTEMPTS - 1) + "/b") == ()
    assert pattern.search("/a" * MAX_ATTEMPTS + "/b") is None


def test_an_anchor_is_the_text_s_start_in_every_attempt() -> None:
    assert compile_pattern("^/(?!a)").search("/a/b") is None


def test_compiled_once() -> None:
    assert compile_pattern("/once") is compile_pattern("/once")
    assert compile_pattern("/once") is not compile_pattern("/once", ignore_case=True)
    assert repr(compile_pattern("/once")) == "Pattern('/once')"


@pytest.mark.parametrize(
    ("declared", "spelled"),
    [
        ("/plain(/|$)(.*)", "/plain(/|$)(.*)"),
        ("/caf\u00e9", "/caf(?:%C3%A9)"),
        ("/a b", "/a(?:%20)b"),
        (r"/a\ b\.", r"/a(?:%20)b\."),
        ("/[é x]", "/[é x]"),
    ],
)
def test_path_expression(declared: str, spelled: str) -> None:
    assert path_expression(declared) == spelled


def test_only_the_first_alternative_of_a_location_is_bound_to_the_start() -> None:
    assert location_pattern("/a|/b").search("/x/b") == ()
    assert location_pattern("/a|/b").search("/x/a") is None


def patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(location_pattern(text) for text in texts)


@pytest.mark.parametrize("is_set_usable", [True, False], ids=["as a set", "one by one"])
@pytest.mark.parametrize(
    ("texts", "first"),
    [
        ((), {"/": -1}),
        (("/b",), {"/b": 0, "/a": -1}),
        (("/a/b", "/a", "/"), {"/A/B/c": 0, "/ab": 1, "/x": 2, "x": -1}),
        (("/(?!a)", "/a", "/"), {"/x": 0, "/a": 1, "x": -1}),
        (("/(?!a)",), {"/a": -1}),
    ],
)
def test_pattern_set(
    texts: tuple[str, ...], first: dict[str, int], is_set_usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_set_usable:
        monkeypatch.setattr(module, "_SET_MEMORY_BYTES", 0)
        monkeypatch.setattr(module, "_SET_MEMORY_EACH_BYTES", 100)
    together = PatternSet(patterns(*texts))
    assert {path: together.first(path) for path in first} == first


def test_a_missing_library_refuses_patterns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    module._library.cache_clear()
    try:
        with pytest.raises(PatternError, match="google-re2 cannot be loaded"):
            Pattern("/x", ignore_case=True)
    finally:
        module._library.cache_clear()


def test_loaded_with_the_first_pattern() -> None:
    program = (
        "import sys, ingressd.routing.table, ingressd.policy.pattern as p; assert 're2' not in sys.modules;"
        "p.compile_pattern('/x'); assert 're2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
