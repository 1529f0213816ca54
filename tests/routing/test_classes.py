"""Which Ingresses are ours, by class."""

from typing import NamedTuple

import pytest

from ingressd.model.objects import IngressClass
from ingressd.routing.classes import CLASS_ANNOTATION
from ingressd.routing.compile import RouteDefaults, compile_routes
from tests.support.objects import cluster, ingress, ingress_class, prefix, rule

OURS = ingress_class("ours")
NAMED = ingress_class("ingressd", "example.com/another")
THEIRS = ingress_class("theirs", "example.com/another")


class Case(NamedTuple):
    class_name: str | None = None
    annotation: str | None = None
    without_class: bool = False
    by_name: bool = False


SERVED = {
    "a class of our controller": Case("ours"),
    "the annotation": Case(annotation="ingressd"),
    "the annotation wins": Case("theirs", "ingressd"),
    "an empty annotation is none": Case("ours", ""),
    "no class, by flag": Case(without_class=True),
    "empty class, by flag": Case("", "", without_class=True),
    "our name of another's controller, by flag": Case("ingressd", by_name=True),
}
NOT_SERVED = {
    "a class of another controller": Case("theirs"),
    "a class that does not exist": Case("nowhere"),
    "our name of another's controller": Case("ingressd"),
    "another's name, by name": Case("theirs", by_name=True),
    "a name that does not exist, by name": Case("nowhere", by_name=True),
    "another annotation": Case(annotation="nginx"),
    "another annotation wins": Case("ours", "nginx"),
    "the annotation means our class name, not any class of ours": Case(annotation="ours"),
    "no class": Case(),
    "another annotation, class-less": Case(annotation="nginx", without_class=True),
    "a class of another, class-less": Case("theirs", without_class=True),
}


def is_served(case: Case) -> bool:
    annotations = {} if case.annotation is None else {CLASS_ANNOTATION: case.annotation}
    one = ingress("one", rule("a.com", prefix("/", "web:80")), class_name=case.class_name, annotations=annotations)
    defaults = RouteDefaults(watch_ingress_without_class=case.without_class, ingress_class_by_name=case.by_name)
    compiled = compile_routes(cluster(one, OURS, NAMED, THEIRS), defaults)
    assert compiled.served == ({("default", "one")} if compiled.snapshot.hosts else set())
    return bool(compiled.served)


@pytest.mark.parametrize("case", SERVED.values(), ids=SERVED)
def test_served(case: Case) -> None:
    assert is_served(case)


@pytest.mark.parametrize("case", NOT_SERVED.values(), ids=NOT_SERVED)
def test_not_served(case: Case) -> None:
    assert not is_served(case)


@pytest.mark.parametrize(
    ("classes", "reason"), [((OURS,), "IngressClassNotFound"), ((OURS, NAMED), "IngressClassNotOurs")]
)
def test_an_ingress_of_our_name_is_told_why_it_is_not_served(classes: tuple[IngressClass, ...], reason: str) -> None:
    compiled = compile_routes(cluster(ingress("one"), *classes), RouteDefaults())
    assert [(f.reason, f.kind, f.field) for f in compiled.findings] == [(reason, "Ingress", "spec.ingressClassName")]


def test_an_ingress_of_others_is_none_of_our_business() -> None:
    compiled = compile_routes(cluster(ingress("one", class_name="theirs"), THEIRS), RouteDefaults())
    assert compiled.findings == ()


def test_parameters_are_a_finding_on_our_class_only() -> None:
    ours, theirs = ingress_class("a", parameters="Knobs/x"), ingress_class("b", "another", "Knobs/y")
    compiled = compile_routes(cluster(ours, theirs), RouteDefaults())
    assert [(f.kind, f.name, f.reason, f.field) for f in compiled.findings] == [
        ("IngressClass", "a", "UnknownParameters", "spec.parameters")
    ]
