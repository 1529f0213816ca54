"""The access log as annotations and the ConfigMap want it: who is in it, and in which form."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.annotations.case import Ask, Case, Want
from tests.annotations.desk import Desk
from tests.support.eventually import eventually

SHOWN = ("enable-access-log", "disable-access-log", "log-format-upstream", "log-format-escape-json")
"""Rows that are shown here and not in the tables."""

_STEP = ((Ask(path="/x"), Want(seen="echo")),)
_FORMAT = {"log-format-upstream": '$remote_addr "$request" $status [$proxy_upstream_name] $http_user_agent'}
_OBJECT = {"log-format-upstream": '{"agent": "$http_user_agent"}', "log-format-escape-json": "true"}

LOUD = Case(title="loud", steps=_STEP)
QUIET = Case(title="quiet", annotations={"enable-access-log": "false"}, steps=_STEP)
FORMATTED = Case(title="formatted", steps=_STEP, config=_FORMAT)
ESCAPED = Case(title="escaped", steps=_STEP, config=_OBJECT)
NAMELESS = Case(
    title="nameless",
    steps=_STEP,
    config={
        "log-format-upstream": "$http_user_agent [$req_id]",
        "generate-request-id": "false",
    },
)
UNNAMED = Case(title="unnamed", steps=_STEP, config={"generate-request-id": "false"})
SELECTIVE = Case(title="selective", steps=_STEP, config={"enable-access-log-for-default-backend": "false"})
OFF = Case(title="off", steps=_STEP, config={"disable-access-log": "true"})
AGAIN = Case(title="again", steps=_STEP, config={"disable-access-log": "false"})
_CASES = [LOUD, QUIET, FORMATTED, ESCAPED, NAMELESS, UNNAMED, SELECTIVE, OFF, AGAIN]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs") / "access.log"


@pytest.fixture(scope="module")
def desk(log: Path) -> Iterator[Desk]:
    """One worker: its lines come in the order of its requests."""
    with Desk("logs", _CASES, "--workers=1", f"--access-log={log}") as desk:
        yield desk


def line_of(desk: Desk, log: Path, case: Case, agent: str) -> str:
    """The line of a request, found by the first word of its user agent."""
    desk.show(case)
    desk.ask(Ask(path="/x", headers={"User-Agent": agent}), desk.host(case))
    mark = agent.partition(" ")[0]
    return eventually(lambda: next((line for line in log.read_text().splitlines() if mark in line), ""))


def test_a_route_that_is_not_logged(desk: Desk, log: Path) -> None:
    desk.run(QUIET)
    line = line_of(desk, log, LOUD, "agent-one")

    assert json.loads(line)["status"] == 200
    assert desk.host(QUIET) not in log.read_text()


def test_ingress_nginxs_format(desk: Desk, log: Path) -> None:
    line = line_of(desk, log, FORMATTED, "agent-two")

    assert line == '127.0.0.1 "GET /x HTTP/1.1" 200 [default-echo-8080] agent-two'


def test_escaped_for_json(desk: Desk, log: Path) -> None:
    line = line_of(desk, log, ESCAPED, "agent-three \\ four")

    assert json.loads(line) == {"agent": "agent-three \\ four"}


def test_no_request_id(desk: Desk, log: Path) -> None:
    assert line_of(desk, log, NAMELESS, "agent-six") == "agent-six []"
    assert json.loads(line_of(desk, log, UNNAMED, "agent-seven"))["request_id"] == ""


def test_strangers_are_logged_unless_nobody_wants_that(desk: Desk, log: Path) -> None:
    desk.show(LOUD)
    desk.ask(Ask(path="/stranger-one"), "nobody.example")
    desk.show(SELECTIVE)
    desk.ask(Ask(path="/stranger-two"), "nobody.example")
    line_of(desk, log, SELECTIVE, "agent-eight")

    assert "/stranger-one" in log.read_text()
    assert "/stranger-two" not in log.read_text()


def test_no_log_at_all(desk: Desk, log: Path) -> None:
    desk.run(OFF)
    before = log.read_text()
    line_of(desk, log, AGAIN, "agent-five")

    assert log.read_text().count("\n") == before.count("\n") + 1
