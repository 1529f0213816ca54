"""The house keeps its walls: which part of ingressd may import which, what never appears in a part, and what a worker
never loads. The tables below are the rules; a broken one is reported as file, line, arrow and what to do.

Imports inside functions and under `if TYPE_CHECKING` count like any other: a hidden arrow is still an arrow.
"""

import ast
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.imports import Module, reachable, read_package

ROOT = Path(__file__).parent.parent
PACKAGE = "ingressd"

# ── the arrows ──────────────────────────────────────────────────────────────────────────────────────────────────────
# A part is a folder, a file of the top level, or a named group of files in a folder (GROUPS). Nothing is allowed that
# is not written here; a part may always import itself and `version`, which is one constant.

GROUPS = {
    # The rest of routing is the compile side, which only the control process loads. A new file is on that side until
    # it is listed here: the worker's half of the wall is the one that must be asked for.
    "routing:table": ("routing", "routing.snapshot", "routing.match", "routing.table", "routing.delta"),
    # What needs `cryptography`.
    "tls:certificate": ("tls.certificate", "tls.checks"),
}

COMMON = {"version"}
DATA_PATH = {"routing:table", "policy", "http", "tls", "telemetry", "errors"}
EVERYTHING = {*DATA_PATH, "model", "routing", "kube", "proxy", "tls:certificate"}

ARROWS: dict[str, set[str]] = {
    "": set(),  # ingressd/__init__.py is the map, and empty
    "version": set(),
    "errors": set(),
    "passwords": set(),  # a program of its own, started by its path
    "settings": {"errors"},
    "flags": {"settings"},
    "ingress_nginx": set(),
    "model": {"errors"},
    "http": {"errors"},
    "tls": {"errors"},
    "tls:certificate": {"errors", "tls"},
    "telemetry": {"errors"},
    "policy": {"http", "errors"},
    "routing:table": {"policy", "http", "errors"},
    "routing": {"routing:table", "model", "policy", "http", "tls:certificate", "errors"},
    "kube": {"model", "telemetry", "errors"},
    "proxy": DATA_PATH,
    "runtime": {*EVERYTHING, "settings"},
    "demo": {*EVERYTHING, "settings", "runtime"},
    "cli": {*EVERYTHING, "settings", "flags", "ingress_nginx", "runtime", "demo"},
    "__main__": {"cli"},
}

# ── what never appears in a part ────────────────────────────────────────────────────────────────────────────────────

_IO = ("asyncio", "socket", "select", "selectors", "ssl", "threading", "subprocess", "multiprocessing", "signal")
_CLOCKS = ("time", "datetime", "sched")
_FILES = ("os", "io", "pathlib", "tempfile", "shutil", "mmap")
_RANDOM = ("random", "secrets", "uuid")
_CLUSTER = ("kubernetes_asyncio", "kubernetes", "aiohttp", "watchfiles")
_CONTROL_SIDE = ("kubernetes_asyncio", "aiohttp", "cryptography", "yaml", "prometheus_client", "watchfiles")


@dataclass(frozen=True, slots=True)
class Never:
    parts: tuple[str, ...]  # parts as above, or single modules ("proxy.exchange")
    modules: tuple[str, ...]
    why: str


NEVER = (
    Never(
        ("model", "http"), (*_IO, *_CLOCKS, *_FILES, *_RANDOM, *_CLUSTER, "uvloop"), "is pure: values in, values out"
    ),
    Never(
        ("policy",),
        (*_IO, *_CLOCKS, *_FILES, *_RANDOM, *_CLUSTER, "uvloop"),
        "is pure: take the time, randomness and what was read as arguments",
    ),
    Never(
        ("routing", "routing:table"),
        (*_IO, *_CLOCKS, *_FILES, *_RANDOM, *_CLUSTER, "uvloop"),
        "is pure: the source has read the objects already, and `now` is an argument",
    ),
    Never(("proxy",), _CONTROL_SIDE, "runs in workers: leave this to the control process"),
    Never(("proxy.exchange", "proxy.balance"), _IO, "decides and does no I/O: return what is to be done"),
)

# Awaits and open files are I/O even when nothing is imported for them.
SYNCHRONOUS = ("model", "http", "policy", "routing", "routing:table", "proxy.exchange", "proxy.balance", "proxy.pool")

# The proxy knows routes and endpoints, not the objects they came from. (`namespace`, `ingress` and `service` as plain
# labels of a route are not the objects.)
KUBERNETES_WORD = re.compile(
    r"Ingress(?!d)|EndpointSlice|ConfigMap|Secret(?![a-z])|[Kk]ube|\bk8s\b|endpoint_slice|configmap"
)

# ── what a process never loads ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Lean:
    """``root`` must not load the control side's libraries: at any time (deep), or by being imported."""

    root: str
    deep: bool
    why: str


LEAN = (
    Lean("ingressd.runtime.worker", True, "a worker never loads it, not even in a function"),
    Lean("ingressd.runtime.supervisor", False, "workers are forked from the supervisor and inherit what it loaded"),
    Lean("ingressd.cli", False, "the supervisor starts from it; import inside the command that needs it"),
)


