"""Large texts: what did not change is not read again, and nobody can tell the difference."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.kube import document_texts
from ingressd.kube.manifest_file import Contents, parse_manifest
from ingressd.kube.parsed import ParsedDocument
from ingressd.kube.yaml_documents import parse_yaml


@pytest.fixture(autouse=True)
def remember_small_texts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_texts, "MIN_BYTES_TO_REMEMBER", 0)


def service(number: int, ip: str = "10.0.0.1") -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}}}\nspec: {{clusterIP: {ip}}}\n"


MANY = "---\n".join(service(number) for number in range(20))


def said(contents: Contents) -> tuple[object, object]:
    return contents.objects, contents.findings


def test_only_the_changed_document_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = parse_manifest(MANY.encode(), "a.yaml")
    parsed: list[bytes] = []

    def counted(data: bytes) -> Iterator[ParsedDocument]:
        parsed.append(data)
        return parse_yaml(data)

    monkeypatch.setattr(document_texts, "parse_yaml", counted)
    changed = MANY.replace(service(7), service(7, "10.0.0.2")).encode()
    after = parse_manifest(changed, "a.yaml", before)
    assert parsed == [b"---\n" + service(7, "10.0.0.2").encode()]
    assert said(after) == said(parse_manifest(changed, "a.yaml"))
    same = [reference for reference, obj in after.objects.items() if before.objects[reference] is obj]
    assert len(same) == 19


def test_places_are_counted_in_the_whole_text() -> None:
    before = parse_manifest(MANY.encode(), "a.yaml")
    for wrong in ("kind: [Service\n", "kind: Service\nkind: Service\n"):
        changed = MANY.replace(service(7), wrong).encode()
        assert parse_manifest(changed, "a.yaml", before).findings == parse_manifest(changed, "a.yaml").findings


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n\n---\n" + MANY,
        "%YAML 1.1\n---\n" + MANY,
        MANY + "...\n---\n" + service(99),
        MANY + "---\n---\n---\n",
        MANY.replace("\n", "\r\n"),
        "\ufeff" + MANY,
        MANY.replace("---\n", "--- # next\n"),
        MANY + "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\ndata:\n  a: |\n    x\n   ---\n    y\n",
        MANY + "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\ndata:\n  a: 'x\n\n--- y'\n",
        MANY + "---x: y\n",
    ],
)
def test_strange_texts_are_read_as_without_memory(text: str) -> None:
    data = text.encode()
    whole = parse_manifest(data, "a.yaml")
    remembered = parse_manifest(data, "a.yaml", parse_manifest(MANY.encode(), "a.yaml"))
    if [finding.reason for finding in whole.findings] == ["BadYaml"]:
        # Cut elsewhere, the same mistake has another name; then everything stays as it was, and that was something.
        assert [(one.reason, one.source) for one in remembered.findings] == [("BadYaml", "a.yaml")]
        assert len(remembered.objects) == 20
    else:
        assert said(remembered) == said(whole)


PIECES = st.lists(
    st.sampled_from(
        [
            service(1),
            service(1, "[3]"),
            service(2),
            "# only a comment\n",
            "",
            "kind: Pod\napiVersion: v1\n",
            "a: 1\na: 2\n",
            "a: &x 1\nb: *x\n",
            "a: *x\n",
            "text: |\n  ---\n",
            " ---\n",
        ]
    ),
    max_size=6,
)
SEPARATORS = st.sampled_from(["---\n", "--- \n", "--- # x\n", "\n---\n\n"])


@given(PIECES, PIECES, SEPARATORS)
def test_an_edit_is_read_as_a_new_file(old: list[str], new: list[str], separator: str) -> None:
    """Memory may keep last good versions of what cannot be read, and changes nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_texts, "MIN_BYTES_TO_REMEMBER", 0)
        filler = [service(number) for number in range(100, 130)]
        before = parse_manifest(separator.join([*filler, *old]).encode(), "a.yaml")
        text = separator.join([*filler, *new]).encode()
        without_pieces = Contents(before.objects, before.findings)
        assert said(parse_manifest(text, "a.yaml", before)) == said(parse_manifest(text, "a.yaml", without_pieces))
