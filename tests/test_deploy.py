"""What a cluster is given (deploy/, Dockerfile) agrees with itself, with the command line and with pyproject.toml."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingressd.cli import settings_from
from ingressd.flags import build_parser
from ingressd.settings import Settings
from ingressd.version import __version__

Manifest = dict[str, Any]

NAME = "ingressd"

# API group, resource → verbs. Reading is list and watch, never get: nothing is read twice.
CLUSTER_RULES = {
    ("", "services"): {"list", "watch"},
    ("", "secrets"): {"list", "watch"},
    ("", "configmaps"): {"list", "watch"},
    ("", "namespaces"): {"list", "watch"},
    ("", "events"): {"create", "patch"},
    ("discovery.k8s.io", "endpointslices"): {"list", "watch"},
    ("networking.k8s.io", "ingresses"): {"list", "watch"},
    ("networking.k8s.io", "ingressclasses"): {"list", "watch"},
    ("networking.k8s.io", "ingresses/status"): {"update", "patch"},
}
NAMESPACE_RULES = [
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["ingressd-leader"],
        "verbs": ["get", "update"],
    },
]


@pytest.fixture(scope="module")
def deploy(checkout: Path) -> Path:
    return checkout / "deploy"


@pytest.fixture(scope="module")
def manifests(deploy: Path) -> dict[str, Manifest]:
    """Everything in deploy/ by kind; each kind is there once."""
    documents = [
        document
        for path in sorted(deploy.glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    by_kind = {document["kind"]: document for document in documents}
    assert len(by_kind) == len(documents)
    return by_kind


@pytest.fixture(scope="module")
def kustomization(deploy: Path) -> Manifest:
    loaded: Manifest = yaml.safe_load((deploy / "kustomization.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def pod(manifests: dict[str, Manifest]) -> Manifest:
    spec: Manifest = manifests["Deployment"]["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def container(pod: Manifest) -> Manifest:
    (only,) = pod["containers"]
    assert isinstance(only, dict)
    return only


@pytest.fixture(scope="module")
def dockerfile(checkout: Path) -> list[tuple[str, str]]:
    """(instruction, rest) in order."""
    text = (checkout / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    instructions = (line.partition(" ") for line in lines.splitlines() if line)
    return [(word, rest.strip()) for word, _, rest in instructions]


@pytest.fixture(scope="module")
def project(checkout: Path) -> Manifest:
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


def values(dockerfile: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for word, rest in dockerfile if word == instruction]


# ── manifests ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_kustomization_applies_every_file(deploy: Path, kustomization: Manifest) -> None:
    assert {*kustomization["resources"], "kustomization.yaml"} == {path.name for path in deploy.iterdir()}


def test_everything_needed_is_there(manifests: dict[str, Manifest]) -> None:
    assert manifests.keys() == {
        "Namespace",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "IngressClass",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
    }
    cluster_scoped = {"Namespace", "ClusterRole", "ClusterRoleBinding", "IngressClass"}
    for kind, manifest in manifests.items():
        assert manifest["metadata"].get("namespace") == (None if kind in cluster_scoped else NAME), kind


def test_cluster_role_allows_what_is_needed_and_no_more(manifests: dict[str, Manifest]) -> None:
    granted: dict[tuple[str, str], set[str]] = {}
    for rule in manifests["ClusterRole"]["rules"]:
        assert rule.keys() == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                granted.setdefault((group, resource), set()).update(rule["verbs"])
    assert granted == CLUSTER_RULES


def test_role_allows_one_lease(manifests: dict[str, Manifest]) -> None:
    assert manifests["Role"]["rules"] == NAMESPACE_RULES


@pytest.mark.parametrize(("binding", "role"), [("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")])
def test_bindings_join_the_pod_to_its_roles(
    manifests: dict[str, Manifest], pod: Manifest, binding: str, role: str
) -> None:
    reference = manifests[binding]["roleRef"]
    assert (reference["kind"], reference["name"]) == (role, manifests[role]["metadata"]["name"])
    account = {"kind": "ServiceAccount", "name": pod["serviceAccountName"], "namespace": NAME}
    assert manifests[binding]["subjects"] == [account]
    assert manifests["ServiceAccount"]["metadata"]["name"] == account["name"]


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "Deployment"])
def test_selectors_meet_the_pods(manifests: dict[str, Manifest], kind: str) -> None:
    selector = manifests[kind]["spec"]["selector"]
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert (selector if kind == "Service" else selector["matchLabels"]).items() <= labels.items()


def test_service_leads_to_the_ports_of_the_container(manifests: dict[str, Manifest], container: Manifest) -> None:
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    service = manifests["Service"]["spec"]
    assert service["type"] == "LoadBalancer"
    assert {port["port"]: named[port["targetPort"]] for port in service["ports"]} == {80: 80, 443: 443}


def test_pod_is_as_locked_up_as_it_can_be(pod: Manifest, container: Manifest) -> None:
    """The fields that the "restricted" Pod Security Standard looks at, and a root file system nobody can write."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "volumes"}


def test_low_ports_are_bindable_without_capabilities(pod: Manifest, container: Manifest) -> None:
    sysctls = {sysctl["name"]: int(sysctl["value"]) for sysctl in pod["securityContext"]["sysctls"]}
    lowest = min(port["containerPort"] for port in container["ports"])
    assert sysctls == {"net.ipv4.ip_unprivileged_port_start": lowest}


