"""Each row of the registry: its name is there, a good value is read, a bad one has the outcome written down for it."""

import pytest

from ingressd.model.objects import ConfigMap, Meta
from ingressd.routing.annotations import AnnotationValues, Row, read_annotations, read_config_map
from ingressd.routing.annotations.row import RISKS
from ingressd.routing.annotations.table import ANNOTATIONS, CONFIG_KEYS, ROWS
from tests.routing.annotations import names
from tests.routing.annotations.outcomes import ANYTHING, DENY, FREEZE, GUARDS, bad_text

ALL = read_config_map(ConfigMap(Meta(), {"annotations-risk-level": "Critical"}))
ANNOTATION_ROWS = sorted(ANNOTATIONS.values(), key=lambda row: row.name)
REFUSING = [row for row in ANNOTATION_ROWS if row.kind.name not in ANYTHING]
CONFIG_ROWS = sorted(CONFIG_KEYS.items())


def by_name(row: object) -> str:
    return row.name if isinstance(row, Row) else ""


def read(row: Row[object], text: str) -> AnnotationValues:
    """With what else the annotation needs to be complete."""
    annotations = {f"ingressd.io/{row.name}": text}
    if row.name == "auth-type":
        annotations["ingressd.io/auth-secret"] = "users"
    return read_annotations(Meta(namespace="default", name="shop", annotations=annotations), config=ALL)


def example(row: Row[object]) -> str:
    return row.example or row.kind.example


@pytest.mark.parametrize(("tier", "expected"), [("T1", names.T1), ("T2", names.T2), ("T3", names.T3), ("X", names.X)])
def test_every_annotation_has_a_row_of_its_tier(tier: str, expected: list[str]) -> None:
    ours = {row.name for row in ANNOTATIONS.values() if row.tier == tier and not row.is_ours and not row.is_removed}
    assert ours == set(expected)


def test_removed_annotations_and_our_own_have_rows() -> None:
    assert {row.name for row in ANNOTATIONS.values() if row.is_removed} >= set(names.REMOVED)
    assert {row.name for row in ANNOTATIONS.values() if row.is_ours} == set(names.OURS)
    assert {alias: row.name for row in ANNOTATIONS.values() for alias in row.aliases} == names.ALIASES


def test_every_config_map_key_has_a_row() -> None:
    assert sorted(set(names.CONFIG_KEYS) - CONFIG_KEYS.keys()) == []


def test_no_name_and_no_key_twice() -> None:
    annotations = [name for row in ROWS if row.scope != "global" for name in (row.name, *row.aliases)]
    keys = [row.config_key for row in ROWS if row.config_key]
    assert len(annotations) == len(set(annotations))
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("row", ROWS, ids=by_name)
def test_a_row_says_what_people_need(row: Row[object]) -> None:
    assert row.about.endswith(".")
    assert row.example or row.kind.example
    assert row.risk in RISKS
    assert (row.scope == "global") <= (row.config_key == row.name)
    if row.support in ("differs", "harmless", "lost"):
        assert row.difference.endswith("."), "say how, or what to do instead"


@pytest.mark.parametrize("row", ANNOTATION_ROWS, ids=by_name)
def test_a_good_value_is_read(row: Row[object]) -> None:
    values = read(row, example(row))
    assert values.is_set(row)
    assert values.get(row) == row.kind.parse(example(row))
    assert (values.frozen, values.denied) == (False, "")
    assert [one for one in values.findings if one.reason == "BadAnnotation"] == []


@pytest.mark.parametrize("row", REFUSING, ids=by_name)
def test_a_bad_value_has_its_outcome(row: Row[object]) -> None:
    values = read(row, bad_text(row.kind.name))
    assert not values.is_set(row)
    assert values.get(row) == row.default
    assert values.frozen is (row.name in FREEZE)
    assert bool(values.denied) is (row.name in DENY)
    finding = next(one for one in values.findings if one.reason == "BadAnnotation")
    assert finding.field == f"metadata.annotations[ingressd.io/{row.name}]"
    assert finding.level == ("error" if row.name in FREEZE | DENY else "warning")


@pytest.mark.parametrize(("key", "row"), CONFIG_ROWS, ids=lambda one: one if isinstance(one, str) else "")
def test_a_good_config_map_value_is_the_default(key: str, row: Row[object]) -> None:
    config = read_config_map(ConfigMap(Meta(namespace="ingress", name="config"), {key: example(row)}))
    assert config.is_set(row)
    assert read_annotations(Meta(), config=config).get(row) == row.kind.parse(example(row))
    assert (config.denied, [one for one in config.findings if one.reason == "BadConfigMapValue"]) == ("", [])


@pytest.mark.parametrize(
    ("key", "row"),
    [(key, row) for key, row in CONFIG_ROWS if row.kind.name not in ANYTHING],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_bad_config_map_value_leaves_the_default_or_denies(key: str, row: Row[object]) -> None:
    config = read_config_map(ConfigMap(Meta(namespace="ingress", name="config"), {key: bad_text(row.kind.name)}))
    assert config.get(row) == ("Low" if key == "annotations-risk-level" else row.default)
    assert bool(config.denied) is (key in GUARDS)
    finding = next(one for one in config.findings if one.reason == "BadConfigMapValue")
    assert (finding.kind, finding.level, finding.field) == ("ConfigMap", "error", f"data.{key}")
