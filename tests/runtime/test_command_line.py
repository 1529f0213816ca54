"""Exit codes and what is said with them: one line that names what to change."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingressd import cli, flags
from ingressd.errors import UsageError
from ingressd.settings import Settings
from tests.runtime.conftest import Shop
from tests.support.daemon import CHECKOUT, clean_environment


@pytest.fixture(autouse=True)
def _outside_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def settings(*flags: str) -> Settings:
    """What a command line means, with the environment; manifests are in the current directory."""
    return parsed("--manifests=.", *flags)


def parsed(*arguments: str) -> Settings:
    parser = flags.build_parser("run")
    return cli.settings_from(parser.parse_args(flags.with_environment(parser, list(arguments), os.environ)))


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line about a command line that is refused with exit code 2."""
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert said.out == ""
    return line


def test_no_source_names_all_three(capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys)

    for source in ("--manifests PATH", "--kubeconfig [FILE]", "inside a pod"):
        assert source in line


@pytest.mark.parametrize("command", [[], ["run"], ["routes"]])
def test_a_missing_path(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert "--manifests /no/such/place: " in complaint(capsys, *command, "--manifests", "/no/such/place")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--manifests=.", "--kubeconfig=x"], ["--manifests", "--kubeconfig", "one source"]),
        (["--manifests=.", "--kubeconfig"], ["--manifests", "--kubeconfig", "one source"]),
        (["--kubeconfig=/no/such/file"], ["--kubeconfig /no/such/file"]),
        (["--manifests=.", "--http-port=8080", "--https-port=8080"], ["--http-port", "--https-port"]),
        (
            ["--manifests=.", "--watch-namespace=a", "--watch-namespace-selector=b"],
            ["--watch-namespace and", "--watch-namespace-selector"],
        ),
        (["--manifests=.", "--watch-namespace-selector=b"], ["--watch-namespace-selector", "cluster"]),
        (["check"], ["PATHs", "--kubeconfig"]),
        (["check", "/no/such/place"], ["ingressd: /no/such/place: "]),
    ],
)
def test_what_does_not_go_together(capsys: pytest.CaptureFixture[str], arguments: list[str], named: list[str]) -> None:
    line = complaint(capsys, *arguments)

    assert [part for part in named if part not in line] == []


