"""What compile is told besides the cluster: the settings of the controller that decide what is served."""

from msgspec import Struct

from ingressd.model.cluster import Key
from ingressd.policy.timeouts import Timeouts
from ingressd.routing.snapshot import CertificatePair


class RouteDefaults(Struct, frozen=True, kw_only=True):
    """``self_signed`` serves when no default certificate is given or it is unusable. ``max_body_bytes`` 0: no limit.

    ``config_map`` holds the global settings; ``https_port`` is the one that redirects may name.
    """

    ingress_class: str = "ingressd"
    controller_class: str = "ingressd.io/ingress-controller"
    watch_ingress_without_class: bool = False
    ingress_class_by_name: bool = False
    disable_catch_all: bool = False
    follow_external_names: bool = True
    allow_loopback_endpoints: bool = False
    default_backend_service: Key | None = None
    default_ssl_certificate: Key | None = None
    self_signed: CertificatePair | None = None
    timeouts: Timeouts = Timeouts()
    max_body_bytes: int = 1 << 20
    config_map: Key | None = None
    annotations_prefix: str = "nginx.ingress.kubernetes.io"
    ssl_passthrough: bool = False
    https_port: int = 443

    @property
    def replaces_nginx(self) -> bool:
        """Started in ingress-nginx's place: what only its Ingresses expect, and the specification does not, is done."""
        return self.controller_class == "k8s.io/ingress-nginx" or self.ingress_class == "nginx"
