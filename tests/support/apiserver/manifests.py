"""YAML as kubectl reads it: timestamps stay text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.apiserver.errors import Json


class _Loader(yaml.SafeLoader):
    """Without the timestamp resolver, which would make dates of creationTimestamps."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(text: str | bytes) -> Any:
    return yaml.load(text, _Loader)


def load_manifests(text: str | bytes) -> Iterator[Json]:
    """Every object of a file, those inside Lists included."""
    for document in yaml.load_all(text, _Loader):
        if isinstance(document, dict) and isinstance(document.get("items"), list):
            yield from document["items"]
        elif document:
            yield document


def load_directory(directory: Path) -> Iterator[Json]:
    for path in sorted(directory.iterdir()):
        if path.suffix in (".yaml", ".yml", ".json"):
            yield from load_manifests(path.read_bytes())
