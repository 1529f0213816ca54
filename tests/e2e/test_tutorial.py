"""What a tutorial has people type, with real kubectl and real curl: objects in, proxied requests out, changed live."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.commands import Curl, Kubectl
from tests.support import sites
from tests.support.apiserver.harness import ApiServer
from tests.support.daemon import CHECKOUT, Daemon, clean_environment
from tests.support.eventually import eventually
from tests.support.kubectl import KubectlMissingError, kubectl_binaries
from tests.support.pods import Pods
from tests.support.tools import find_tool

ADDRESS = "192.0.2.10"

BY_PATH = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: app
spec:
  ingressClassName: ingressd
  rules:
    - host: app.example
      http:
        paths:
          - path: /api
            pathType: Prefix
            backend:
              service: {name: api, port: {number: 80}}
          - path: /
            pathType: Prefix
            backend:
              service: {name: web, port: {name: http}}
"""

THREE_HOSTS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: three
spec:
  ingressClassName: ingressd
  rules:
    - host: one.example
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}
    - host: two.example
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - host: "*.three.example"
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: cart, port: {number: 80}}}}
"""

SECURE = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: secure
spec:
  ingressClassName: ingressd
  tls:
    - hosts: [secure.example]
      secretName: secure-tls
  rules:
    - host: secure.example
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
"""

