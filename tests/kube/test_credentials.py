"""Kubeconfigs and service accounts: what is read, when it is read again, and what people are told when it cannot be."""

import asyncio
import base64
import json
import os
import stat
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingressd.kube.credentials import (
    CredentialError,
    Credentials,
    FreshCredentials,
    Kubeconfig,
    ServiceAccount,
    is_in_cluster,
    own_namespace,
)

Json = dict[str, Any]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def document(user: Json, server: str = "https://one.example:6443/", **more: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "one", "cluster": {"server": server}},
            {"name": "two", "cluster": {"server": "https://two.example", "insecure-skip-tls-verify": True}},
        ],
        "users": [{"name": "me", "user": user}],
        "contexts": [
            {"name": "first", "context": {"cluster": "one", "user": "me"}},
            {"name": "second", "context": {"cluster": "two", "user": "me"}},
        ],
        "current-context": "first",
        **more,
    }


def write(path: Path, user: Json, **more: Any) -> str:
    path.write_text(yaml.safe_dump(document(user, **more)))
    return str(path)


async def test_the_current_context_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "config", {"token": "secret-token"})
    read = await Kubeconfig(path).read()
    assert (read.host, read.authorization, read.verify) == ("https://one.example:6443", "Bearer secret-token", True)
    assert read.good_for_s == 60.0
    assert "secret-token" not in repr(read)


async def test_a_context_by_name(tmp_path: Path) -> None:
    read = await Kubeconfig(write(tmp_path / "config", {"token": "t"}), "second").read()
    assert (read.host, read.verify) == ("https://two.example", False)


async def test_the_context_of_the_first_reading_is_kept(tmp_path: Path) -> None:
    kubeconfig = Kubeconfig(write(tmp_path / "config", {"token": "t"}))
    await kubeconfig.read()
    write(tmp_path / "config", {"token": "newer"}, **{"current-context": "second"})
    read = await kubeconfig.read()
    assert (read.host, read.authorization) == ("https://one.example:6443", "Bearer newer")


async def test_the_usual_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    (tmp_path / ".kube").mkdir()
    write(tmp_path / ".kube/config", {"token": "home"})
    assert (await Kubeconfig().read()).authorization == "Bearer home"
    write(tmp_path / "other", {"token": "environment"})
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join((str(tmp_path / "not-there"), str(tmp_path / "other"))))
    assert (await Kubeconfig().read()).authorization == "Bearer environment"


async def test_a_token_file_is_read_each_time_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    kubeconfig = Kubeconfig(write(tmp_path / "config", {"tokenFile": "token"}))
    assert (await kubeconfig.read()).authorization == "Bearer one"
    (tmp_path / "token").write_text("two\n")
    assert (await kubeconfig.read()).authorization == "Bearer two"


async def test_a_user_without_anything_is_anonymous(tmp_path: Path) -> None:
    assert (await Kubeconfig(write(tmp_path / "config", {})).read()).authorization == ""


async def test_name_and_password(tmp_path: Path) -> None:
    path = write(tmp_path / "config", {"username": "u", "password": "p"})
    assert (await Kubeconfig(path).read()).authorization == "Basic " + base64.b64encode(b"u:p").decode()


