"""Manifests on a real disk: what a change does, however it is made."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ingressd.kube.manifest_file import Contents, parse_manifest, read_bytes
from ingressd.kube.manifests import ManifestSource
from ingressd.kube.store import Store
from ingressd.model.objects import Service


class Live:
    """A running source and its store; ``until`` waits for the store and fails after a long while."""

    def __init__(self, *paths: Path | str) -> None:
        self._changed = asyncio.Event()
        self.store = Store(self._changed.set)
        self.source = ManifestSource(paths)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await self._changed.wait()
                self._changed.clear()

    async def services(self, *names: str) -> None:
        await self.until(lambda: self.names() == sorted(names))

    async def reasons(self, *reasons: str) -> None:
        await self.until(lambda: sorted(one.reason for one in self.store.findings()) == sorted(reasons))

    def names(self) -> list[str]:
        return sorted(name for _, name in self.store.keys("Service"))

    def service(self, name: str, namespace: str = "default") -> Service:
        found = self.store.get("Service", (namespace, name))
        assert isinstance(found, Service)
        return found


@asynccontextmanager
async def live(*paths: Path | str) -> AsyncIterator[Live]:
    running = Live(*paths)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(running.source.run(running.store))
        async with asyncio.timeout(20):
            await running.source.synced()
        try:
            yield running
        finally:
            task.cancel()


def service(name: str, *, ip: str = "", **metadata: Any) -> str:
    spec = f"spec:\n  clusterIP: {ip}\n" if ip else ""
    extra = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in metadata.items())
    return f"---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n{extra}{spec}"


def replaced(path: Path, text: str) -> None:
    """As editors and kubectl write: aside, then renamed over."""
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text)
    aside.replace(path)


# What is read


async def test_files_and_directories_in_all_notations(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.yaml").write_text(service("a1") + service("a2"))
    (tmp_path / "deep" / "b.yml").write_text(service("b"))
    as_list = {
        "kind": "List",
        "apiVersion": "v1",
        "items": [{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "c"}}],
    }
    (tmp_path / "deep" / "er" / "c.json").write_text(json.dumps(as_list))
    typed = {"kind": "ServiceList", "apiVersion": "v1", "items": [{"metadata": {"name": "d"}}]}
    (tmp_path / "d.json").write_text(json.dumps(typed) + "\n" + json.dumps(typed).replace('"d"', '"e"'))
    async with live(tmp_path) as running:
        assert running.names() == ["a1", "a2", "b", "c", "d", "e"]
        assert running.store.findings() == ()
        assert running.service("a2").meta.source == f"{tmp_path}/a.yaml#2"
        assert running.service("c").meta.source == f"{tmp_path}/deep/er/c.json#1.items[0]"
        assert running.source.is_synced
        assert running.source.describe() == f"manifests in {tmp_path}"


async def test_what_a_manifest_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("bare") + service("full", resourceVersion="7", uid="u", namespace="shop"))
    (tmp_path / "b.yaml").write_text(
        "kind: IngressClass\napiVersion: networking.k8s.io/v1\nmetadata: {name: x, namespace: nowhere}"
    )
    async with live(tmp_path) as running:
        bare, full = running.service("bare").meta, running.service("full", "shop").meta
        assert (bare.namespace, bare.uid, bare.created) == ("default", "", 0.0)
        assert len(bare.resource_version) == 16
        assert (full.uid, full.resource_version) == ("u", "7")
        assert running.store.keys("IngressClass") == {("", "x")}


async def test_a_named_file_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "services").write_text(service("a"))
    (tmp_path / "other.yaml").write_text(service("b"))
    async with live(tmp_path / "services") as running:
        assert running.names() == ["a"]


async def test_what_is_not_a_manifest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("a"))
    (tmp_path / "README.md").write_text("no: [manifest")
    (tmp_path / ".a.yaml.swp").write_text("\0")
    (tmp_path / ".hidden.yaml").write_text(service("hidden"))
    (tmp_path / ".#a.yaml").symlink_to("nobody@nowhere:1")
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop").symlink_to(".")
    async with live(tmp_path) as running:
        assert running.names() == ["a"]
        assert running.store.findings() == ()


async def test_one_file_by_two_paths_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("a"))
    (tmp_path / "link.yaml").symlink_to("a.yaml")
    async with live(tmp_path, tmp_path / "a.yaml", tmp_path) as running:
        assert running.names() == ["a"]
        assert running.store.findings() == ()


async def test_first_by_path_order_wins(tmp_path: Path) -> None:
    for name, ip in (("z", "10.0.0.1"), ("a", "10.0.0.2"), ("b", "10.0.0.3")):
        (tmp_path / f"{name}.yaml").write_text(service("web", ip=ip))
    async with live(tmp_path / "z.yaml", tmp_path) as running:
        assert running.service("web").cluster_ip == "10.0.0.1"
        assert [(one.level, one.reason, one.source) for one in running.store.findings()] == [
            ("error", "DuplicateObject", f"{tmp_path}/a.yaml#1"),
            ("error", "DuplicateObject", f"{tmp_path}/b.yaml#1"),
        ]
        (tmp_path / "z.yaml").unlink()
        await running.until(lambda: running.service("web").cluster_ip == "10.0.0.2")


async def test_a_path_that_does_not_exist_is_said_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "there"
    async with live(path) as running:
        [finding] = running.store.findings()
        assert (finding.level, finding.source) == ("error", str(path))
        path.mkdir(parents=True)
        (path / "a.yaml").write_text(service("a"))
        await running.services("a")
        await running.reasons()


# How a change is made


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "dir" / "a.yaml"
    path.parent.mkdir()
    path.write_text(service("old"))
    return path


@pytest.fixture(params=["file", "directory", "relative", "through links"])
def watched(request: pytest.FixtureRequest, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    match request.param:
        case "file":
            return manifest
        case "directory":
            return manifest.parent
        case "relative":
            monkeypatch.chdir(tmp_path)
            return Path("dir/../dir")
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "far" / "away" / "link").symlink_to("../../dir")
    (tmp_path / "absolute").symlink_to(tmp_path / "far" / "away" / "link")
    return tmp_path / "absolute"


async def test_written_in_place(watched: Path, manifest: Path) -> None:
    async with live(watched) as running:
        manifest.write_text(service("new"))
        await running.services("new")
        with manifest.open("a") as file:
            file.write(service("more"))
        await running.services("more", "new")


async def test_replaced_by_rename(watched: Path, manifest: Path) -> None:
    async with live(watched) as running:
        for name in ("one", "two", "three"):
            replaced(manifest, service(name))
            await running.services(name)


async def test_same_size_and_time(watched: Path, manifest: Path) -> None:
    async with live(watched) as running:
        before = manifest.stat()
        manifest.write_text(service("neu"))
        os.utime(manifest, ns=(before.st_atime_ns, before.st_mtime_ns))
        await running.services("neu")


async def test_removed_and_created_again(watched: Path, manifest: Path) -> None:
    async with live(watched) as running:
        manifest.unlink()
        await running.services()
        manifest.write_text(service("back"))
        await running.services("back")


async def test_directory_swapped_by_rename(watched: Path, manifest: Path, tmp_path: Path) -> None:
    async with live(watched) as running:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.yaml").write_text(service(name))
            manifest.parent.rename(tmp_path / f"before-{name}")
            (tmp_path / name).rename(manifest.parent)
            await running.services(name)
        manifest.write_text(service("then"))
        await running.services("then")


async def test_directory_vanishes_and_comes_back(watched: Path, manifest: Path) -> None:
    async with live(watched) as running:
        manifest.unlink()
        manifest.parent.rmdir()
        await running.services()
        await running.reasons("Unreadable")
        manifest.parent.mkdir()
        manifest.write_text(service("back"))
        await running.services("back")
        await running.reasons()


async def test_written_in_pieces_ends_whole(watched: Path, manifest: Path) -> None:
    async with live(watched) as running:
        text = "".join(service(f"s{number}") for number in range(20))
        with manifest.open("w") as file:
            for start in range(0, len(text), 100):
                file.write(text[start : start + 100])
                file.flush()
                os.fsync(file.fileno())
        await running.services(*(f"s{number}" for number in range(20)))


async def test_new_subdirectories(manifest: Path) -> None:
    async with live(manifest.parent) as running:
        deep = manifest.parent / "x" / "y" / "z"
        deep.mkdir(parents=True)
        (deep / "b.yaml").write_text(service("deep"))
        await running.services("deep", "old")
        (deep / "c.yaml").write_text(service("deeper"))
        await running.services("deep", "deeper", "old")


@pytest.mark.parametrize("named", ["directory", "file"])
async def test_kubernetes_volume(tmp_path: Path, named: str) -> None:
    """A ConfigMap mount: visible names are links through `..data`, which is replaced whole."""
    volume = tmp_path / "volume"
    volume.mkdir()

    def publish(version: int, *names: str) -> Path:
        behind = volume / f"..2026_{version}"
        behind.mkdir()
        (behind / "a.yaml").write_text("".join(service(name) for name in names))
        (volume / "..data_tmp").symlink_to(behind.name)
        (volume / "..data_tmp").replace(volume / "..data")
        return behind

    old = publish(1, "one")
    (volume / "a.yaml").symlink_to("..data/a.yaml")
    async with live(volume if named == "directory" else volume / "a.yaml") as running:
        for version, names in enumerate((["two", "twice"], ["three"], ["one"]), 2):
            new = publish(version, *names)
            shutil.rmtree(old)
            await running.services(*names)
            assert running.store.findings() == ()
            old = new


# What is wrong


async def test_a_text_that_does_not_parse_keeps_its_objects(manifest: Path) -> None:
    async with live(manifest.parent) as running:
        manifest.write_text(service("new") + "---\nkind: [Service\n")
        await running.reasons("BadYaml")
        assert running.names() == ["old"]
        [finding] = running.store.findings()
        assert (finding.level, finding.source) == ("error", str(manifest))
        assert finding.message.startswith("line 8, column 1: ")
        manifest.write_text(service("new"))
        await running.services("new")
        await running.reasons()


async def test_one_wrong_document_keeps_its_object_and_lets_the_others_go_on(manifest: Path) -> None:
    manifest.write_text(service("a", ip="10.0.0.1") + service("b", ip="10.0.0.1") + service("c", ip="10.0.0.1"))
    async with live(manifest.parent) as running:
        manifest.write_text(service("a", ip="10.0.0.2") + service("b", ip="[3]") + service("d", ip="10.0.0.2"))
        await running.services("a", "b", "d")
        await running.reasons("WrongType")
        assert [running.service(name).cluster_ip for name in "abd"] == ["10.0.0.2", "10.0.0.1", "10.0.0.2"]
        [finding] = running.store.findings()
        assert (finding.kind, finding.namespace, finding.name) == ("Service", "default", "b")
        assert (finding.field, finding.source) == ("spec.clusterIP", f"{manifest}#2")
        manifest.write_text(service("a", ip="10.0.0.2"))
        await running.services("a")


async def test_a_file_that_became_unreadable_keeps_its_objects(manifest: Path) -> None:
    async with live(manifest.parent) as running:
        with manifest.open("r+b") as file:
            file.truncate((64 << 20) + 1)
        await running.reasons("Unreadable")
        assert running.names() == ["old"]


async def test_reload_reads_again(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(path: str) -> bytes:
        read.append(path)
        return service(f"read-{len(read)}").encode()

    monkeypatch.setattr("ingressd.kube.manifests.read_bytes", counted)
    async with live(manifest.parent) as running:
        assert running.names() == ["read-1"]
        running.source.reload()
        await running.services("read-2")
        assert read == [str(manifest)] * 2


async def test_files_that_did_not_change_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(path: str) -> bytes:
        read.append(Path(path).name)
        return read_bytes(path)

    monkeypatch.setattr("ingressd.kube.manifests.read_bytes", counted)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(service(name))
    async with live(tmp_path) as running:
        (tmp_path / "b.yaml").write_text(service("c"))
        await running.services("a", "c")
        assert read == ["a.yaml", "b.yaml", "b.yaml"]


async def test_without_watches_from_the_kernel_files_are_polled(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(*arguments: Any) -> Any:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr("ingressd.kube.watcher.RustNotify", limited)
    async with live(manifest.parent) as running:
        assert [one.reason for one in running.store.findings()] == ["Polling"]
        for name in ("one", "two", "six"):
            replaced(manifest, service(name))
            await running.services(name)


async def test_a_file_that_we_stumble_over_keeps_what_it_said_and_costs_no_other_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such file is known: a fault of ours is played."""

    def faulty(data: bytes, *rest: Any) -> Contents:
        if b"poison" in data:
            raise ArithmeticError("no such luck")
        return parse_manifest(data, *rest)

    monkeypatch.setattr("ingressd.kube.manifests.parse_manifest", faulty)
    (tmp_path / "a.yaml").write_text(service("a"))
    (tmp_path / "b.yaml").write_text(service("b"))
    async with live(tmp_path) as running:
        replaced(tmp_path / "a.yaml", service("a2") + "# poison")
        replaced(tmp_path / "b.yaml", service("b2"))
        await running.services("a", "b2")
        await running.reasons("InternalError")
        replaced(tmp_path / "a.yaml", service("a2"))
        await running.services("a2", "b2")
        await running.reasons()
