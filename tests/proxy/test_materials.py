"""Secrets and ConfigMaps as policies see them: always a cell, ready or with the reason why not."""

import gc

import pytest

from ingressd.policy.htpasswd import Users
from ingressd.proxy.materials import Identity, Materials, Trust
from ingressd.routing.snapshot import Material

USERS = Material("users:ns/a", {"auth": b"who:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\n"})


def ready(material: Material) -> object | None:
    materials = Materials()
    materials.stage(material)
    materials.commit()
    return materials.cell(material.key).ready


def test_users_of_both_forms() -> None:
    hashes = {b"who": b"{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="}
    for material in (USERS, Material("user-map:ns/a", {"who": hashes[b"who"]})):
        users = ready(material)
        assert isinstance(users, Users)
        assert users.hashes == hashes


@pytest.mark.parametrize(
    ("material", "expected"),
    [
        (Material("headers:ns/a", {"X-B": b"$host", "X-A": b"1"}), (("X-A", "1"), ("X-B", "$host"))),
        (Material("trust:ns/a", {"ca.crt": b"CA"}), Trust(b"CA", b"")),
        (Material("trust:ns/a", {"ca.crt": b"CA", "ca.crl": b"CRL"}), Trust(b"CA", b"CRL")),
        (Material("identity:ns/a", {"ca.crt": b"CA"}), Identity(b"CA", b"", b"")),
        (Material("identity:ns/a", {"tls.crt": b"C", "tls.key": b"K"}), Identity(b"", b"C", b"K")),
    ],
)
def test_other_kinds(material: Material, expected: object) -> None:
    assert ready(material) == expected


@pytest.mark.parametrize(
    ("material", "problem"),
    [
        (Material("users:ns/a", problem="there is no Secret ns/a"), "there is no Secret ns/a"),
        (Material("users:ns/a", {"other": b"hunter2"}), "it has no key auth"),
        (Material("headers:ns/a", {"X-A": b"hunter2\xff"}), "it is not text"),
        (Material("trust:ns/a", {"ca.crt": b" "}), "it has no key ca.crt"),
        (Material("identity:ns/a", {"tls.key": b"hunter2"}), "it has one of tls.crt and tls.key without the other"),
        (Material("riddle:ns/a", {"a": b"hunter2"}), "nobody knows what it is for"),
    ],
)
def test_what_cannot_be_used(material: Material, problem: str, caplog: pytest.LogCaptureFixture) -> None:
    materials = Materials()
    assert materials.stage(material)
    materials.commit()
    cell = materials.cell(material.key)
    assert (cell.ready, cell.problem) == (None, problem)
    assert "hunter2" not in caplog.text + repr(cell)


def test_a_cell_is_there_before_its_material_and_after_it() -> None:
    materials = Materials()
    cell = materials.cell(USERS.key)
    assert (cell.ready, cell.problem) == (None, "it is not there")
    assert materials.stage(USERS)
    assert cell.problem == "it is not there"
    assert materials.newest(USERS.key) == Users({b"who": USERS.values["auth"][4:-1]}, USERS.values["auth"][4:-1])
    materials.commit()
    assert repr(cell.ready) == "<Users: 1>"
    assert materials.cell(USERS.key) is cell
    materials.commit([USERS.key])
    assert (cell.ready, cell.problem, cell.material) == (None, "it is not there", None)
    assert materials.newest(USERS.key) is None
    materials.stage(USERS)
    materials.commit()
    assert (repr(cell), repr(cell.ready)) == ("<MaterialCell users:ns/a>", "<Users: 1>")


def test_what_did_not_change_stays_the_same_object() -> None:
    materials = Materials()
    materials.stage(USERS)
    materials.commit()
    before = materials.cell(USERS.key).ready
    assert not materials.stage(Material(USERS.key, dict(USERS.values)))
    materials.commit()
    assert materials.cell(USERS.key).ready is before
    assert materials.newest(USERS.key) is before


def test_an_abandoned_change_leaves_nothing_behind() -> None:
    materials = Materials()
    materials.stage(USERS)
    materials.abandon()
    materials.commit()
    assert materials.cell(USERS.key).ready is None
    assert not materials.keys()


def test_a_mere_question_leaves_nothing_behind() -> None:
    materials = Materials()
    materials.cell("users:ns/never")
    gc.collect()
    assert not materials._cells


def test_secrets_are_not_shown() -> None:
    shown = repr([Trust(b"hunter2", b""), Identity(b"", b"hunter2", b"hunter2"), USERS])
    assert "hunter2" not in shown
    assert "SHA" not in shown
