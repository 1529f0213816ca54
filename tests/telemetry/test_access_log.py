"""Lines: what stands in them, that they are JSON whatever was received, and where they go."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingressd.telemetry import access_log
from ingressd.telemetry.access_log import MAX_LINE_BYTES, MAX_TARGET_BYTES, AccessLog
from ingressd.telemetry.log_format import LogChoice, LogFormat
from ingressd.telemetry.log_variables import LogFacts

EXCHANGE: dict[str, Any] = {
    "client": "203.0.113.7:40312",
    "request_id": "4f7d1f0a5d0f4f0e9f3c2b1a00112233",
    "method": b"GET",
    "host": b"shop.example.com",
    "target": b"/offers/12?page=2",
    "version": "1.1",
    "status": 200,
    "bytes_in": 0,
    "bytes_out": 1234,
    "duration_s": 0.0125,
    "upstream": "10.0.0.5:8080",
    "upstream_s": 0.0115,
    "attempts": 1,
    "namespace": "shop",
    "ingress": "web",
    "service": "offers",
    "route": "/offers",
    "tls": "TLSv1.3",
    "user_agent": b"curl/8.5",
    "referer": b"",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def log(path: Path) -> Iterator[AccessLog]:
    log = AccessLog.open(str(path))
    yield log
    log.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def record(log: AccessLog, **fields: Any) -> None:
    log.record(**{**EXCHANGE, **fields})


def test_a_line_holds_what_is_known_of_the_exchange(
    log: AccessLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "time", lambda: 1_700_000_000.0426)
    record(log)
    assert log.close()
    as_text = {name: value.decode() if isinstance(value, bytes) else value for name, value in EXCHANGE.items()}
    assert lines(path) == [{"time": "2023-11-14T22:13:20.042Z", **as_text}]
    assert path.read_bytes().startswith(b'{"time":"2023-11-14T22:13:20.042Z","client":"203.0.113.7:40312",')


def test_without_upstream_and_tls(log: AccessLog, path: Path) -> None:
    record(log, upstream=None, upstream_s=None, tls=None, attempts=0)
    log.close()
    (line,) = lines(path)
    assert (line["upstream"], line["upstream_s"], line["tls"], line["attempts"]) == (None, None, None, 0)


def test_durations_are_in_microseconds_and_short(log: AccessLog, path: Path) -> None:
    record(log, duration_s=0.1 + 0.2, upstream_s=1 / 3)
    log.close()
    assert b'"duration_s":0.3,' in path.read_bytes()
    assert b'"upstream_s":0.333333,' in path.read_bytes()


def test_a_target_that_is_text_already_is_taken_as_it_is(log: AccessLog, path: Path) -> None:
    record(log, target="/käse")
    record(log, target="/k\xe4se".encode("latin-1"))
    log.close()
    assert [line["target"] for line in lines(path)] == ["/käse", "/käse"]


def test_the_time_follows_the_clock(log: AccessLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for now in (1_700_000_000.001, 1_700_000_000.0019, 1_700_000_000.002, 1_700_000_001.002, 1_699_999_999.999):
        monkeypatch.setattr(access_log, "time", lambda now=now: now)
        record(log)
    log.close()
    assert [line["time"][17:] for line in lines(path)] == ["20.001Z", "20.001Z", "20.002Z", "21.002Z", "19.999Z"]


def test_the_time_is_rfc_3339(log: AccessLog, path: Path) -> None:
    record(log)
    log.close()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines(path)[0]["time"])


HOSTILE = [
    b'/"><script>',
    b'/","status":200,"x":"',
    b"/\\",
    b"/a\nb\r\n",
    b"/\x00\x1b[31m\x7f",
    b"/\xff\xfe",
    "/käse/☃".encode(),
    b"/\xe2\x80\xa8",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_a_hostile_target_stays_one_value_of_one_line(log: AccessLog, path: Path, target: bytes) -> None:
    record(log, target=target)
    log.close()
    (line,) = lines(path)
    assert line["target"].encode("latin-1") == target
    assert line["status"] == 200


_BYTES = st.one_of(st.binary(max_size=80), st.binary(min_size=3000, max_size=5000))
_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@given(
    method=_BYTES,
    host=_BYTES,
    target=_BYTES,
    user_agent=_BYTES,
    referer=_BYTES,
    request_id=_TEXT,
    route=_TEXT,
    namespace=_TEXT,
    duration_s=st.floats(0, 1e6),
    upstream_s=st.one_of(st.none(), st.floats(0, 1e6)),
    bytes_out=st.integers(0, 2**63 - 1),
)
def test_whatever_was_received_the_line_is_whole_json(**fields: Any) -> None:
    read_end, write_end = os.pipe()
    try:
        log = AccessLog(write_end)
        record(log, **fields)
        assert log.close()
        os.close(write_end)
        written = b"".join(iter(lambda: os.read(read_end, 65536), b""))
    finally:
        os.close(read_end)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert len(written) <= MAX_LINE_BYTES
    line = json.loads(written)
    for name in ("method", "host", "target", "user_agent", "referer"):
        received, logged = fields[name].decode("latin-1"), line[name]
        assert logged == received or (line["truncated"] and received.startswith(logged))
    assert line["status"] == 200


def test_a_long_target_is_cut_and_says_so(log: AccessLog, path: Path) -> None:
    record(log, target=b"/" + b"a" * (MAX_TARGET_BYTES - 1))
    record(log, target=b"/" + b"a" * MAX_TARGET_BYTES)
    log.close()
    whole, cut = lines(path)
    assert "truncated" not in whole
    assert (len(whole["target"]), len(cut["target"]), cut["truncated"]) == (MAX_TARGET_BYTES, MAX_TARGET_BYTES, True)


def test_no_line_is_longer_than_a_pipe_keeps_whole(log: AccessLog, path: Path) -> None:
    everything = dict.fromkeys(("method", "host", "target", "user_agent", "referer"), b"\x01" * 9000)
    record(log, **everything, request_id="\x01" * 9000, route="/" + "r" * 9000)
    log.close()
    (line,) = path.read_bytes().splitlines(keepends=True)
    assert len(line) <= MAX_LINE_BYTES
    assert json.loads(line)["truncated"] is True
    assert json.loads(line)["client"] == EXCHANGE["client"]


def test_nothing_is_written_before_a_flush_and_everything_after(path: Path) -> None:
    log = AccessLog.open(str(path))
    record(log)
    assert path.read_bytes() == b""
    log.flush()
    log.flush()
    record(log)
    assert log.close()
    assert len(lines(path)) == 2


def test_a_full_buffer_is_handed_over_by_itself() -> None:
    read_end, write_end = os.pipe()
    try:
        log = AccessLog(write_end)
        for _ in range(200):
            record(log)
        assert os.read(read_end, 1 << 16).count(b"\n") > 50
        log.close()
    finally:
        os.close(read_end)
        os.close(write_end)


def test_off_writes_nothing_and_drops_nothing() -> None:
    log = AccessLog.open("off")
    record(log)
    log.flush()
    log.reopen()
    assert log.close()
    assert not log.is_on
    assert log.dropped == 0


def test_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = AccessLog.open("-")
    record(log)
    log.close()
    assert json.loads(capfdbinary.readouterr().out)["host"] == "shop.example.com"


def test_after_close_nothing_is_written(log: AccessLog, path: Path) -> None:
    log.close()
    record(log)
    log.flush()
    assert path.read_bytes() == b""


def test_closing_twice_and_using_it_after_touches_no_descriptor_of_others() -> None:
    read_end, write_end = os.pipe()
    log = AccessLog(write_end)
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):  # fill the pipe: closing has to give up
        while True:
            os.write(write_end, b"\n" * 4096)
    for _ in range(3):
        record(log)
    assert not log.close(timeout_s=0)
    assert log.dropped == 3
    os.close(write_end)
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]  # take the numbers that became free
    assert log.close()
    log.flush()
    log.reopen()
    for fd in (*others, read_end):
        os.close(fd)  # raises if it was closed for us


def test_two_logs_of_one_file_follow_each_other(path: Path) -> None:
    logs = [AccessLog.open(str(path)) for _ in range(2)]
    for number in range(2000):
        record(logs[number % 2], attempts=number)
    assert all(log.close() for log in logs)
    assert sorted(line["attempts"] for line in lines(path)) == list(range(2000))


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        AccessLog.open(str(tmp_path / "missing" / "access.log"))


def test_the_file_is_not_for_everybody(log: AccessLog, path: Path) -> None:
    assert path.stat().st_mode & 0o007 == 0


def test_rotation_loses_no_line(log: AccessLog, path: Path) -> None:
    record(log, attempts=1)
    rotated = path.rename(path.with_suffix(".1"))
    record(log, attempts=2)
    log.reopen()
    record(log, attempts=3)
    log.close()
    assert [line["attempts"] for line in lines(rotated)] == [1, 2]
    assert [line["attempts"] for line in lines(path)] == [3]


def test_when_reopening_fails_the_old_file_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = AccessLog.open(str(folder / "access.log"))
    moved = folder.rename(tmp_path / "moved")
    log.reopen()
    record(log)
    assert log.close()
    assert len(lines(moved / "access.log")) == 1


def test_the_log_goes_silent_and_speaks_again(log: AccessLog, path: Path) -> None:
    record(log, request_id="1")
    log.use(None, None, is_off=True)
    record(log, request_id="2")
    log.use(None, None, is_off=True)
    log.flush()
    log.use(None, None, is_off=False)
    record(log, request_id="3")
    log.close()
    assert [line["request_id"] for line in lines(path)] == ["1", "3"]


def test_a_log_that_was_never_on_is_not_turned_on() -> None:
    log = AccessLog(None)
    log.use(None, None, is_off=True)
    log.use(None, None, is_off=False)
    assert not log.is_on


def test_a_silent_log_is_closed_like_any_other(log: AccessLog, path: Path) -> None:
    record(log)
    log.use(None, None, is_off=True)
    assert log.close()
    log.use(None, None, is_off=False)
    assert not log.is_on
    assert len(lines(path)) == 1


def test_some_targets_are_left_out(log: AccessLog, path: Path) -> None:
    log.use(None, LogChoice(("/healthz", "~^/x")), is_off=False)
    record(log, target="/healthz")
    record(log, target=b"/HEALTHZ")
    record(log, target="/healthz?deep")
    log.close()
    assert [line["target"] for line in lines(path)] == ["/healthz?deep"]


def test_lines_of_another_format(log: AccessLog, path: Path) -> None:
    facts = LogFacts(time=0.0, client="10.0.0.1", method=b"GET", target="/a", minor=1, status=204)
    log.record_facts(facts)
    log.use(LogFormat("$status $request"), LogChoice(("/b",)), is_off=False)
    log.record_facts(facts)
    facts.target = "/b"
    log.record_facts(facts)
    log.use(None, None, is_off=False)
    record(log)
    log.close()
    first, second = path.read_bytes().splitlines()
    assert first == b"204 GET /a HTTP/1.1"
    assert json.loads(second)["status"] == 200


def test_a_full_buffer_of_another_format_is_handed_over(log: AccessLog, path: Path) -> None:
    log.use(LogFormat("$status " + "x" * 2000), None, is_off=False)
    facts = LogFacts(time=0.0, client="10.0.0.1", method=b"GET", target="/a", minor=1, status=204)
    for _ in range(200):
        log.record_facts(facts)
    assert len(log._buffer) < 200 * 2000
    log.close()
    assert len(path.read_bytes().splitlines()) == 200
