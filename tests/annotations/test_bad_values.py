"""A bad value of each kind: the documented one of three outcomes for its own Ingress, and nothing for any other.

A host for each annotation, all on one daemon: what is bad stands beside what is good, and beside all else that is bad.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from ingressd.routing.annotations.table import CONFIG_KEYS
from tests.annotations import manifests
from tests.annotations.bad import BAD, BAD_KEYS, outcome
from tests.annotations.case import Ask, Case, Other, Path, Want
from tests.annotations.desk import Desk
from tests.support.eventually import eventually

# Without an earlier version, what may have protected something is closed, and what has not is not there.
_CLOSED = frozenset(
    ("auth-type", "auth-url", "auth-tls-secret", "auth-tls-match-cn", "limit-rps", "limit-rpm", "limit-connections")
)
_GOOD, _BESIDE = Path(path="/own"), Path(path="/beside", service="other")
_PREFIX = manifests.PREFIX


def _whole(name: str) -> str:
    ours = name in (
        *("regex-scope", "respond", "deny-user-agents"),
        *("request-headers-set", "request-headers-remove", "response-headers-set", "response-headers-remove"),
    )
    return f"ingressd.io/{name}" if ours else f"{_PREFIX}/{name}"


def _case(name: str, text: str) -> Case:
    return Case(
        title=name,
        annotations={_whole(name): text},
        paths=(_GOOD,),
        others=(Other(paths=(_BESIDE,)),),
        steps=(),
        is_served=False,
    )


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    cases = [_case(name, text) for name, text in BAD.items()]
    with Desk("bad", cases) as desk:
        eventually(lambda: desk.daemon.api("findings"))
        yield desk


def findings_of(desk: Desk, name: str) -> list[dict[str, Any]]:
    field = f"metadata.annotations[{_whole(name)}]"
    own = desk.name(desk.cases[name])
    return [one for one in desk.daemon.api("findings") if one.get("name") == own and one.get("field") == field]


@pytest.mark.parametrize("name", BAD)
def test_what_a_bad_value_does(desk: Desk, name: str) -> None:
    case = desk.cases[name]
    host = desk.host(case)
    status = {"default": 200, "deny": 503, "freeze": 503 if name in _CLOSED else 404}[outcome(name)]

    assert desk.ask(Ask(path="/own"), host).status == status
    assert desk.ask(Ask(path="/beside"), host).status == 200
    [finding] = findings_of(desk, name)
    assert (finding["reason"], finding["level"]) == (
        "BadAnnotation",
        "warning" if outcome(name) == "default" else "error",
    )


@pytest.mark.parametrize("name", [name for name in BAD if outcome(name) == "freeze"])
def test_an_earlier_version_stays(desk: Desk, name: str) -> None:
    """The Ingress is good at first, then gets a bad value and another Service: it goes on as it was."""
    case = desk.cases[name]
    good = Case(title=name, annotations={}, paths=(_GOOD,), steps=())
    host = f"earlier-{name}.example"
    [made] = manifests.ingresses(good, f"earlier-{name}", host, desk.fill)
    desk.write(made)
    eventually(lambda: desk.ask(Ask(path="/own"), host).status == 200)

    [changed] = manifests.ingresses(
        Case(title=name, annotations=case.annotations, paths=(Path(path="/own", service="other"),), steps=()),
        f"earlier-{name}",
        host,
        desk.fill,
    )
    desk.write(changed)
    eventually(lambda: any(one.get("name") == f"earlier-{name}" for one in desk.daemon.api("findings")))
    desk.settled()

    assert b'"echo"' in desk.ask(Ask(path="/own"), host).body


@pytest.fixture(scope="module")
def bad_keys() -> Iterator[Desk]:
    """Everything that does not guard, at once: nothing may come of it but findings."""
    config = {key: text for key, text in BAD_KEYS.items() if not CONFIG_KEYS[key].guards}
    plain = Case(title="plain", steps=((Ask(path="/x"), Want(seen="echo", target="/x")),), config=config)
    with Desk("keys", [plain]) as desk:
        yield desk


def test_bad_keys_leave_what_is_served_alone(bad_keys: Desk) -> None:
    bad_keys.run(bad_keys.cases["plain"])


@pytest.mark.parametrize("key", [key for key in BAD_KEYS if not CONFIG_KEYS[key].guards])
def test_a_bad_key_is_found(bad_keys: Desk, key: str) -> None:
    found = [one["reason"] for one in bad_keys.daemon.api("findings") if one.get("field") == f"data.{key}"]

    assert found == ["BadConfigMapValue"]


@pytest.mark.parametrize("key", [key for key in BAD_KEYS if CONFIG_KEYS[key].guards])
def test_what_guards_closes_when_it_never_was_good(key: str) -> None:
    plain = Case(title=key, steps=((Ask(), Want(status=503, seen=None)),), config={key: BAD_KEYS[key]})
    with Desk("guard", [plain], "--workers=1") as desk:
        desk.run(plain)
