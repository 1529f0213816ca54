"""Snapshots to workers, reports back: framed messages over a socketpair.

A frame is four bytes of length (big endian) and a msgpack message. A change travels as its pieces between a ``Begin``
and a ``Commit``; pieces are small, so that neither side is busy for long with one of them, and nothing of a change is
seen by requests before its ``Commit``.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ingressd.policy.policies import GlobalPolicies
from ingressd.routing.delta import SnapshotDelta
from ingressd.routing.snapshot import Backend, CertificatePair, Material, Route, Snapshot, VirtualHost
from ingressd.telemetry.report import WorkerReport

MAX_FRAME_BYTES = 64 << 20
PIECE_ITEMS = 64
CERTIFICATES_PER_PIECE = 1
"""A context costs a worker about a millisecond of OpenSSL, so each is a piece of its own."""
MATERIALS_PER_PIECE = 1
"""A Secret may hold a mebibyte to be read."""


class Begin(Struct, tag="begin", frozen=True, gc=False):
    """A change to ``generation`` follows. ``full``: forget everything else first.

    ``policies`` take effect with the ``Commit``, like all else; they come first because contexts are made by them.
    """

    generation: int
    full: bool
    policies: GlobalPolicies | UnsetType = UNSET


class Materials(Struct, tag="materials", frozen=True, gc=False):
    upserts: tuple[Material, ...] = ()
    removed: tuple[str, ...] = ()


class Hosts(Struct, tag="hosts", frozen=True, gc=False):
    upserts: tuple[VirtualHost, ...] = ()
    removed: tuple[str, ...] = ()


class Backends(Struct, tag="backends", frozen=True, gc=False):
    upserts: tuple[Backend, ...] = ()
    removed: tuple[str, ...] = ()


class Certificates(Struct, tag="certificates", frozen=True, gc=False):
    """Some perhaps did not change: see ``certificates_to_send``."""

    upserts: tuple[CertificatePair, ...] = ()
    removed: tuple[str, ...] = ()


class Names(Struct, tag="names", frozen=True, gc=False):
    """Server names to certificate keys."""

    upserts: dict[str, str] = {}
    removed: tuple[str, ...] = ()


class Commit(Struct, tag="commit", frozen=True, gc=False):
    """Serve it. ``fallback`` and ``default_certificate`` are those of the new snapshot."""

    generation: int
    fallback: Route | None
    default_certificate: str


class Ask(Struct, tag="ask", frozen=True, gc=False):
    """Send a report now."""


ToWorker = Begin | Materials | Hosts | Backends | Certificates | Names | Commit | Ask


class Applied(Struct, tag="applied", frozen=True, gc=False):
    """``generation`` is being served."""

    generation: int


class Refused(Struct, tag="refused", frozen=True, gc=False):
    """``generation`` could not be built; the one before goes on."""

    generation: int
    message: str


class Report(Struct, tag="report", frozen=True, gc=False):
    """What the worker counted since its last report."""

    report: WorkerReport


FromWorker = Applied | Refused | Report

M = TypeVar("M")


class FrameReader:
    """Frames out of a stream of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Whole frames now available. Raises ValueError for a length no message of ours has."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= 4:
            size = int.from_bytes(buffer[at : at + 4], "big")
            if size > MAX_FRAME_BYTES:
                raise ValueError(f"a frame of {size} bytes")
            if len(buffer) - at - 4 < size:
                break
            yield bytes(buffer[at + 4 : at + 4 + size])
            at += 4 + size
        del buffer[:at]