@pytest.mark.parametrize(("probe", "path"), [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")])
def test_probes_ask_the_admin_server(container: Manifest, probe: str, path: str) -> None:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    asked = container[probe]["httpGet"]
    assert (asked["path"], ports[asked["port"]]) == (path, 10254)


@pytest.fixture
def settings(container: Manifest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the container's arguments mean to the daemon. A flag it does not know ends the test."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    command, *arguments = container["args"]
    return settings_from(build_parser(command).parse_args(arguments))


def test_the_daemon_reads_the_cluster_it_is_in(settings: Settings) -> None:
    assert settings.source.kind == "in-cluster"


def test_the_daemon_listens_where_the_container_says(settings: Settings, container: Manifest) -> None:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": settings.http_port, "https": settings.https_port, "admin": settings.admin_port}


def test_the_daemon_serves_the_class_that_is_made(settings: Settings, manifests: dict[str, Manifest]) -> None:
    served = manifests["IngressClass"]
    assert served["metadata"]["name"] == settings.routing.ingress_class
    assert served["spec"] == {"controller": settings.routing.controller_class}


def test_the_daemon_may_take_its_lease(settings: Settings, manifests: dict[str, Manifest]) -> None:
    names = [rule["resourceNames"] for rule in manifests["Role"]["rules"] if "resourceNames" in rule]
    assert names == [[settings.status.election_id]]


def test_kubernetes_waits_longer_than_we_drain(pod: Manifest, settings: Settings) -> None:
    assert settings.shutdown_grace_s + settings.drain_timeout_s < pod["terminationGracePeriodSeconds"]


def test_services_set_no_flags(pod: Manifest) -> None:
    """Else a Service named ingressd-http would come as INGRESSD_HTTP_PORT, which is a flag."""
    assert pod["enableServiceLinks"] is False


def test_status_is_published_from_our_own_service(manifests: dict[str, Manifest], container: Manifest) -> None:
    (environment,) = container["env"]
    assert (environment["name"], environment["valueFrom"]["fieldRef"]["fieldPath"]) == (
        "POD_NAMESPACE",
        "metadata.namespace",
    )
    assert f"--publish-service=$(POD_NAMESPACE)/{manifests['Service']['metadata']['name']}" in container["args"]


# ── image ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_image_is_this_version(kustomization: Manifest, container: Manifest) -> None:
    assert kustomization["images"] == [{"name": container["image"], "newTag": __version__}]


def pip_installs(dockerfile: list[tuple[str, str]]) -> Iterator[list[str]]:
    """What each `pip install` asks for, without its options (none used takes a value after a space)."""
    for script in values(dockerfile, "RUN"):
        for command in script.split("&&"):
            words = shlex.split(command)
            if "install" in words and "pip" in words:
                yield [word for word in words[words.index("install") + 1 :] if not word.startswith("-")]


def test_image_installs_what_pyproject_says(dockerfile: list[tuple[str, str]]) -> None:
    """The project and so its dependencies; any package named here would be a second list to keep in step."""
    assert list(pip_installs(dockerfile)) == [["."]]


def test_build_stage_gets_what_the_build_needs(checkout: Path, dockerfile: list[tuple[str, str]]) -> None:
    copies = [rest.split() for rest in values(dockerfile, "COPY") if not rest.startswith("--from")]
    sources = {source for *from_here, _ in copies for source in from_here}
    assert sources == {"pyproject.toml", "README.md", "LICENSE", "ingressd"}
    assert all((checkout / source).exists() for source in sources)
    ignore = (checkout / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignore
    assert {line[1:] for line in ignore if line.startswith("!")} == sources


def test_final_stage_is_bare_and_not_root(dockerfile: list[tuple[str, str]], pod: Manifest) -> None:
    start = [word for word, _ in dockerfile].index("FROM", 2)
    final = dockerfile[start:]
    assert final[0][1].endswith("-slim")
    assert [rest for rest in values(final, "COPY") if not rest.startswith("--from=build")] == []
    assert values(final, "RUN") == ["pip uninstall --yes pip", "ln -s /bin/true /wait-shutdown"]
    security = pod["securityContext"]
    assert values(final, "USER") == [f"{security['runAsUser']}:{security['runAsGroup']}"]


def test_image_starts_the_daemon(dockerfile: list[tuple[str, str]], project: Manifest, container: Manifest) -> None:
    (entry,) = values(dockerfile, "ENTRYPOINT")
    (script,) = project["project"]["scripts"]
    assert yaml.safe_load(entry) == [script]
    assert values(dockerfile, "CMD") == ['["run"]']
    assert container["args"][0] == "run"
    exposed = {int(port) for port in values(dockerfile, "EXPOSE")[0].split()}
    assert exposed == {port["containerPort"] for port in container["ports"]}


def test_image_has_a_python_that_we_test(dockerfile: list[tuple[str, str]], project: Manifest) -> None:
    (argument,) = values(dockerfile, "ARG")
    found = re.fullmatch(r"PYTHON=(\d+\.\d+)", argument)
    assert found
    assert f"Programming Language :: Python :: {found[1]}" in project["project"]["classifiers"]
    assert [rest.split()[0] for rest in values(dockerfile, "FROM")] == ["python:${PYTHON}-slim"] * 2
