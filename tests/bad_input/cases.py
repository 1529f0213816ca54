"""The corpus: files of `broken/` with what each says about itself, and those that are better made than kept."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ingressd.model.finding import Finding
from ingressd.tls.certificate import self_signed

HERE = Path(__file__).parent
NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Expected:
    """What the one finding says. ``about`` is namespace/name."""

    level: str
    reason: str
    kind: str = ""
    about: str = "/"
    field: str = ""

    @classmethod
    def of(cls, finding: Finding) -> "Expected":
        return cls(finding.level, finding.reason, finding.kind, f"{finding.namespace}/{finding.name}", finding.field)


@dataclass(frozen=True)
class Case:
    """A broken file. ``write`` makes it, at the path it is given."""

    name: str
    write: Callable[[Path], object]
    expected: Expected


def broken_files() -> list[Case]:
    """YAML says what to expect in its first line; JSON cannot, so it is said here."""
    cases = [_kept(path, _declared(path)) for path in sorted((HERE / "broken").glob("*.yaml"))]
    return cases + [_kept(HERE / "broken" / name, expected) for name, expected in _JSON.items()]


def _kept(path: Path, expected: Expected) -> Case:
    return Case(path.name, lambda target: target.write_bytes(path.read_bytes()), expected)


def _declared(path: Path) -> Expected:
    words = path.read_text().splitlines()[0].removeprefix("# expect: ").split(" ")
    words = ["" if word == "-" else word for word in words]
    found = Expected(*words)
    return replace(found, about=found.about or "/")


_JSON = {
    "truncated.json": Expected("error", "BadJson"),
    "duplicate-key.json": Expected("error", "DuplicateKey", "Service", "broken/json-twice", "namespace"),
    "not-a-number.json": Expected("error", "WrongType", "Service", "default/nan", "spec.ports[0].port"),
    "array.json": Expected("error", "NotAnObject"),
}

# ── made here: large, binary, or dependent on a key ─────────────────────────────────────────────────────────────────


def service(name: str, **more: object) -> str:
    """As JSON, which is YAML too."""
    document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "broken"}, **more}
    return json.dumps(document)


def ingress(name: str, *, secret: str) -> str:
    backend = {"service": {"name": "made", "port": {"number": 80}}}
    rule = {"host": f"{name}.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return json.dumps(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "namespace": "broken"},
            "spec": {
                "ingressClassName": "ingressd",
                "tls": [{"hosts": [f"{name}.example"], "secretName": secret}],
                "rules": [rule],
            },
        }
    )


def endpoint_slice(name: str) -> str:
    return json.dumps(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "broken", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "ports": [{"port": 8080}],
            "endpoints": [{"addresses": ["192.0.2.9"]}],
        }
    )


def secret(namespace: str, name: str, certificate: bytes, key: bytes) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {"tls.crt": certificate.decode(), "tls.key": key.decode()},
        }
    )


def _with_secret(name: str, certificate: bytes, key: bytes) -> str:
    parts = (
        ingress(name, secret=name),
        service("made", spec={"ports": [{"port": 80}]}),
        endpoint_slice("made"),
        secret("broken", name, certificate, key),
    )
    # Each file has a namespace of its own, so that all of them can stand side by side.
    return "\n---\n".join(parts).replace('"namespace": "broken"', f'"namespace": "{name}"')


_ONE = self_signed(["wrong-key.example"], now=NOW)
_OTHER = self_signed(["wrong-key.example"], now=NOW)
_OLD = self_signed(["expired.example"], now=NOW - 400 * 86400)

_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def _data(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


MADE = [
    Case("empty.yaml", _data(b""), Expected("info", "Empty")),
    Case("empty.json", _data(b""), Expected("info", "Empty")),
    Case("only-separators.yaml", _data(b"---\n---\n---\n"), Expected("info", "Empty")),
    Case("only-comments.yaml", _data(b"# nothing yet\n"), Expected("info", "Empty")),
    Case("binary.yaml", _data(bytes(range(256)) * 16), Expected("error", "NotText")),
    Case("binary.json", _data(b"{" + bytes(range(256)) * 16), Expected("error", "NotText")),
    Case("nul.yaml", _data(b"kind: Service\nmetadata: {name: \0}\n"), Expected("error", "NotText")),
    Case("nul.json", _data(b'{"kind": "Service\0"}'), Expected("error", "BadJson")),
    Case(
        "nul-escaped.json",
        _text(service("a\0b")),
        Expected("error", "BadName", "Service", "broken/a\N{REPLACEMENT CHARACTER}b", "metadata.name"),
    ),
    Case(
        "half-a-character.json",
        _text(service("half", spec={"x": "\udc00"})),
        Expected("error", "Undecodable", "Service", "broken/half"),
    ),
    Case("latin-1.yaml", _data("kind: Service\n# Grüße".encode("latin-1")), Expected("error", "NotText")),
    Case("utf-16-odd.yaml", _data(b"\xff\xfek\0i"), Expected("error", "NotText")),
    Case("gzip.yaml", _data(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), Expected("error", "NotText")),
    Case("deep.yaml", _text("a: " + "[" * 100_000), Expected("error", "TooDeep")),
    Case(
        "deep-blocks.yaml", _text("".join(f"{' ' * level}a:\n" for level in range(2000))), Expected("error", "TooDeep")
    ),
    Case("deep.json", _text('{"a": ' * 100_000), Expected("error", "TooDeep")),
    Case("alias-bomb.yaml", _text(_BOMB), Expected("error", "TooManyAliases")),
    Case(
        "alias-bomb-of-text.yaml",
        _text(f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]\n"),
        Expected("error", "TooManyAliases"),
    ),
    Case(
        "huge-object.yaml",
        _text(service("huge", spec={"x": "y" * (4 << 20)})),
        Expected("error", "TooLarge", "Service", "broken/huge"),
    ),
    Case(
        "huge-number.json",
        _text(service("number", spec={"ports": [{"port": 10**400}]})),
        Expected("error", "WrongType", "Service", "broken/number", "spec.ports[0].port"),
    ),
    Case(
        "huge-digits.json",
        _text('{"kind": ' + "9" * 10_000 + "}"),
        Expected("error", "NotAnObject", "9" * 60 + "…", "/", "apiVersion"),
    ),
    Case("huge-file.yaml", _sparse, Expected("error", "Unreadable")),
    Case(
        "wrong-key.yaml",
        _text(_with_secret("wrong-key", _ONE.chain_pem, _OTHER.key_pem)),
        Expected("error", "KeyMismatch", "Secret", "wrong-key/wrong-key", "data[tls.key]"),
    ),
    Case(
        "no-pem.yaml",
        _text(_with_secret("no-pem", b"not PEM", _ONE.key_pem)),
        Expected("error", "NotPEM", "Secret", "no-pem/no-pem", "data[tls.crt]"),
    ),
    Case(
        "expired.yaml",
        _text(_with_secret("expired", _OLD.chain_pem, _OLD.key_pem)),
        Expected("warning", "CertificateExpired", "Secret", "expired/expired", "data[tls.crt]"),
    ),
]

ALL: Iterable[Case] = [*broken_files(), *MADE]


def write_good(directory: Path) -> None:
    """The good neighbours, in every notation that is allowed to be strange."""
    for path in sorted((HERE / "good").iterdir()):
        (directory / path.name).write_bytes(path.read_bytes())
    pair = self_signed(["good.example"], now=NOW)
    (directory / "tls.yaml").write_text(secret("good", "good", pair.chain_pem, pair.key_pem))
    strange = "{kind: Service, apiVersion: v1, metadata: {name: %s, namespace: good}}\n"
    (directory / "byte-order-mark.yaml").write_bytes(b"\xef\xbb\xbf" + (strange % "marked").encode())
    (directory / "byte-order-mark.json").write_bytes(b"\xef\xbb\xbf" + service("marked-json").encode())
    (directory / "utf-16.yaml").write_bytes((strange % "wide").encode("utf-16"))
    (directory / "carriage-returns.yaml").write_bytes(b"kind: Service\r\napiVersion: v1\r\nmetadata:\r\n  name: cr\r\n")
    (directory / "no-newline.yaml").write_text("kind: Service\napiVersion: v1\nmetadata: {name: bare}")
    (directory / "aliases.yaml").write_text(
        "kind: Service\napiVersion: v1\nmetadata: &m {name: aliased, labels: &l {a: b}, annotations: *l}\n"
        "spec: {<<: {clusterIP: None}, selector: *l}\n"
    )
    many = "".join(f"---\n{strange % f'many-{number}'}" for number in range(300))
    (directory / "many.yaml").write_text("%YAML 1.1\n" + many + "...\n")
