"""Who imports whom, read from the source without running it: what the tests of the house's arrows stand on."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, by its full name: x.y for ``from x import y`` when x/y.py is a file, else x."""

    importer: str
    name: str
    path: Path
    line: int
    typing_only: bool  # under `if TYPE_CHECKING`: never runs
    deferred: bool  # inside a function: runs when that is called, not when the module is loaded


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    path: Path
    tree: ast.Module
    imports: tuple[Import, ...]


def read_package(root: Path) -> dict[str, Module]:
    """Every module of the package in the directory ``root``, by dotted name ("ingressd.kube.watch")."""
    paths = {_module_name(root, path): path for path in sorted(root.rglob("*.py"))}
    return {name: _read_module(name, path, paths) for name, path in paths.items()}


def _module_name(root: Path, path: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read_module(name: str, path: Path, known: Mapping[str, Path]) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports = tuple(
        Import(name, target, path, node.lineno, typing_only, deferred)
        for node, typing_only, deferred in _import_nodes(tree)
        for target in _targets(node, package, known)
    )
    return Module(name, path, tree, imports)


def _import_nodes(
    node: ast.AST, typing_only: bool = False, deferred: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, typing_only, deferred
    elif isinstance(node, ast.If) and _is_type_checking(node.test):
        for statement in node.body:
            yield from _import_nodes(statement, True, deferred)
        for statement in node.orelse:
            yield from _import_nodes(statement, typing_only, deferred)
    else:
        deferred = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from _import_nodes(child, typing_only, deferred)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _targets(node: ast.Import | ast.ImportFrom, package: str, known: Mapping[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:  # relative: one dot is the package itself
        ancestors = package.split(".")
        above = ".".join(ancestors[: len(ancestors) - node.level + 1])
        base = f"{above}.{base}" if base else above
    for alias in node.names:
        full = f"{base}.{alias.name}"
        yield full if full in known else base


def reachable(modules: Mapping[str, Module], start: str, *, follow_deferred: bool) -> dict[str, tuple[str, ...]]:
    """Every module, ours or not, that running ``start`` may load, with the shortest chain of importers leading to it.

    A module's packages are loaded before it. Without ``follow_deferred`` only what loading modules loads is counted.
    """
    chains: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(start, (start,))]
    for name, chain in waiting:  # grows while we walk: breadth first
        if name in chains:
            continue
        chains[name] = chain
        waiting += [(package, (*chain[:-1], package)) for package in _packages(name)]
        module = modules.get(name)
        for found in module.imports if module else ():
            if not found.typing_only and (follow_deferred or not found.deferred):
                waiting.append((found.name, (*chain, found.name)))
    return chains


def _packages(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