BROKEN = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: broken
spec:
  ingressClassName: ingressd
  rules:
    - host: broken.example
      http:
        paths:
          - {path: /gone, pathType: Prefix, backend: {service: {name: no-such-service, port: {number: 80}}}}
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
"""


@dataclass(frozen=True)
class Desk:
    """What somebody following a tutorial has before them."""

    kubectl: Kubectl
    curl: Curl
    openssl: str
    daemon: Daemon
    kubeconfig: Path
    directory: Path

    def certificate(self, file: str) -> tuple[Path, Path]:
        """Certificate and key for secure.example, made by openssl."""
        certificate, key = self.directory / f"{file}.crt", self.directory / f"{file}.key"
        subprocess.run(
            [
                *(self.openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=secure.example", "-addext", "subjectAltName=DNS:secure.example"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        return certificate, key


def _programs() -> list[Path | None]:
    try:
        return list(kubectl_binaries())
    except KubectlMissingError:
        return [None]  # collecting must not fail for those who run other tests; the fixture fails for these


def _age(program: Path | None) -> str:
    return "debian" if program and ".cache" in program.parts else "path"


@pytest.fixture(scope="module", params=_programs(), ids=_age)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    program: Path = request.param or kubectl_binaries()[0]
    home = tmp_path_factory.mktemp("home")
    with ApiServer() as api, Pods() as pods:
        kubectl = Kubectl(program, home, api.kubeconfig)
        kubectl.apply(sites.ingress_class())
        for name in ("api", "web", "cart"):
            kubectl.apply(sites.service(name), sites.endpoints(name, pods.start(name, 2)))
        flags = ("--allow-loopback-endpoints", f"--publish-status-address={ADDRESS}")
        with Daemon("--kubeconfig", str(api.kubeconfig), *flags) as daemon:
            curl = Curl(find_tool("curl"), daemon.http_port, daemon.https_port)
            yield Desk(kubectl, curl, find_tool("openssl"), daemon, api.kubeconfig, home)
        # What it held in the cluster is given back.
        assert kubectl("get", "lease", "ingressd-leader", "-o", "jsonpath={.spec.holderIdentity}") == ""


def test_one_host_two_services_by_path(desk: Desk) -> None:
    desk.kubectl.apply(BY_PATH)

    eventually(lambda: desk.curl.everywhere("http", "app.example") == {"web"})
    assert desk.curl("http", "app.example", "/api") == "api"
    assert desk.curl("http", "app.example", "/api/users?page=2") == "api"
    assert desk.curl("http", "app.example", "/apiary") == "web"
    assert desk.curl("https", "app.example", "/api", "--insecure") == "api"
    assert desk.curl("http", "other.example") == "404"


def test_a_path_is_added_and_a_service_changed(desk: Desk) -> None:
    desk.kubectl.apply(BY_PATH)
    eventually(lambda: desk.curl.everywhere("http", "app.example", "/cart") == {"web"})
    added = "          - {path: /cart, pathType: Prefix, backend: {service: {name: cart, port: {number: 80}}}}\n"

    desk.kubectl.apply(BY_PATH + added)
    eventually(lambda: desk.curl.everywhere("http", "app.example", "/cart") == {"cart"})
    assert desk.curl("http", "app.example", "/") == "web"

    desk.kubectl.apply(BY_PATH.replace("name: api,", "name: cart,"))
    eventually(lambda: desk.curl.everywhere("http", "app.example", "/api") == {"cart"})
    eventually(lambda: desk.curl.everywhere("http", "app.example", "/cart") == {"web"})


def test_three_virtual_hosts_in_one_ingress(desk: Desk) -> None:
    desk.kubectl.apply(THREE_HOSTS)

    eventually(lambda: desk.curl.everywhere("http", "one.example") == {"api"})
    assert desk.curl("http", "two.example") == "web"
    assert desk.curl("http", "any.three.example") == "cart"
    assert desk.curl("https", "any.three.example", "/", "--insecure") == "cart"
    assert desk.curl("http", "three.example") == "404"

    rules = THREE_HOSTS.split("    - host: ")
    desk.kubectl.apply("    - host: ".join([rules[0], *rules[2:]]))
    eventually(lambda: desk.curl.everywhere("http", "one.example") == {"404"})
    assert desk.curl.everywhere("http", "two.example") == {"web"}

    desk.kubectl("delete", "ingress", "three")
    eventually(lambda: desk.curl.everywhere("http", "two.example") == {"404"})


def test_a_tls_secret_is_served_and_rotated(desk: Desk) -> None:
    first, key = desk.certificate("first")
    desk.kubectl("create", "secret", "tls", "secure-tls", f"--cert={first}", f"--key={key}")
    desk.kubectl.apply(SECURE)

    eventually(lambda: desk.curl.everywhere("http", "secure.example") == {"308"})
    trusted = ("https", "secure.example", "/", "--cacert")
    assert desk.curl(*trusted, str(first)) == "web"
    assert desk.curl.run("https", "app.example", "/", "--cacert", str(first)).returncode == Curl.UNTRUSTED

    second, key = desk.certificate("second")
    create = ("create", "secret", "tls", "secure-tls", f"--cert={second}", f"--key={key}")
    made = desk.kubectl(*create, "--dry-run=client", "-o", "yaml")
    desk.kubectl("apply", "-f", "-", given=made)

    eventually(lambda: desk.curl.everywhere(*trusted, str(second)) == {"web"})
    assert desk.curl.run(*trusted, str(first)).returncode == Curl.UNTRUSTED


def test_the_address_is_shown(desk: Desk) -> None:
    desk.kubectl.apply(BY_PATH)

    eventually(lambda: ADDRESS in desk.kubectl("get", "ingress", "app"))
    assert ADDRESS in desk.kubectl("describe", "ingress", "app")


def test_a_broken_ingress_is_explained_and_hurts_nobody(desk: Desk) -> None:
    desk.kubectl.apply(BROKEN)

    eventually(lambda: desk.curl.everywhere("http", "broken.example") == {"web"})
    assert desk.curl.everywhere("http", "broken.example", "/gone") == {"503"}
    eventually(lambda: "no-such-service" in desk.kubectl("get", "events"))
    described = desk.kubectl("describe", "ingress", "broken").partition("Events:")[2]
    assert "Warning" in described
    assert "ServiceNotFound" in described


def test_the_cluster_is_seen_in_metrics(desk: Desk) -> None:
    desk.kubectl.apply(BY_PATH)

    metrics = eventually(lambda: (seen := desk.daemon.metrics()).sum("ingressd_leader") == 1 and seen)
    for kind in ("Ingress", "Service", "EndpointSlice"):
        assert metrics.sum("ingressd_kube_last_event_timestamp_seconds", kind=kind) > 0
    assert desk.daemon.status()["leader"] is True


def test_the_table_without_a_daemon(desk: Desk) -> None:
    desk.kubectl.apply(BY_PATH)
    command = [sys.executable, "-m", "ingressd", "routes", "--kubeconfig", str(desk.kubeconfig), "--output=json"]

    done = subprocess.run(command, cwd=CHECKOUT, env=clean_environment(), capture_output=True, text=True, check=True)

    rows = [(row["path"], row["service"]) for row in json.loads(done.stdout) if row["host"] == "app.example"]
    assert rows == [("/", "web"), ("/api", "api")]
