"""What is said beside what client and upstream say: header sets, cookies, Location, compression."""

from ingressd.policy.compression import CodingSettings, Compression, CompressionRules
from ingressd.policy.cookies import CookieRewrite
from ingressd.policy.location_fields import LocationRewrite, LocationRule, problem_of
from ingressd.policy.request_fields import RequestEditor, RequestEdits
from ingressd.policy.response_fields import Fields, ResponseEditor, ResponseEdits
from ingressd.routing.annotations import Row
from ingressd.routing.annotations.rows import backend, clients, extras, redirects, responses
from ingressd.routing.policies.context import PolicyContext, header_fields
from ingressd.routing.policies.wishes import Wishes


def request_edits(wishes: Wishes) -> RequestEdits | None:
    made = RequestEdits(
        fields=wishes.context.request_fields + wishes.get(extras.REQUEST_HEADERS_SET),
        remove=wishes.get(extras.REQUEST_HEADERS_REMOVE),
        host=wishes.get(backend.UPSTREAM_VHOST),
        connection=wishes.get(backend.CONNECTION_PROXY_HEADER),
    )
    if made == RequestEdits() or not wishes.checked(backend.UPSTREAM_VHOST, lambda: RequestEditor(made)):
        return None
    return made


def response_edits_of_all(context: PolicyContext) -> ResponseEdits | None:
    """What the ConfigMap asks of every answer, whoever it is for."""
    made = ResponseEdits(
        fields=context.response_fields,
        hide=context.config.get(responses.HIDE_HEADERS),
        server=context.config.get(responses.ALLOW_BACKEND_SERVER_HEADER),
    )
    return None if made == ResponseEdits() else made


def response_edits(wishes: Wishes) -> ResponseEdits | None:
    """Strict-Transport-Security is added when the host turns out to have a certificate."""
    made = ResponseEdits(
        fields=wishes.context.response_fields + _custom(wishes) + wishes.get(extras.RESPONSE_HEADERS_SET),
        hide=wishes.get(responses.HIDE_HEADERS),
        remove=wishes.get(extras.RESPONSE_HEADERS_REMOVE),
        server=wishes.get(responses.ALLOW_BACKEND_SERVER_HEADER),
    )
    if made == ResponseEdits() or not wishes.checked(responses.CUSTOM_HEADERS, lambda: ResponseEditor(made)):
        return None
    return made


def _custom(wishes: Wishes) -> Fields:
    """The ConfigMap of ``custom-headers``: each of its headers must be allowed by the controller's."""
    row = responses.CUSTOM_HEADERS
    value = wishes.get(row)
    key = wishes.reference(row, needs_namespace=True, any_namespace=True) if value else None
    if key is None:
        return ()
    found = wishes.config_map(key)
    if found is None:
        wishes.deny(row, "ConfigMapNotFound", f"ConfigMap {value!r} does not exist, or its namespace is not watched")
        return ()
    allowed = {name.lower() for name in wishes.get(responses.GLOBAL_ALLOWED_RESPONSE_HEADERS)}
    refused = sorted(name for name in found.data if name.lower() not in allowed)
    fields, problems = header_fields(found)
    if refused:
        names = ", ".join(refused[:5])
        why = f"ConfigMap {value!r} sets {names}: global-allowed-response-headers does not list them"
        wishes.deny(row, "HeaderNotAllowed", why)
    elif problems:
        wishes.deny(row, "BadHeader", f"ConfigMap {value!r}: {problems[0]}")
    return fields


def cookie_rewrite(wishes: Wishes) -> CookieRewrite | None:
    domain, path = _pair(wishes, backend.PROXY_COOKIE_DOMAIN), _pair(wishes, backend.PROXY_COOKIE_PATH)
    if domain is None and path is None:
        return None
    return CookieRewrite(
        domain=domain[0] if domain else None,
        new_domain=domain[1] if domain else "",
        path=path[0] if path else None,
        new_path=path[1] if path else "",
    )


def _pair(wishes: Wishes, row: Row[tuple[str, str] | None]) -> tuple[str, str] | None:
    pair = wishes.get(row)
    if pair is not None and pair[0].startswith("~"):
        message = f"{pair[0]!r}: expressions (~) are not supported; the attribute is passed on unchanged"
        wishes.say(row, "error", "BadAnnotation", message)
        return None
    return pair


def location_rewrite(wishes: Wishes) -> LocationRewrite | None:
    """``off`` and ``default`` in from turn it off, as there."""
    row = redirects.PROXY_REDIRECT_FROM
    start, new_start = wishes.get(row), wishes.get(redirects.PROXY_REDIRECT_TO)
    if start in ("", "off", "default") or new_start in ("", "off"):
        return None
    made = LocationRewrite(start, new_start, wishes.get(redirects.RELATIVE_REDIRECTS))
    try:
        problem = problem_of(start, new_start)
        if not problem:
            LocationRule(made)
    except ValueError as error:
        problem = str(error)
    if problem:
        wishes.say(row, "error", "BadAnnotation", f"{problem}; Location is passed on unchanged")
        return None
    return made


def compression(wishes: Wishes) -> Compression | None:
    get = wishes.context.config.get
    gzip = brotli = None
    if get(clients.USE_GZIP):
        types = tuple(get(clients.GZIP_TYPES).split())
        gzip = CodingSettings(min(max(get(clients.GZIP_LEVEL), 1), 9), get(clients.GZIP_MIN_LENGTH), types)
    if get(clients.ENABLE_BROTLI):
        types = tuple(get(clients.BROTLI_TYPES).split())
        brotli = CodingSettings(min(get(clients.BROTLI_LEVEL), 11), get(clients.BROTLI_MIN_LENGTH), types)
    if gzip is None and brotli is None:
        return None
    made = Compression(gzip, brotli, get(clients.GZIP_DISABLE))
    try:
        CompressionRules(made, has_brotli=False)
    except ValueError:
        return Compression(gzip, brotli)  # whom gzip-disable means cannot be said: nobody then
    return made
