"""kubectl against the fixture, an old one and a new one: what people type must work, and print what they expect."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apiserver.objects import config_map, ingress, service, slice_of
from tests.support.apiserver.harness import ApiServer
from tests.support.kubectl import KubectlMissingError, kubectl_binaries

_TIMEOUT_S = 60


def _programs() -> list[Path | None]:
    try:
        return list(kubectl_binaries())
    except KubectlMissingError:
        # Collecting must not fail for those who run other tests; the fixture fails for these.
        return [None]


class Kubectl:
    def __init__(self, program: Path, home: Path, kubeconfig: Path) -> None:
        self._program = str(program)
        self._home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
            "KUBECTL_KUBERC": "false",
        }

    def __call__(self, *arguments: str, obj: Any = None, fails: bool = False, **environment: str) -> str:
        done = subprocess.run(
            [self._program, *arguments],
            env=self.environment | environment,
            input=None if obj is None else json.dumps(obj),
            stdin=subprocess.DEVNULL if obj is None else None,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Iterator[str]]:
        with subprocess.Popen(
            [self._program, *arguments], env=self.environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                yield iter(process.stdout.readline, "")
            finally:
                process.terminate()


@pytest.fixture(params=_programs(), ids=lambda program: "debian" if program and ".cache" in program.parts else "path")
def program(request: pytest.FixtureRequest) -> Path:
    if request.param is None:
        # Again, for its message.
        return kubectl_binaries()[0]
    found: Path = request.param
    return found


@pytest.fixture
def kubectl(program: Path, api: ApiServer, tmp_path: Path) -> Kubectl:
    return Kubectl(program, tmp_path, api.kubeconfig)


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_get_prints_the_servers_columns(api: ApiServer, kubectl: Kubectl) -> None:
    api.create(ingress() | {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
    api.patch(
        "ingresses", "web", {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}, subresource="status"
    )

    header, row = table(kubectl("get", "ing", "-A"))

    assert header == ["NAMESPACE", "NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]
    assert row[:6] == ["default", "web", "<none>", "web.example", "192.0.2.1", "80"]


def test_get_yaml_is_the_object(api: ApiServer, kubectl: Kubectl) -> None:
    created = api.create(service())

    shown = yaml.safe_load(kubectl("get", "service", "web", "-o", "yaml"))

    assert (shown["kind"], shown["metadata"]["uid"]) == ("Service", created["metadata"]["uid"])
    assert shown["spec"] == created["spec"]


def test_get_watches(api: ApiServer, kubectl: Kubectl) -> None:
    api.create(ingress("first"))

    with kubectl.running("get", "ingress", "-w") as lines:
        assert next(lines).startswith("NAME")
        assert next(lines).startswith("first")
        api.create(ingress("second"))
        assert next(lines).startswith("second")


def test_describe_ingress(api: ApiServer, kubectl: Kubectl) -> None:
    created = api.create(ingress())
    api.create(service())
    api.create(slice_of("10.1.2.3"))
    subset = {"addresses": [{"ip": "10.1.2.3"}], "ports": [{"name": "http", "port": 8080}]}
    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web"}, "subsets": [subset]}
    api.create(endpoints)
    about = {field: created["metadata"][field] for field in ("name", "namespace", "uid")}
    event = {"involvedObject": {"kind": "Ingress", **about}, "reason": "Synced", "message": "all is well"}
    api.create({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.1"}, **event})

    described = kubectl("describe", "ingress", "web")

    assert "web:80 (10.1.2.3:8080)" in described
    assert "all is well" in described


def test_apply_validates_creates_and_patches(api: ApiServer, kubectl: Kubectl) -> None:
    obj = service(ports=[{"name": "http", "port": 80}, {"name": "extra", "port": 81}])
    assert "created" in kubectl("apply", "-f", "-", obj=obj)
    assert "unchanged" in kubectl("apply", "-f", "-", obj=obj)

    assert "configured" in kubectl("apply", "-f", "-", obj=service())

    assert [port["name"] for port in api.get("services", "web")["spec"]["ports"]] == ["http"]


def test_apply_dry_run_on_the_server(api: ApiServer, kubectl: Kubectl) -> None:
    assert "server dry run" in kubectl("apply", "--dry-run=server", "-f", "-", obj=config_map())

    assert api.list("configmaps") == []


def test_apply_on_the_server(api: ApiServer, kubectl: Kubectl) -> None:
    for _ in range(2):
        assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", obj=ingress())
    [entry] = api.get("ingresses", "web")["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("kubectl", "Apply")

    other = config_map()
    kubectl("apply", "--server-side", "--field-manager=a", "-f", "-", obj=other)
    other["data"] = {"key": "x"}
    refusal = kubectl("apply", "--server-side", "--field-manager=b", "-f", "-", obj=other, fails=True)
    assert "conflict" in refusal
    kubectl("apply", "--server-side", "--field-manager=b", "--force-conflicts", "-f", "-", obj=other)


def test_annotate_label_patch(api: ApiServer, kubectl: Kubectl) -> None:
    api.create(ingress())

    kubectl("annotate", "ingress", "web", "example.com/a=b")
    kubectl("label", "ingress", "web", "tier=front")
    kubectl("patch", "ingress", "web", "--type=merge", "-p", '{"spec":{"ingressClassName":"ours"}}')
    kubectl("patch", "ingress", "web", "--type=json", "-p", '[{"op":"remove","path":"/metadata/labels/tier"}]')
    kubectl("patch", "ingress", "web", "-p", '{"metadata":{"labels":{"more":"x"}}}')

    found = api.get("ingresses", "web")
    assert found["metadata"]["annotations"] == {"example.com/a": "b"}
    assert found["metadata"]["labels"] == {"more": "x"}
    assert found["spec"]["ingressClassName"] == "ours"


def test_edit(api: ApiServer, kubectl: Kubectl, tmp_path: Path) -> None:
    api.create(ingress())
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/web.example/edited.example/ "$1"\n')
    editor.chmod(0o755)

    assert "edited" in kubectl("edit", "ingress", "web", KUBE_EDITOR=str(editor))

    assert api.get("ingresses", "web")["spec"]["rules"][0]["host"] == "edited.example"


def test_create_tls_secret(api: ApiServer, kubectl: Kubectl, openssl: str, tmp_path: Path) -> None:
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"),
            *("-subj", "/CN=web.example", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )

    kubectl("create", "secret", "tls", "web", f"--cert={certificate}", f"--key={key}")

    created = api.get("secrets", "web")
    assert (created["type"], created["data"].keys()) == ("kubernetes.io/tls", {"tls.crt", "tls.key"})


def test_create_by_its_own_words(api: ApiServer, kubectl: Kubectl) -> None:
    # The generators of newer clients send protobuf.
    kubectl("create", "namespace", "team")
    kubectl("create", "configmap", "settings", "--from-literal=key=value")
    kubectl("create", "service", "clusterip", "web", "--tcp=80:8080")
    kubectl("create", "ingress", "web", "--rule=web.example/path*=web:80,tls=web")

    assert api.get("configmaps", "settings")["data"] == {"key": "value"}
    assert api.get("services", "web")["spec"]["ports"][0]["targetPort"] == 8080
    [rule] = api.get("ingresses", "web")["spec"]["rules"]
    assert rule["http"]["paths"][0] == {
        "path": "/path",
        "pathType": "Prefix",
        "backend": {"service": {"name": "web", "port": {"number": 80}}},
    }


def test_create_from_file_and_delete(api: ApiServer, kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", obj=config_map())
    assert "AlreadyExists" in kubectl("create", "-f", "-", obj=config_map(), fails=True)

    # Returns only when a watch, or another GET, has told that the object is gone.
    kubectl("delete", "configmap", "settings")

    assert "NotFound" in kubectl("get", "configmap", "settings", fails=True)


def test_a_refused_object_is_explained(kubectl: Kubectl) -> None:
    refusal = kubectl("create", "-f", "-", obj=ingress(path="/a//b"), fails=True)

    assert 'The Ingress "web" is invalid' in refusal
    assert "spec.rules[0].http.paths[0].path" in refusal


def test_api_resources_and_version(kubectl: Kubectl) -> None:
    resources = kubectl("api-resources", "-o", "name").split()

    assert {"ingresses.networking.k8s.io", "services", "leases.coordination.k8s.io"} <= set(resources)
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["minor"] == "32"


def test_over_tls_with_a_token(program: Path, tmp_path: Path) -> None:
    with ApiServer(tls=True, token="random") as secure:
        assert "kube-system" in Kubectl(program, tmp_path, secure.kubeconfig)("get", "namespaces")


def test_over_tls_with_a_client_certificate(program: Path, tmp_path: Path) -> None:
    with ApiServer(tls=True, client_cert=True) as secure:
        assert "kube-system" in Kubectl(program, tmp_path, secure.kubeconfig)("get", "namespaces")
