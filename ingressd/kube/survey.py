"""Which manifest files there are below some paths, and which directories must be watched to hear of a change.

A path can change its meaning far from its end: a Kubernetes volume keeps its files behind a symbolic link ``..data``
that is replaced, a deployment swaps a whole directory by rename. So every directory on the way to a path, through
every link, is watched too, and a watch is known by the directory's inode and not by its name alone.
"""

import os
import stat
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, field

SUFFIXES: Final = (".yaml", ".yml", ".json")
MAX_FILES: Final = 100_000
MAX_LINKS: Final = 40  # as the kernel: ELOOP
MAX_DIRECTORY_DEPTH: Final = 64

Signature = tuple[int, int, int, int]
"""Device, inode, size in bytes, time of last change in ns: another one is another content."""


class ManifestFile(Struct, frozen=True):
    """``path`` as people write it, ``real`` with all links followed, and what it looked like."""

    path: str
    real: str
    signature: Signature


class Survey(Struct):
    """``directories`` to watch, with their inode; ``points`` are entries in them that mean something to us.

    In ``trees`` every entry does. All of these are real paths, because the kernel knows one watch per directory and
    reports changes under one name. ``missing`` are the configured paths that do not exist or cannot be read.
    """

    files: list[ManifestFile] = field(default_factory=list)
    directories: set[tuple[str, int, int]] = field(default_factory=set)
    points: set[str] = field(default_factory=set)
    trees: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)
    truncated: bool = False

    def concerns(self, path: str) -> bool:
        """May a change of this path change which objects there are?"""
        return path in self.points or os.path.dirname(path) in self.trees


def survey(paths: Sequence[str]) -> Survey:
    """Look at everything below ``paths``, in their order and then by name. Reads directories, no files."""
    walk = _Walk()
    for path in paths:
        walk.follow(path)
        walk.visit(path, os.path.realpath(path), is_named=True)
    return walk.found


class _Walk:
    def __init__(self) -> None:
        self.found = Survey()
        self._seen: set[tuple[int, int]] = set()

    def follow(self, path: str) -> None:
        """Note every directory and link on the way to ``path`` as far as it exists."""
        parts = deque(Path(os.path.join(os.getcwd(), path)).parts[1:])
        current, links = "/", 0
        while parts:
            part = parts.popleft()
            if part == "..":
                current = os.path.dirname(current)
                continue
            self._watch(current)
            entry = os.path.join(current, part)
            self.found.points.add(entry)
            try:
                target = os.readlink(entry)
            except OSError:
                current = entry  # no link, or nothing at all: then the directories above it wait for it
                continue
            links += 1
            if links > MAX_LINKS:
                return
            parts.extendleft(reversed([part for part in Path(target).parts if part != "/"]))
            current = "/" if os.path.isabs(target) else current

    def visit(self, path: str, real: str, *, is_named: bool = False, depth: int = 0) -> None:
        """A file or directory. What was named is taken whatever its name, what was found only as a manifest."""
        try:
            status = os.stat(path)
        except OSError as error:
            if is_named:
                self.found.missing[path] = error.strerror or "cannot be read"
            return
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return  # reached by another path before: a loop of links, or a file both named and found
        if stat.S_ISDIR(status.st_mode):
            self._seen.add(identity)
            self._directory(path, real, is_named=is_named, depth=depth)
        elif stat.S_ISREG(status.st_mode) and (is_named or path.endswith(SUFFIXES)):
            self._seen.add(identity)
            self._file(path, real, status)
        elif is_named:
            self.found.missing[path] = "is neither a file nor a directory"

    def _file(self, path: str, real: str, status: os.stat_result) -> None:
        if len(self.found.files) >= MAX_FILES:
            self.found.truncated = True
            return
        signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        self.found.files.append(ManifestFile(path, real, signature))

    def _directory(self, path: str, real: str, *, is_named: bool, depth: int) -> None:
        self._watch(real)
        self.found.trees.add(real)
        try:
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if is_named:
                self.found.missing[path] = error.strerror or "cannot be read"
            return
        for entry in listed:
            self._entry(entry, real, depth)

    def _entry(self, entry: os.DirEntry[str], parent: str, depth: int) -> None:
        # Hidden names are editors' locks and swap files, version control, and the true directories of a volume.
        if entry.name.startswith(".") or depth >= MAX_DIRECTORY_DEPTH:
            return
        real = f"{parent}/{entry.name}"
        if entry.is_symlink():
            self.follow(entry.path)
            real = os.path.realpath(entry.path)
        self.visit(entry.path, real, depth=depth + 1)

    def _watch(self, directory: str) -> None:
        try:
            status = os.stat(directory)
        except OSError:
            return
        if stat.S_ISDIR(status.st_mode) and os.access(directory, os.R_OK):
            self.found.directories.add((directory, status.st_dev, status.st_ino))
