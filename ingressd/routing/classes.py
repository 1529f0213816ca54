"""Which Ingresses are ours to serve.

The legacy annotation decides where it stands, whatever ``ingressClassName`` says; then ``ingressClassName`` by way of
its IngressClass; an Ingress that names no class is ours only when the flag says so. (That a class is marked as the
default matters to the API server at admission, not here.)
"""

from collections.abc import Iterator

from ingressd.model.cluster import ClusterState
from ingressd.model.finding import Finding
from ingressd.model.objects import Ingress, IngressClass
from ingressd.routing.defaults import RouteDefaults
from ingressd.routing.place import place_of

CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def our_classes(cluster: ClusterState, defaults: RouteDefaults) -> frozenset[str]:
    """Names of the IngressClasses we serve."""
    return frozenset(one.meta.name for one in cluster.classes.values() if _is_ours(one, defaults))


def _is_ours(ingress_class: IngressClass, defaults: RouteDefaults) -> bool:
    return ingress_class.controller == defaults.controller_class or (
        defaults.ingress_class_by_name and ingress_class.meta.name == defaults.ingress_class
    )


def is_served(ingress: Ingress, classes: frozenset[str], defaults: RouteDefaults) -> bool:
    """Whether this Ingress is ours; ``classes`` comes from ``our_classes``. Empty names count as absent."""
    annotated = ingress.meta.annotations.get(CLASS_ANNOTATION)
    if annotated:
        return annotated == defaults.ingress_class
    if ingress.class_name:
        return ingress.class_name in classes
    return defaults.watch_ingress_without_class


def class_findings(cluster: ClusterState, classes: frozenset[str]) -> Iterator[Finding]:
    """What is wrong with our classes themselves."""
    for ingress_class in cluster.classes.values():
        if ingress_class.parameters and ingress_class.meta.name in classes:
            message = f"parameters of kind {ingress_class.parameters} are not known here and are ignored"
            place = place_of(ingress_class.meta, "spec.parameters", "IngressClass")
            yield place.finding("warning", "UnknownParameters", message)


def stranger_findings(ingress: Ingress, cluster: ClusterState, defaults: RouteDefaults) -> Iterator[Finding]:
    """For an Ingress that is not ours but was probably meant to be: it names our class, which is not one of ours."""
    if ingress.class_name != defaults.ingress_class or ingress.meta.annotations.get(CLASS_ANNOTATION):
        return
    ingress_class = cluster.classes.get(("", ingress.class_name))
    if ingress_class is None:
        reason, why = "IngressClassNotFound", "does not exist; create it"
    else:
        reason, why = "IngressClassNotOurs", f"belongs to the controller {ingress_class.controller!r}"
    served = f"(controller {defaults.controller_class!r} is served)"
    message = f"not served: the IngressClass {ingress.class_name!r} {why} {served}"
    yield place_of(ingress.meta, "spec.ingressClassName").finding("warning", reason, message)