# ── the checks ──────────────────────────────────────────────────────────────────────────────────────────────────────


def parts_of(name: str) -> tuple[str, ...]:
    """The parts a module belongs to, narrowest first: its own name, its group or else its folder."""
    inside = name.removeprefix(PACKAGE).removeprefix(".")
    group = next((group for group, members in GROUPS.items() if inside in members), inside.partition(".")[0])
    return (inside, group)


def broken_arrows(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        _, part = parts_of(module.name)
        if part not in ARROWS:
            yield f"{module.path}:1: `{part}` is a new part of the house; give it a row in ARROWS ({__file__})"
            continue
        allowed = {part, *ARROWS[part], *COMMON}
        for found in module.imports:
            if found.name.partition(".")[0] != PACKAGE:
                continue
            _, target = parts_of(found.name)
            if target not in allowed:
                may = ", ".join(sorted(ARROWS[part])) or "nothing of ours"
                yield (
                    f"{found.path}:{found.line}: {part} → {target} (imports {found.name}); {part} may import {may}. "
                    "Pass the value in as an argument, or move the code to the side that may know it"
                )


def forbidden_imports(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        for rule in NEVER:
            if not set(parts_of(module.name)) & set(rule.parts):
                continue
            for found in module.imports:
                if found.name.partition(".")[0] in rule.modules:
                    part = parts_of(module.name)[1]
                    yield f"{found.path}:{found.line}: {module.name} imports {found.name}; {part} {rule.why}"


def hidden_io(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if not set(parts_of(module.name)) & set(SYNCHRONOUS):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
                yield f"{module.path}:{node.lineno}: {module.name} is synchronous; no async and no await here"
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("open", "print", "input")
            ):
                yield f"{module.path}:{node.lineno}: {module.name} does no I/O; no {node.func.id}() here"


def kubernetes_names(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if parts_of(module.name)[1] == "proxy":
            for line, word in _words(module.tree):
                if KUBERNETES_WORD.search(word):
                    yield (
                        f"{module.path}:{line}: {module.name} says {word!r}; the proxy knows routes, backends and "
                        "endpoints. Let routing compile it into one of those"
                    )


def _words(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Identifiers and string values, not docstrings: prose may explain."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word):
                yield line, word
            case ast.FunctionDef(name=word) | ast.AsyncFunctionDef(name=word) | ast.ClassDef(name=word):
                yield line, word
            case ast.alias(name=word) | ast.keyword(arg=str(word)):
                yield line, word
            case ast.Constant(value=str(word)) if id(node) not in docstrings:
                yield line, word


def heavy_chains(modules: dict[str, Module], lean: Lean) -> Iterator[str]:
    for name, chain in reachable(modules, lean.root, follow_deferred=lean.deep).items():
        if name in _CONTROL_SIDE:
            yield f"{modules[lean.root].path}:1: {' → '.join(chain)}: {lean.why}"


def check(broken: Iterator[str]) -> None:
    lines = sorted(broken)
    assert not lines, "\n" + "\n".join(lines)


@pytest.fixture(scope="module")
def house() -> dict[str, Module]:
    return read_package(ROOT / PACKAGE)


def test_imports_follow_the_arrows(house: dict[str, Module]) -> None:
    check(broken_arrows(house))


def test_pure_parts_import_no_clock_no_socket_no_file(house: dict[str, Module]) -> None:
    check(forbidden_imports(house))


def test_pure_parts_do_not_await_or_open(house: dict[str, Module]) -> None:
    check(hidden_io(house))


def test_proxy_names_no_kubernetes_object(house: dict[str, Module]) -> None:
    check(kubernetes_names(house))


@pytest.mark.parametrize("lean", LEAN, ids=lambda lean: lean.root)
def test_the_import_graph_of_lean_processes(house: dict[str, Module], lean: Lean) -> None:
    check(heavy_chains(house, lean))


@pytest.mark.parametrize("lean", LEAN, ids=lambda lean: lean.root)
def test_what_lean_processes_really_load(lean: Lean) -> None:
    """The graph sees our own files; this also sees what the libraries we do import bring along."""
    program = f"import sys, {lean.root}; print(*sys.modules.keys() & {set(_CONTROL_SIDE)!r})"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "", f"importing {lean.root} loads {run.stdout.strip()}: {lean.why}"


def test_the_tables_name_only_what_exists(house: dict[str, Module]) -> None:
    """A renamed file must not slip out of its rule."""
    named = [part for part in (*ARROWS, *SYNCHRONOUS) if ":" not in part]
    named += [member for members in GROUPS.values() for member in members]
    named += [part for rule in NEVER for part in rule.parts if ":" not in part]
    gone = sorted({name for name in named if f"{PACKAGE}.{name}".rstrip(".") not in house})
    assert gone == [], "rename these in the tables of this file"


# ── the checks are checked: each rule, broken on purpose, is seen ───────────────────────────────────────────────────

BROKEN = {
    "sideways": ("http/head.py", "import ingressd.tls.sni", "http → tls "),
    "upwards": ("kube/watch.py", "from ingressd.routing.table import RouteTable", "kube → routing:table "),
    "in a function": ("proxy/a.py", "def f():\n    from ingressd import kube\n", "a.py:2: proxy → kube "),
    "for types": (
        "proxy/a.py",
        "from typing import *\nif TYPE_CHECKING:\n    import ingressd.model.x",
        "proxy → model ",
    ),
    "relative": ("proxy/a.py", "from ..kube import watch", "proxy → kube "),
    "compile side": ("proxy/a.py", "from ingressd.routing import compile", "proxy → routing "),
    "model in the table": ("routing/table.py", "import ingressd.model.x", "routing:table → model "),
    "cryptography by proxy": ("proxy/a.py", "from ingressd.tls.certificate import x", "proxy → tls:certificate "),
    "settings": ("kube/watch.py", "import ingressd.settings", "kube → settings "),
    "demo": ("runtime/a.py", "import ingressd.demo.sample", "runtime → demo "),
    "new folder": ("utils/a.py", "", "`utils` is a new part"),
    "clock": ("policy/a.py", "from time import monotonic", "policy is pure"),
    "loop": ("routing/compile.py", "import asyncio.events", "routing is pure"),
    "socket": ("routing/table.py", "import socket", "routing:table is pure"),
    "I/O in the machine": ("proxy/exchange.py", "import asyncio", "decides and does no I/O"),
    "cluster in the proxy": ("proxy/a.py", "import kubernetes_asyncio", "runs in workers"),
    "await": ("policy/a.py", "async def f(): ...", "is synchronous"),
    "open": ("routing/compile.py", "open('x')", "no open() here"),
    "a type of the cluster": ("proxy/a.py", "def f(rule: IngressRule): ...", "says 'IngressRule'"),
    "a string of the cluster": ("proxy/a.py", "x = 'kubernetes.io/h2c'", "says 'kubernetes.io/h2c'"),
}
FINE = {
    "prose": ("proxy/a.py", '"""Ingress, Secret: kube."""\nx = route.ingress, route.namespace'),
    "the map": ("proxy/a.py", "import asyncio, ingressd.version\nfrom ingressd.routing import snapshot, table"),
    "types of its own": ("kube/watch.py", "import asyncio, kubernetes_asyncio\nfrom ingressd.kube import store"),
}


def write_house(root: Path, file: str, source: str) -> dict[str, Module]:
    for name in (
        "kube/store",
        "kube/watch",
        "routing/compile",
        "routing/snapshot",
        "routing/table",
        "tls/sni",
        "tls/certificate",
    ):
        path = root / PACKAGE / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        (path.parent / "__init__.py").touch()
    path = root / PACKAGE / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(source))
    return read_package(root / PACKAGE)


def all_complaints(house: dict[str, Module]) -> list[str]:
    checks = (broken_arrows, forbidden_imports, hidden_io, kubernetes_names)
    return [line for find in checks for line in find(house)]


@pytest.mark.parametrize(("file", "source", "complaint"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_seen(tmp_path: Path, file: str, source: str, complaint: str) -> None:
    assert any(complaint in line and file in line for line in all_complaints(write_house(tmp_path, file, source)))


@pytest.mark.parametrize(("file", "source"), FINE.values(), ids=FINE)
def test_what_is_allowed_is_left_alone(tmp_path: Path, file: str, source: str) -> None:
    assert all_complaints(write_house(tmp_path, file, source)) == []


WORKER = Lean("ingressd.runtime.worker", True, "")
BY_IMPORT = Lean("ingressd.runtime.worker", False, "")
HEAVY = "import ingressd.kube.watch"
CHAINS = {
    "straight": (WORKER, HEAVY, True),
    "in a function, deep": (WORKER, f"def f():\n    {HEAVY}", True),
    "in a function, by import": (BY_IMPORT, f"def f():\n    {HEAVY}", False),
    "for types": (WORKER, f"from typing import *\nif TYPE_CHECKING:\n    {HEAVY}", False),
    "through a package": (WORKER, "import ingressd.kube.store", True),
}


@pytest.mark.parametrize(("lean", "source", "is_seen"), CHAINS.values(), ids=CHAINS)
def test_a_heavy_chain_is_seen(tmp_path: Path, lean: Lean, source: str, is_seen: bool) -> None:
    write_house(tmp_path, "kube/__init__.py", "import ingressd.kube.watch")
    write_house(tmp_path, "kube/watch.py", "import aiohttp.web")
    house = write_house(tmp_path, "runtime/worker.py", source)
    assert bool(list(heavy_chains(house, lean))) is is_seen


FOLDERS = sorted(path.parent for path in (ROOT / PACKAGE).glob("*/__init__.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_map_of_a_folder_names_files_that_are_there(folder: Path) -> None:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert text
    named = set(re.findall(r"``([a-z_]+)``", text))
    assert named <= {path.stem for path in folder.iterdir()}
