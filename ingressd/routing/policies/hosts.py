"""What one Ingress asks for a whole host: names, client certificates, TLS, the page behind ``/``."""

from ingressd.policy.client_certificate import ClientCertificates, Verify
from ingressd.policy.pattern import compile_pattern
from ingressd.policy.redirects import AppRoot
from ingressd.routing.annotations.rows import paths, redirects, tls
from ingressd.routing.claims import HostWishes
from ingressd.routing.policies import backend
from ingressd.routing.policies.wishes import Wishes
from ingressd.tls.checks import check_ciphers

_VERIFY = {"on": Verify.REQUIRED, "optional": Verify.OPTIONAL, "optional_no_ca": Verify.OPTIONAL_NO_CA}
_NOTHING = HostWishes()
_HOST_CLOSED = "all of its host answers 403"


def host_wishes(wishes: Wishes) -> HostWishes | None:
    """The same for all hosts of the Ingress; None: nothing. May deny the Ingress's paths."""
    if not wishes.values.rows:
        return None
    root = wishes.get(paths.APP_ROOT)
    said = wishes.values.is_set
    made = HostWishes(
        app_root=AppRoot(root) if root else None,
        aliases=_aliases(wishes),
        certificates=_certificates(wishes),
        verify_depth=_verify_depth(wishes),
        ciphers=_ciphers(wishes),
        prefers_server_order=wishes.get(tls.SSL_PREFER_SERVER_CIPHERS) if said(tls.SSL_PREFER_SERVER_CIPHERS) else None,
        backend_tls=None if wishes.get(tls.PROXY_SSL_LOCATION_ONLY) else backend.backend_tls(wishes),
        www=wishes.get(redirects.FROM_TO_WWW_REDIRECT),
        passthrough=_passthrough(wishes),
    )
    return None if made == _NOTHING else made


def _verify_depth(wishes: Wishes) -> int:
    """0 is the default's, as there; less than that nginx would not start with."""
    depth = wishes.get(tls.AUTH_TLS_VERIFY_DEPTH)
    return depth if depth > 0 else tls.AUTH_TLS_VERIFY_DEPTH.default


def _ciphers(wishes: Wishes) -> str:
    """With a list that OpenSSL makes nothing of nginx would not take up any change: here it holds for nobody."""
    row = tls.SSL_CIPHERS
    if not wishes.values.is_set(row):
        return ""
    ciphers, problem = check_ciphers(wishes.get(row))
    if problem:
        wishes.say(row, "error", "BadAnnotation", problem)
        return ""
    return ciphers


def _aliases(wishes: Wishes) -> tuple[str, ...]:
    names = wishes.get(paths.SERVER_ALIAS)
    patterns = [name for name in names if name.startswith("~")]
    if patterns:
        message = (
            f"{patterns[0]!r}: names by expressions are not served; write the names, or a wildcard such as *.a.com"
        )
        wishes.say(paths.SERVER_ALIAS, "error", "AliasLost", message)
    return tuple(name for name in names if not name.startswith("~"))


def _certificates(wishes: Wishes) -> ClientCertificates | None:
    """A Secret that may not be named leaves the host closed (``trust`` ""), as one that is not there does."""
    row = tls.AUTH_TLS_SECRET
    if not wishes.get(row):
        return None
    if wishes.get(tls.AUTH_TLS_VERIFY_CLIENT) == "off":
        return ClientCertificates(verify=Verify.OFF)
    key = wishes.reference(row, needs_namespace=True, what=_HOST_CLOSED)
    pattern = wishes.get(tls.AUTH_TLS_MATCH_CN)
    if pattern and not wishes.checked(tls.AUTH_TLS_MATCH_CN, lambda: compile_pattern(pattern), _HOST_CLOSED):
        key, pattern = None, ""
    page = wishes.get(tls.AUTH_TLS_ERROR_PAGE)
    if page.startswith("@"):
        wishes.say(
            tls.AUTH_TLS_ERROR_PAGE,
            "error",
            "BadAnnotation",
            f"{page!r} names a location of nginx; write a URL: clients get 400",
        )
        page = ""
    return ClientCertificates(
        trust=wishes.material("trust", row, key) if key is not None else "",
        verify=_VERIFY[wishes.get(tls.AUTH_TLS_VERIFY_CLIENT)],
        error_page=page,
        name_pattern=pattern,
        pass_certificate=wishes.get(tls.AUTH_TLS_PASS_CERTIFICATE_TO_UPSTREAM),
    )


def _passthrough(wishes: Wishes) -> bool:
    if not wishes.get(tls.SSL_PASSTHROUGH):
        return False
    if not wishes.context.defaults.ssl_passthrough:
        message = "TLS ends here unless ingressd is started with --enable-ssl-passthrough"
        wishes.say(tls.SSL_PASSTHROUGH, "warning", "PassthroughDisabled", message)
        return False
    return True