@pytest.mark.parametrize(
    "flag",
    [
        "--http-port=x",
        "--http-port=65536",
        "--https-port=-1",
        "--healthz-port=",
        "--workers=0",
        "--workers=many",
        "--default-backend-service=web",
        "--default-ssl-certificate=a/b/c",
        "--publish-service=/web",
        "--update-status=maybe",
        "--watch-ingress-without-class=2",
        "--shutdown-grace-period=-1",
        "--drain-timeout=long",
        "--log-level=loud",
        "--log-format=xml",
        "--http-port",
        # Flags of features that come later, abbreviations, and what never was.
        "--enable-ssl-passthrough=2",
        "--configmap=a",
        "--metrics-names=prometheus",
        "--work=2",
        "--no-such-flag",
        "--election-id=",
    ],
)
def test_a_bad_flag_is_named(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert flag.partition("=")[0] in refused(capsys, "--manifests=.", flag)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line about what cannot be read."""
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)

    assert exit_.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_a_slip_is_told_with_what_may_have_been_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "--http-prot=80") == (
        "ingressd: there is no flag --http-prot (did you mean --http-port?); see `ingressd --help`"
    )
    assert "'chekc' is neither a command (run, demo, routes, check)" in refused(capsys, "chekc", ".")


def test_a_bad_variable_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGRESSD_WORKERS", "two")
    assert "--workers: 'two' is not" in (line := refused(capsys, "--manifests=."))
    assert "(from INGRESSD_WORKERS)" in line


def test_the_defaults() -> None:
    made = settings()

    assert (made.http_port, made.https_port, made.admin_port) == (80, 443, 10254)
    assert (made.bind_address, made.admin_address) == ("", "")
    assert (made.shutdown_grace_s, made.drain_timeout_s, made.access_log) == (0.0, 30.0, "-")
    assert not made.drain_timeout_was_given
    assert (made.routing.ingress_class, made.routing.controller_class) == ("ingressd", "ingressd.io/ingress-controller")
    assert made.routing.allow_loopback_endpoints is True
    assert (made.status.update_status, made.status.election_id) == (True, "ingressd-leader")
    assert made.workers >= 1


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("--watch-ingress-without-class", True),
        ("--watch-ingress-without-class=true", True),
        ("--watch-ingress-without-class=T", True),
        ("--watch-ingress-without-class=1", True),
        ("--watch-ingress-without-class=false", False),
        ("--watch-ingress-without-class=F", False),
        ("--watch-ingress-without-class=0", False),
    ],
)
def test_booleans_as_go_programs_take_them(given: str, meant: bool) -> None:
    assert settings(given).routing.watch_ingress_without_class is meant


def test_what_is_on_by_default_can_be_switched_off() -> None:
    made = settings("--update-status=false", "--allow-loopback-endpoints=false", "--disable-svc-external-name=false")

    assert made.status.update_status is False
    assert made.routing.allow_loopback_endpoints is False
    assert made.routing.follow_external_names is True


def test_admin_port_is_another_name() -> None:
    assert settings("--admin-port=1234").admin_port == 1234


def test_lists_and_keys() -> None:
    made = settings("--publish-status-address=192.0.2.1, 2001:db8::1,", "--publish-service=ingress/web")

    assert made.status.publish_addresses == ("192.0.2.1", "2001:db8::1")
    assert made.status.publish_service == ("ingress", "web")


def test_every_flag_is_an_environment_variable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "INGRESSD_HTTP_PORT": "8080",
        "INGRESSD_ADMIN_PORT": "9000",
        "INGRESSD_UPDATE_STATUS": "false",
        "INGRESSD_WATCH_INGRESS_WITHOUT_CLASS": "true",
        "INGRESSD_INGRESS_CLASS": "ours",
    }.items():
        monkeypatch.setenv(name, value)

    made = settings()

    assert (made.http_port, made.admin_port, made.status.update_status) == (8080, 9000, False)
    assert (made.routing.watch_ingress_without_class, made.routing.ingress_class) == (True, "ours")


def test_the_command_line_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGRESSD_HTTP_PORT", "8080")
    monkeypatch.setenv("INGRESSD_HEALTHZ_PORT", "1")
    monkeypatch.setenv("INGRESSD_MANIFESTS", "/no/such/place")  # replaced, not added to

    made = settings("--http-port=9090", "--admin-port=2")

    assert (made.http_port, made.admin_port) == (9090, 2)


def test_a_bad_variable_is_as_bad_as_a_bad_flag(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INGRESSD_WORKERS", "none")

    with pytest.raises(SystemExit) as exit_:
        cli.main(["--manifests=."])

    assert exit_.value.code == 2
    assert "--workers" in capsys.readouterr().err


def test_several_manifests_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INGRESSD_MANIFESTS", f"{tmp_path}:.")

    assert parsed().source.manifests == (tmp_path, Path())


def test_a_kubeconfig_without_a_file_is_left_to_the_usual_rules() -> None:
    made = parsed("--kubeconfig", "--context", "dev")

    assert (made.source.kind, made.source.kubeconfig, made.source.context) == ("kubeconfig", "", "dev")
    assert made.routing.allow_loopback_endpoints is False


def test_inside_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")

    assert parsed().source.kind == "in-cluster"


def test_usage_errors_are_told_apart() -> None:
    with pytest.raises(UsageError):
        settings("--http-port=81", "--https-port=81")


# From here on in a process of its own: what only a real start finds out.


def started(*arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a start that fails; nothing is said on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "ingressd", "--log-format=json", *arguments],
        cwd=CHECKOUT, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


_ANY = {"--http-port": "0", "--https-port": "0", "--healthz-port": "0", "--bind-address": "127.0.0.1"}
_ANY_FLAGS = [f"{flag}={value}" for flag, value in (_ANY | {"--admin-address": "127.0.0.1", "--workers": "2"}).items()]


@pytest.mark.parametrize("flag", ["--http-port", "--https-port", "--healthz-port"])
def test_a_taken_port_is_one_line_that_names_the_flag(shop: Shop, taken: int, flag: str) -> None:
    code, said = started(*shop.flags, *_ANY_FLAGS, f"{flag}={taken}")

    [line] = said.splitlines()
    assert code == 1
    assert line.startswith("ingressd: cannot listen on 127.0.0.1")
    assert flag in line
    assert str(taken) in line


@pytest.mark.parametrize("flag", ["--http-port", "--https-port"])
def test_a_port_that_another_ingressd_has_is_taken_too(shop: Shop, flag: str) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, said = started(*shop.flags, *_ANY_FLAGS, f"{flag}={other.getsockname()[1]}")

    [line] = said.splitlines()
    assert (code, flag in line) == (1, True)


def test_an_address_that_is_not_ours(shop: Shop) -> None:
    code, said = started(*shop.flags, *_ANY_FLAGS, "--bind-address=192.0.2.1")

    [line] = said.splitlines()
    assert (code, "192.0.2.1" in line, "--bind-address" in line) == (1, True, True)


def test_an_access_log_that_cannot_be_opened(shop: Shop) -> None:
    code, said = started(*shop.flags, *_ANY_FLAGS, "--access-log=/no/such/place/log")

    [line] = said.splitlines()
    assert (code, "--access-log /no/such/place/log" in line) == (1, True)


@pytest.mark.parametrize(
    "content",
    ["apiVersion: v1\nkind: Config\nclusters: [", "", "[]", "apiVersion: v1\nkind: Config\n", "\0\0"],
    ids=["unfinished", "empty", "a list", "without clusters", "no text"],
)
def test_an_unusable_kubeconfig_is_one_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)

    code, said = started("--kubeconfig", str(file), *_ANY_FLAGS)

    [line] = said.splitlines()
    assert (code, line.startswith("ingressd: "), str(file) in line) == (1, True, True)


def test_a_context_that_does_not_exist(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: []\nclusters: []\nusers: []\n")

    code, said = started("--kubeconfig", str(file), "--context=other", *_ANY_FLAGS)

    [line] = said.splitlines()
    assert (code, "other" in line) == (1, True)
