"""What comes out of Secrets and ConfigMaps, ready for use, by key.

A policy holds a cell and looks into it with each request, so that a Secret that changes needs no route to be bound
again. All cells that a change concerns are written in one turn of the loop, with the rest of the change. A cell whose
material cannot be used has ``ready`` None: whoever needs it denies.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple
from weakref import WeakValueDictionary

from ingressd.policy.htpasswd import Users, read_auth_file, read_auth_map
from ingressd.routing.snapshot import Material

log = logging.getLogger(__name__)

_MISSING = "it is not there"


class Trust(NamedTuple):
    """Ready form of ``trust:``: authorities that clients' certificates are verified against, and revocations."""

    ca_pem: bytes
    crl_pem: bytes

    def __repr__(self) -> str:
        return "<Trust>"


class Identity(NamedTuple):
    """Ready form of ``identity:``: who is believed to be a backend, and the certificate we show it. b"" for neither."""

    ca_pem: bytes
    chain_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return "<Identity>"


class MaterialCell:
    """One material as it is now. ``problem`` says why ``ready`` is None; it quotes nothing of the material.

    ``ready`` is another object whenever the material has changed, and the same as long as it has not. By kind:
    ``users:`` and ``user-map:`` ``policy.htpasswd.Users``; ``headers:`` names and values for ``AuthQuestion``;
    ``trust:`` ``Trust``; ``identity:`` ``Identity``.
    """

    __slots__ = ("__weakref__", "key", "material", "problem", "ready")

    def __init__(self, key: str) -> None:
        self.key = key
        self.material: Material | None = None
        self.ready: object | None = None
        self.problem = _MISSING

    def __repr__(self) -> str:
        return f"<MaterialCell {self.key}{': ' + self.problem if self.problem else ''}>"


class Prepared(NamedTuple):
    """A material that was made ready, and is not used yet."""

    material: Material
    ready: object | None
    problem: str


class Materials:
    """All materials of a worker. What is staged is seen by nobody before ``commit``."""

    __slots__ = ("_cells", "_kept", "_staged")

    def __init__(self) -> None:
        self._cells: WeakValueDictionary[str, MaterialCell] = WeakValueDictionary()  # those that anybody holds
        self._kept: dict[str, MaterialCell] = {}  # those that there is something to say about
        self._staged: dict[str, Prepared] = {}

    def cell(self, key: str) -> MaterialCell:
        """The cell of a key, whether there is such a material or not. It stays the same as long as anybody holds it."""
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = MaterialCell(key)
        return cell

    def keys(self) -> Iterable[str]:
        """Materials that are there, usable or not."""
        return self._kept.keys()

    def stage(self, material: Material) -> bool:
        """Make ready what a change brings; False when it is what we have already.

        Costs up to 60 ms for a mebibyte of users, so a thread may do it: only changes look at what is staged.
        """
        staged = self._staged.get(material.key)
        if staged is not None and staged.material is material:
            return True
        cell = self._kept.get(material.key)
        if cell is not None and cell.material == material:
            self._staged.pop(material.key, None)
            return False
        self._staged[material.key] = _prepared(material)
        return True

    def newest(self, key: str) -> object | None:
        """What ``cell(key).ready`` is when the change under way is committed."""
        staged = self._staged.get(key)
        if staged is not None:
            return staged.ready
        cell = self._kept.get(key)
        return None if cell is None else cell.ready

    def commit(self, removed: Iterable[str] = ()) -> None:
        """Write what was staged into its cells; those of ``removed`` are unusable from now on."""
        for key, (material, ready, problem) in self._staged.items():
            cell = self._kept[key] = self.cell(key)
            cell.material, cell.ready, cell.problem = material, ready, problem
        self._staged = {}
        for key in removed:
            gone = self._kept.pop(key, None)
            if gone is not None:
                gone.material, gone.ready, gone.problem = None, None, _MISSING

    def abandon(self) -> None:
        """Forget what was staged."""
        self._staged = {}


Maker = Callable[[Material], object]
"""Raises ValueError, with a sentence that quotes nothing, for what cannot be used."""


def _users(material: Material) -> Users:
    if "auth" not in material.values:
        raise ValueError("it has no key auth")
    users, _ = read_auth_file(material.values["auth"])  # what is wrong with lines of it the control process tells
    return users


def _user_map(material: Material) -> Users:
    users, _ = read_auth_map(material.values)
    return users


def _headers(material: Material) -> tuple[tuple[str, str], ...]:
    return tuple((name, value.decode()) for name, value in sorted(material.values.items()))


def _trust(material: Material) -> Trust:
    ca_pem = material.values.get("ca.crt", b"")
    if not ca_pem.strip():
        raise ValueError("it has no key ca.crt")
    return Trust(ca_pem, material.values.get("ca.crl", b""))


def _identity(material: Material) -> Identity:
    values = material.values
    chain, key = values.get("tls.crt", b""), values.get("tls.key", b"")
    if bool(chain) != bool(key):
        raise ValueError("it has one of tls.crt and tls.key without the other")
    return Identity(values.get("ca.crt", b""), chain, key)


_MAKERS: dict[str, Maker] = {
    "users": _users,
    "user-map": _user_map,
    "headers": _headers,
    "trust": _trust,
    "identity": _identity,
}


def _prepared(material: Material) -> Prepared:
    if material.problem:
        return Prepared(material, None, material.problem)
    maker = _MAKERS.get(material.key.partition(":")[0])
    try:
        if maker is None:
            raise ValueError("nobody knows what it is for")
        return Prepared(material, maker(material), "")
    except ValueError as error:
        # UnicodeDecodeError is one, and would quote what it could not read.
        problem = "it is not text" if isinstance(error, UnicodeDecodeError) else str(error)
        log.warning("%s cannot be used: %s; what needs it is denied", material.key, problem)
        return Prepared(material, None, problem)
