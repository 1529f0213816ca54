"""Reads golden cases, compiles them and shows the outcome."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ingressd.kube.documents import from_document
from ingressd.kube.yaml_documents import parse_yaml
from ingressd.model.cluster import ClusterState
from ingressd.model.finding import Finding
from ingressd.model.objects import ClusterObject
from ingressd.routing.compile import Compiled, RouteDefaults, compile_routes
from ingressd.routing.snapshot import CertificatePair, Endpoint
from ingressd.tls.certificate import CheckedPair, self_signed
from tests.support.objects import cluster, secret

NOW = 1_800_000_000.0
RULE = "-" * 80 + "\n"
WIDTH = 150  # a route fits
_KEYS = ("config_map", "default_backend_service", "default_ssl_certificate")  # namespace/name
DEFAULT_CERTIFICATE = CertificatePair("self-signed", b"", b"")


class GoldenCase(NamedTuple):
    path: Path
    manifests: str
    expected: str

    def with_expected(self, expected: str) -> str:
        return f"{self.manifests}{RULE}{expected}"

    def settings(self) -> Iterator[tuple[str, str]]:
        """The ``# with name: value`` lines."""
        for line in self.manifests.splitlines():
            if line.startswith("# with "):
                name, _, value = line.removeprefix("# with ").partition(": ")
                yield name, value


def _load(path: Path) -> GoldenCase:
    manifests, _, expected = path.read_text(encoding="utf-8").partition(RULE)
    return GoldenCase(path, manifests, expected)


CASES = {path.stem: _load(path) for path in sorted(Path(__file__).parent.glob("*.txt"))}


def compiled(case: GoldenCase, *, backwards: bool = False) -> Compiled:
    """The outcome; ``backwards`` shows the objects in the opposite order, which must make no difference."""
    objects, findings = _objects(case)
    state = _state(case, list(reversed(objects)) if backwards else objects)
    made = compile_routes(state, _defaults(case), now=NOW)
    return msgspec.structs.replace(made, findings=tuple(sorted({*findings, *made.findings})))


def _objects(case: GoldenCase) -> tuple[list[ClusterObject], list[Finding]]:
    objects: list[ClusterObject] = []
    findings: list[Finding] = []
    for document in parse_yaml(case.manifests.encode()):
        assert document.fault is None, document.fault
        decoded = from_document(document.value, f"{case.path.name}#{document.number}")
        objects += decoded.objects
        findings += decoded.findings
    for name, value in case.settings():
        if name.startswith("certificate "):
            namespace, _, secret_name = name.removeprefix("certificate ").partition("/")
            pair = _pair(value)
            objects.append(secret(secret_name, pair.chain_pem, pair.key_pem, namespace))
    return objects, findings


@lru_cache
def _pair(names: str) -> CheckedPair:
    return self_signed(names.split(), now=NOW)


def _state(case: GoldenCase, objects: list[ClusterObject]) -> ClusterState:
    resolved = {
        name.removeprefix("resolved "): tuple(value.split())
        for name, value in case.settings()
        if name.startswith("resolved ")
    }
    return cluster(*objects, resolved=resolved)


def _defaults(case: GoldenCase) -> RouteDefaults:
    fields = RouteDefaults.__struct_fields__
    given = {name: value for name, value in case.settings() if name in fields}
    keys = {name: value.split("/") if name in _KEYS else value for name, value in given.items()}
    defaults = msgspec.convert(keys, RouteDefaults, strict=False)
    return msgspec.structs.replace(defaults, self_signed=DEFAULT_CERTIFICATE)


def render(case: GoldenCase, *, backwards: bool = False) -> str:
    made = compiled(case, backwards=backwards)
    shown = {
        "snapshot": _view(made.snapshot),
        "served": sorted("/".join(key) for key in made.served),
        "external_names": sorted(made.external_names),
        "findings": [_view(finding) for finding in made.findings],
    }
    return _pretty({name: value for name, value in shown.items() if value}) + "\n"


def _view(value: Any) -> Any:
    """What differs from the defaults, so that a new field of a Route does not touch cases that do not use it."""
    match value:
        case CertificatePair():
            return {"names": list(value.names)} if value.names else {}
        case Endpoint():
            return f"[{value.address}]:{value.port}" if ":" in value.address else f"{value.address}:{value.port}"
        case msgspec.Struct():
            defaults = {field.name: field.default for field in msgspec.structs.fields(value)}
            shown = {name: getattr(value, name) for name in defaults}
            return {name: _view(one) for name, one in shown.items() if one not in (defaults[name], (), {})}
        case Mapping():
            return {key: _without(key, _view(one)) for key, one in value.items()}
        case bytes():
            return value.decode()
        case tuple():
            return [_view(one) for one in value]
        case _:
            return value


def _without(key: str, value: Any) -> Any:
    """A value does not repeat the key it is found under."""
    if not isinstance(value, dict):
        return value
    return {name: one for name, one in value.items() if (name, one) not in (("name", key), ("key", key))}


def _pretty(value: Any, indent: str = "", taken: int = 0) -> str:
    """JSON with everything on one line that fits there."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + taken + len(line) < WIDTH or not isinstance(value, dict | list) or not value:
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        items = [f"{deeper}{_pretty(one, deeper, 1)}" for one in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    items = [
        f"{deeper}{json.dumps(key)}: {_pretty(one, deeper, len(json.dumps(key)) + 3)}" for key, one in value.items()
    ]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"