def encode_frame(message: ToWorker | FromWorker) -> bytes:
    """One frame holding ``message``."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(4, "big") + body


decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode


def change_frames(delta: SnapshotDelta, snapshot: Snapshot, generation: int, *, full: bool) -> Iterator[bytes]:
    """The frames of the change that ``delta`` is and that ends in ``snapshot``, in the order a worker needs them."""
    yield encode_frame(Begin(generation, full, snapshot.policies if full else delta.policies))
    for materials in _pieces(delta.materials, MATERIALS_PER_PIECE):
        yield encode_frame(Materials(upserts=materials))
    for backends in _pieces(delta.backends, PIECE_ITEMS):
        yield encode_frame(Backends(upserts=backends))
    for certificates in _pieces(certificates_to_send(delta, snapshot), CERTIFICATES_PER_PIECE):
        yield encode_frame(Certificates(upserts=certificates))
    names = tuple(delta.server_names)
    for some in _pieces(names, PIECE_ITEMS * 8):
        yield encode_frame(Names(upserts={name: delta.server_names[name] for name in some}))
    for hosts in _host_pieces(delta.hosts):
        yield encode_frame(Hosts(upserts=hosts))
    for removed in _pieces(delta.hosts_removed, PIECE_ITEMS):
        yield encode_frame(Hosts(removed=removed))
    for removed in _pieces(delta.backends_removed, PIECE_ITEMS):
        yield encode_frame(Backends(removed=removed))
    for removed in _pieces(delta.server_names_removed, PIECE_ITEMS):
        yield encode_frame(Names(removed=removed))
    for removed in _pieces(delta.certificates_removed, PIECE_ITEMS):
        yield encode_frame(Certificates(removed=removed))
    for removed in _pieces(delta.materials_removed, PIECE_ITEMS):
        yield encode_frame(Materials(removed=removed))
    yield encode_frame(Commit(generation, snapshot.fallback, snapshot.default_certificate))


def _host_pieces(hosts: Sequence[VirtualHost]) -> Iterator[tuple[VirtualHost, ...]]:
    """A route with policies costs a worker some 30 µs and more to bind, as much as a plain host with its routes."""
    piece: list[VirtualHost] = []
    weight = 0
    for host in hosts:
        mine = 1 + sum([route.policies is not None for route in host.routes])
        if piece and weight + mine > PIECE_ITEMS:
            yield tuple(piece)
            piece, weight = [], 0
        piece.append(host)
        weight += mine
    if piece:
        yield tuple(piece)


def certificates_to_send(delta: SnapshotDelta, snapshot: Snapshot) -> Sequence[CertificatePair]:
    """Certificates that changed, and those that a worker may need once more: it keeps no private key beside OpenSSL's.

    Hosts with TLS of their own have contexts of their own, each of which holds a certificate too.
    """
    if delta.policies is not UNSET:  # ciphers, perhaps, which every context has
        return tuple(snapshot.certificates.values())
    if not (delta.hosts or delta.hosts_removed or delta.materials or delta.certificates or delta.server_names
            or delta.server_names_removed or delta.default_certificate is not UNSET):  # fmt: skip
        return delta.certificates
    needed = {certificate_key(snapshot, host.name): None for host in snapshot.hosts.values() if _has_context(host)}
    for pair in delta.certificates:
        needed.pop(pair.key, None)
    return (*delta.certificates, *[held for key in needed if (held := snapshot.certificates.get(key)) is not None])


def _has_context(host: VirtualHost) -> bool:
    tls = host.tls
    return tls is not None and bool(tls.trust or tls.ciphers or tls.prefers_server_order is not None)


def certificate_key(snapshot: Snapshot, host: str) -> str:
    """The certificate a host is served with, as ``tls.sni.ServerNames`` chooses."""
    names = snapshot.server_names
    return names.get(host) or names.get("*." + host.partition(".")[2]) or snapshot.default_certificate


def _pieces(items: Sequence[M], size: int) -> Iterator[tuple[M, ...]]:
    for at in range(0, len(items), size):
        yield tuple(items[at : at + size])


async def send_frames(writer: asyncio.StreamWriter, frames: Iterator[bytes]) -> None:
    """Write frames, waiting whenever the reader is behind."""
    for frame in frames:
        writer.write(frame)
        await writer.drain()
