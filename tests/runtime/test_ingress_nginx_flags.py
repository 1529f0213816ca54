"""A Deployment of ingress-nginx goes on with our image: its arguments are understood as they are."""

import pytest

from ingressd import cli, flags, ingress_nginx
from ingressd.settings import Settings
from tests.runtime.conftest import HOST, Shop
from tests.support import sites
from tests.support.daemon import Daemon

CHART = (
    "/nginx-ingress-controller",
    "--publish-service=ingress/ingress-nginx-controller",
    "--election-id=ingress-nginx-leader",
    "--controller-class=k8s.io/ingress-nginx",
    "--ingress-class=nginx",
    "--configmap=ingress/ingress-nginx-controller",
    "--validating-webhook=:8443",
    "--validating-webhook-certificate=/usr/local/certificates/cert",
    "--validating-webhook-key=/usr/local/certificates/key",
    "--enable-metrics=false",
    "--v=2",
)
"""What the Helm chart writes when nobody sets a value."""


def understood(*arguments: str) -> Settings:
    parser = flags.build_parser("run")
    left, remarks = cli._without_ingress_nginx(parser, "run", list(arguments))
    return cli.settings_from(parser.parse_args([*left, "--manifests=."]), remarks)


def test_the_arguments_of_the_chart() -> None:
    settings = understood(*CHART)

    assert settings.routing.ingress_class == "nginx"
    assert settings.routing.controller_class == "k8s.io/ingress-nginx"
    assert settings.routing.configmap == ("ingress", "ingress-nginx-controller")
    assert settings.status.publish_service == ("ingress", "ingress-nginx-controller")
    assert settings.status.election_id == "ingress-nginx-leader"
    [remark] = settings.remarks
    assert remark.startswith("--validating-webhook has no effect: ")


def test_its_name_alone_brings_its_defaults() -> None:
    settings = understood("/nginx-ingress-controller")

    assert (settings.routing.ingress_class, settings.routing.controller_class) == ("nginx", "k8s.io/ingress-nginx")
    assert (settings.status.election_id, settings.metrics_names) == ("ingress-nginx-leader", "both")
    assert settings.remarks == ()


def test_a_flag_wins_over_its_defaults() -> None:
    settings = understood("/nginx-ingress-controller", "--ingress-class=internal", "--metrics-names=ingressd")

    assert (settings.routing.ingress_class, settings.metrics_names) == ("internal", "ingressd")


def test_without_its_name_the_defaults_are_ours() -> None:
    assert understood("--enable-metrics").routing.ingress_class == "ingressd"


@pytest.mark.parametrize(
    ("arguments", "missed"),
    [
        (["--tcp-services-configmap", "a/tcp", "--http-port=8080"], ["--tcp-services-configmap"]),
        (["--udp-services-configmap=a/udp"], ["--udp-services-configmap"]),
        (["--enable-ssl-chain-completion"], ["--enable-ssl-chain-completion"]),
        (["--enable-ssl-chain-completion=false"], []),
        (["--health-check-path=/healthz"], []),
        (["--health-check-path=/alive"], ["--health-check-path"]),
        (["--report-node-internal-ip-address=true"], ["--report-node-internal-ip-address"]),
        (["--sync-period", "10m", "--election-ttl=30s", "--profiling=false"], []),
    ],
)
def test_what_somebody_may_miss_is_named(arguments: list[str], missed: list[str]) -> None:
    settings = understood(*arguments)

    assert [remark.split()[0] for remark in settings.remarks] == missed


def test_a_value_of_its_own_is_taken_with_its_flag() -> None:
    assert understood("--status-port", "10246", "--http-port", "8080").http_port == 8080
    assert understood("--enable-metrics", "--http-port", "8080").http_port == 8080


@pytest.mark.parametrize(
    ("arguments", "level"),
    [(["-v", "2"], "info"), (["--v=2"], "info"), (["-v=5"], "debug"), (["--v", "5"], "debug"), (["--v="], "info")],
)
def test_verbosity(arguments: list[str], level: str) -> None:
    assert understood(*arguments).log_level == level


def test_the_address_of_the_health_check() -> None:
    assert understood("--healthz-host=127.0.0.1").admin_address == "127.0.0.1"


def test_no_flag_of_ours_is_passed_over() -> None:
    ours = {option.lstrip("-") for action in flags.build_parser("run")._actions for option in action.option_strings}

    assert not ours & (ingress_nginx._SWITCHES | ingress_nginx._WITH_VALUE | ingress_nginx._SAME.keys())


def test_an_unknown_flag_still_ends_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["/nginx-ingress-controller", "--manifests=.", "--no-such-flag"])

    assert ended.value.code == 2
    assert "--no-such-flag" in capsys.readouterr().err


def test_other_commands_do_not_take_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["routes", "--manifests=.", "--enable-metrics"])

    assert "--enable-metrics" in capsys.readouterr().err


def test_it_serves_the_class_of_ingress_nginx(shop: Shop) -> None:
    shop.write(sites.ingress_class("nginx", "k8s.io/ingress-nginx"))
    theirs = sites.ingress("theirs", {"theirs.example": {"/": "web"}})
    theirs["spec"]["ingressClassName"] = "nginx"
    shop.write(theirs)
    called_so = f"import sys; sys.argv.insert(1, {ingress_nginx.PROGRAM!r})"
    with Daemon(*shop.flags, "--validating-webhook=:8443", patch=called_so) as daemon:
        assert daemon.get("/", host="theirs.example").status == 200
        assert daemon.get("/", host=HOST).status == 404  # of class ingressd
        assert "--validating-webhook has no effect: " in daemon.log
        assert "nginx_ingress_controller_config_last_reload_successful" in daemon.metrics().families