def plugin(tmp_path: Path, **status: str) -> Json:
    """A credential program that counts how often it runs."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    program = tmp_path / "plugin"
    program.write_text(
        f"#!{sys.executable}\nimport json\nopen({str(tmp_path / 'runs')!r}, 'a').write('x')\n"
        f"print(json.dumps({json.dumps(answer)}))\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": answer["apiVersion"], "command": str(program), "interactiveMode": "Never"}}


def stamp(seconds_from_now: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds_from_now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_credential_program_runs_again_a_minute_before_its_token_expires(tmp_path: Path) -> None:
    path = write(tmp_path / "config", plugin(tmp_path, token="t", expirationTimestamp=stamp(3600)))
    read = await Kubeconfig(path).read()
    assert read.authorization == "Bearer t"
    assert 3500 < read.good_for_s <= 3540


async def test_a_credential_program_that_names_no_end_runs_once(tmp_path: Path) -> None:
    clock = Clock()
    fresh = FreshCredentials(Kubeconfig(write(tmp_path / "config", plugin(tmp_path, token="t"))), clock=clock)
    first = await fresh.get()
    clock.now += 1e6
    assert await fresh.get() is first
    assert (tmp_path / "runs").read_text() == "x"
    await fresh.renew(first)
    assert (tmp_path / "runs").read_text() == "xx"


BROKEN = {
    "not there": None,
    "empty": "",
    "not YAML": "{[",
    "not a mapping": "- a\n- b\n",
    "no contexts": "apiVersion: v1\nclusters: []\n",
    "no such context": yaml.safe_dump(document({}, **{"current-context": "third"})),
    "no such CA file": yaml.safe_dump(
        document({}) | {"clusters": [{"name": "one", "cluster": {"server": "https://a", "certificate-authority": "x"}}]}
    ),
    "no server": yaml.safe_dump(document({}) | {"clusters": [{"name": "one", "cluster": {}}]}),
    "a server that is no URL": yaml.safe_dump(document({}, server="one.example")),
    "a program that is not there": yaml.safe_dump(
        document({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/no/such/program"}})
    ),
    "null everywhere": yaml.safe_dump(dict.fromkeys(document({}))),
    "binary": "\x00\x01",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
async def test_what_cannot_be_used_is_one_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CredentialError) as refused:
        await FreshCredentials(Kubeconfig(str(path)), clock=Clock()).get()
    text = str(refused.value)
    assert "\n" not in text
    assert len(text) > 20


class Script:
    """A source that does what it is told."""

    def __init__(self, *readings: Credentials | CredentialError) -> None:
        self.readings = list(readings)

    async def read(self) -> Credentials:
        reading = self.readings.pop(0)
        if isinstance(reading, CredentialError):
            raise reading
        return reading


def one(token: str, **more: Any) -> Credentials:
    return Credentials(host="https://a", authorization=token, **more)


async def test_they_are_read_again_when_due_and_not_before() -> None:
    clock = Clock()
    fresh = FreshCredentials(Script(one("a"), one("b")), clock=clock)
    first = await fresh.get()
    clock.now += 59.9
    assert await fresh.get() is first
    clock.now += 0.1
    second = await fresh.get()
    assert second.credentials.authorization == "b"
    assert second.context is first.context, "nothing about TLS has changed"


async def test_a_failed_reading_leaves_the_last_one_in_force() -> None:
    clock = Clock()
    fresh = FreshCredentials(Script(one("a"), CredentialError("half a file"), one("c")), clock=clock)
    first = await fresh.get()
    clock.now += 60.0
    assert await fresh.get() is first
    clock.now += 60.0
    assert (await fresh.get()).credentials.authorization == "c"


class Hangs(Script):
    async def read(self) -> Credentials:
        if not self.readings:
            await asyncio.Event().wait()
        return await super().read()


async def test_a_program_that_hangs_is_not_waited_for() -> None:
    with pytest.raises(CredentialError, match="did not come within"):
        await FreshCredentials(Hangs(), read_timeout_s=0.01, clock=Clock()).get()
    fresh = FreshCredentials(Hangs(one("a")), read_timeout_s=0.01, clock=Clock())
    first = await fresh.get()
    assert await fresh.renew(first) is first


async def test_many_refusals_at_once_are_one_reading() -> None:
    source = Script(one("a"), one("b"))
    fresh = FreshCredentials(source, clock=Clock())
    first = await fresh.get()
    renewed = [await fresh.renew(first) for _ in range(5)]
    assert {access.credentials.authorization for access in renewed} == {"b"}
    assert source.readings == []


async def test_a_ca_that_is_no_certificate_is_refused_and_the_last_one_stays(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("garbage")
    fresh = FreshCredentials(Script(one("a"), one("b", ca_file=str(tmp_path / "ca"))), clock=Clock())
    first = await fresh.get()
    assert await fresh.renew(first) is first
    with pytest.raises(CredentialError, match="certificates for the API server"):
        await FreshCredentials(Script(one("b", ca_file=str(tmp_path / "ca"))), clock=Clock()).get()


async def test_a_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert not is_in_cluster(tmp_path)
    assert own_namespace(tmp_path) is None
    with pytest.raises(CredentialError, match="in-cluster service account"):
        await ServiceAccount(tmp_path).read()
    for name, content in (("token", "t\n"), ("ca.crt", "PEM"), ("namespace", "ingress\n")):
        (tmp_path / name).write_text(content)
    assert is_in_cluster(tmp_path)
    assert own_namespace(tmp_path) == "ingress"
    read = await ServiceAccount(tmp_path).read()
    assert (read.host, read.authorization, read.good_for_s) == ("https://[fd00::1]:443", "Bearer t", 60.0)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert not is_in_cluster(tmp_path)
