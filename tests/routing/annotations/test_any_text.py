"""Whatever an annotation or a key holds: a value or a finding, never an exception."""

from hypothesis import given
from hypothesis import strategies as st

from ingressd.model.objects import ConfigMap
from ingressd.routing.annotations import BUILT_IN, read_annotations, read_config_map
from ingressd.routing.annotations.row import BadValue, Row
from ingressd.routing.annotations.snippets import read_snippet
from ingressd.routing.annotations.table import ANNOTATIONS, CONFIG_KEYS, ROWS
from tests.support.objects import meta

PIECES = [row.example or row.kind.example for row in ROWS]
TEXTS = st.one_of(
    st.text(),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), min_size=1, max_size=4).map("".join),
)
NAMES = st.one_of(st.sampled_from(sorted(ANNOTATIONS)), st.text(max_size=20))


@given(row=st.sampled_from(ROWS), text=TEXTS)
def test_a_parser_refuses_or_gives_a_value(row: Row[object], text: str) -> None:
    stripped = text.strip()
    if not stripped:
        return
    try:
        value = row.kind.parse(stripped)
    except BadValue:
        return
    assert isinstance(value, type(row.default) | type(row.kind.parse(row.kind.example)))


@given(annotations=st.dictionaries(NAMES.map(lambda name: f"ingressd.io/{name}"), TEXTS, max_size=6))
def test_an_ingress_is_always_read(annotations: dict[str, str]) -> None:
    values = read_annotations(meta("shop", annotations=annotations), config=BUILT_IN)
    assert all(one.message and "\n" not in one.message for one in values.findings)


@given(data=st.dictionaries(st.one_of(st.sampled_from(sorted(CONFIG_KEYS)), st.text(max_size=20)), TEXTS, max_size=6))
def test_a_config_map_is_always_read(data: dict[str, str]) -> None:
    config = read_config_map(ConfigMap(meta("config"), data))
    assert all(one.message and "\n" not in one.message for one in config.findings)


@given(text=st.text(alphabet="if ($host = a) {return 403;}\"'\\#\n${~*", max_size=80))
def test_a_snippet_is_always_read(text: str) -> None:
    report = read_snippet(text)
    assert all(len(name) < 80 for name in report.others)
