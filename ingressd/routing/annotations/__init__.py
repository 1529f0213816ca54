"""Annotations and ConfigMap keys of ingress-nginx, and our own: one table, and the readers driven by it.

    config = read_config_map(config_map)
    values = read_annotations(ingress.meta, config=config)
    values.get(backend.PROXY_READ_TIMEOUT)      # an int: the Ingress's, the ConfigMap's, or the default

The rows are in ``rows/``, a module for each topic. ``docs/annotations.md`` is made from them.
"""

from ingressd.routing.annotations.global_values import BUILT_IN, GlobalValues, read_config_map
from ingressd.routing.annotations.reading import PREFIX, AnnotationValues, read_annotations
from ingressd.routing.annotations.references import reference
from ingressd.routing.annotations.row import BadValue, Row

__all__ = [
    "BUILT_IN",
    "PREFIX",
    "AnnotationValues",
    "BadValue",
    "GlobalValues",
    "Row",
    "read_annotations",
    "read_config_map",
    "reference",
]
