"""Every field of sound manifests replaced by every kind of wrong value, one at a time: nothing raises, the good ones
are served as before, and what is lost is said."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ingressd.kube.documents import from_document
from ingressd.kube.store import Store
from ingressd.model.objects import ClusterObject
from ingressd.routing.compile import RouteDefaults, compile_routes
from tests.bad_input.cases import HERE, NOW

WRONG: tuple[Any, ...] = (None, True, 7, -1, 1.5, 10**30, "", "text", "\0", "\udc00", [], [None], {}, {"a": None}, [[]])

EMPTY: tuple[Any, ...] = (None, "", [], {})

SUBJECT = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: subject, namespace: other, labels: {a: b}, annotations: {c: d}, creationTimestamp: "2026-01-01T00:00Z"}
spec:
  ingressClassName: ingressd
  defaultBackend: {service: {name: subject, port: {name: http}}}
  tls: [{hosts: [subject.example], secretName: subject}]
  rules:
    - host: subject.example
      http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: subject, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: other}
spec: {controller: example.com/other, parameters: {kind: Settings, name: x}}
---
apiVersion: v1
kind: Service
metadata: {name: subject, namespace: other}
spec:
  type: ClusterIP
  clusterIP: 10.0.0.1
  externalName: subject.example
  externalIPs: [192.0.2.1]
  ipFamilies: [IPv4]
  ports: [{name: http, port: 80, targetPort: 8080, protocol: TCP, appProtocol: http}]
status: {loadBalancer: {ingress: [{ip: 192.0.2.1, hostname: lb.example}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: subject-1, namespace: other, labels: {kubernetes.io/service-name: subject}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP, appProtocol: http}]
endpoints:
  - addresses: [192.0.2.7]
    conditions: {ready: true, serving: true, terminating: false}
    zone: a
    nodeName: n
    hints: {forZones: [{name: a}]}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: subject, namespace: other}
data: {tls.crt: eA==, tls.key: eA==}
stringData: {x: y}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: subject, namespace: other}
data: {a: b}
"""

Path = tuple[str | int, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where something stands in a document, the document itself included."""
    yield at
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from paths(inner, (*at, key))


def with_value(document: Any, at: Path, value: Any) -> Any:
    if not at:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = value
    return changed


GOOD = [doc for doc in yaml.safe_load_all((HERE / "good" / "good.yaml").read_text()) if doc]
SUBJECTS = list(yaml.safe_load_all(SUBJECT))
MUTATIONS = [
    pytest.param(number, at, id=f"{document['kind']}-{'.'.join(map(str, at)) or 'all'}")
    for number, document in enumerate(SUBJECTS)
    for at in paths(document)
]


def compiled(objects: list[ClusterObject]) -> Any:
    store = Store()
    for obj in objects:
        store.put(obj)
    return compile_routes(store.freeze({}), RouteDefaults(), now=NOW)


def good_host(objects: list[ClusterObject]) -> tuple[Any, Any]:
    snapshot = compiled(objects).snapshot
    return snapshot.hosts["good.example"], snapshot.backends["good/good:80"]


GOOD_OBJECTS = [obj for document in GOOD for obj in from_document(document, "good.yaml").objects]
BEFORE = good_host(GOOD_OBJECTS)


@pytest.mark.parametrize(("number", "at"), MUTATIONS)
def test_one_wrong_value(number: int, at: Path) -> None:
    others = [obj for document in SUBJECTS for obj in from_document(document, "other.yaml").objects]
    for value in WRONG:
        read = from_document(with_value(SUBJECTS[number], at, value), "broken.yaml#1")
        assert len(read.objects) == 1 or read.findings or (value is None and not at)
        assert all(finding.source.startswith("broken.yaml#1") for finding in read.findings)
        assert good_host([*GOOD_OBJECTS, *others, *read.objects]) == BEFORE


@pytest.mark.parametrize("number", range(len(SUBJECTS)))
def test_two_wrong_values(number: int) -> None:
    """Pairs of nulls and empties, the values that pass decoding and meet each other later."""
    document = SUBJECTS[number]
    leaves = [at for at in paths(document) if len(at) > 1 and at[0] != "metadata"]
    for first, second in itertools.combinations(leaves, 2):
        if second[: len(first)] == first:
            continue
        for value in EMPTY:
            changed = with_value(with_value(document, first, value), second, value)
            read = from_document(changed, "broken.yaml#1")
            assert len(read.objects) == 1 or read.findings
            assert good_host([*GOOD_OBJECTS, *read.objects]) == BEFORE
