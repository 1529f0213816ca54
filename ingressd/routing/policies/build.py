"""All that one Ingress asks for, put together: once for the Ingress, then what differs from path to path."""

from typing import Any

from msgspec.structs import replace

from ingressd.model.objects import Meta
from ingressd.policy.policies import RoutePolicies
from ingressd.policy.rewrite import Rewrite, Rewriter
from ingressd.policy.timeouts import Timeouts
from ingressd.policy.trailing_slash import TrailingSlash
from ingressd.policy.varied_rewrite import VariedRewriter, is_varied
from ingressd.routing.annotations import AnnotationValues
from ingressd.routing.annotations.rows import access as access_rows
from ingressd.routing.annotations.rows import extras as extra_rows
from ingressd.routing.annotations.rows import observing, paths, responses
from ingressd.routing.annotations.rows import redirects as redirect_rows
from ingressd.routing.endpoints import ServiceTarget
from ingressd.routing.place import Place
from ingressd.routing.policies import access, backend, headers, redirects
from ingressd.routing.policies.context import PathPolicies, PolicyContext
from ingressd.routing.policies.wishes import Wishes

_NOTHING = RoutePolicies()


class IngressPolicies:
    """The annotations of one Ingress as policies. Findings and materials gather in ``wishes``."""

    def __init__(self, meta: Meta, values: AnnotationValues, context: PolicyContext, denied: str = "") -> None:
        """``denied``: why all of it is, whatever it asks for."""
        self.wishes = wishes = Wishes(meta, values, context, denied)
        self.timeouts: Timeouts = backend.timeouts(wishes)
        self.max_body_bytes = backend.max_body_bytes(wishes)
        self.spoken = backend.spoken(wishes)
        self.redirect, self._always_redirects = redirects.https_redirect(wishes)
        self.stand_in = backend.stand_in(wishes)
        self.other_places: dict[str, Place] = {}  # where backends are named beside those of the paths
        if self.stand_in is not None:
            self.other_places[self.stand_in.key] = wishes.place(responses.DEFAULT_BACKEND)
        backend.check_error_pages(wishes)
        self._common = _common(wishes)
        self._auth_exempt = wishes.get(access_rows.NO_AUTH_LOCATIONS)
        self._tls_exempt = wishes.get(redirect_rows.NO_TLS_REDIRECT_LOCATIONS)
        self._rewrite_target = wishes.get(paths.REWRITE_TARGET)
        self._relative = wishes.get(redirect_rows.RELATIVE_REDIRECTS)
        self._own_scope = wishes.get(extra_rows.REGEX_SCOPE) == "path"
        self._uses_regex = wishes.get(paths.USE_REGEX)
        self.is_plain = self._is_plain()
        self.usual = PathPolicies(None, self.redirect)  # of paths that ask for nothing

    @property
    def denied(self) -> str:
        return self.wishes.denied

    @property
    def only_own_paths(self) -> bool:
        """Patterns are for this Ingress's paths, whatever the rest of the host is."""
        return self._own_scope

    def makes_pattern(self, path: str) -> bool:
        """Whether the declared path is a pattern: asked for, or rewritten to something else."""
        return self._uses_regex or (bool(self._rewrite_target) and self._rewrite_target != path)

    def for_path(self, host: str, path: str, target: ServiceTarget | None, otherwise: str = "") -> PathPolicies:
        """``path`` as it was declared; ``otherwise`` is the key of the controller's default backend."""
        redirect = self.redirect
        if redirect is not None and redirects.is_exempt(path, self._tls_exempt):
            redirect = None
        if self.is_plain:
            return self.usual if redirect is self.redirect else PathPolicies(None, redirect)
        if self.wishes.denied:
            return PathPolicies(self._closed(), redirect)
        changes, others = self._changes(host, path, target, otherwise)
        if redirect is not None and self._always_redirects:
            changes["https_redirect"], redirect = redirect, None
        made = replace(self._common, **changes) if changes else self._common
        return PathPolicies(None if made == _NOTHING else made, redirect, others)

    def with_slash(self, policies: RoutePolicies | None, path: str) -> RoutePolicies:
        """With nginx's redirect from the path without its closing slash."""
        step = TrailingSlash(path.rstrip("/"), self._relative)
        return replace(policies or _NOTHING, trailing_slash=step)

    def _is_plain(self) -> bool:
        """Nothing is asked of any path but perhaps a redirect to HTTPS where there is a certificate."""
        return (
            self._common == _NOTHING
            and not self.wishes.denied
            and not self._rewrite_target
            and not self._always_redirects
            and not self.wishes.values.rows
            and not self.wishes.get(responses.CUSTOM_HTTP_ERRORS)
        )

    def _closed(self) -> RoutePolicies:
        """Who is never wanted, and preflights, come before the 503, which has the ConfigMap's headers too."""
        common = self._common
        return RoutePolicies(
            denied=self.wishes.denied,
            blocks=common.blocks,
            cors=common.cors,
            response=headers.response_edits_of_all(self.wishes.context),
            access_log=common.access_log,
        )

    def _changes(
        self, host: str, path: str, target: ServiceTarget | None, otherwise: str
    ) -> tuple[dict[str, Any], tuple[ServiceTarget, ...]]:
        changes: dict[str, Any] = {}
        others = []
        auth = self._common.external_auth
        if auth is not None:
            changes["external_auth"] = replace(auth, scope=f"{host}{path}")
        if (auth or self._common.basic_auth) and redirects.is_exempt(path, self._auth_exempt):
            changes |= {"external_auth": None, "basic_auth": None}
        if self._rewrite_target and self._rewrite_target != path:
            changes |= self._rewrite(path)
        if target is not None:
            changes |= self._of_target(path, target, otherwise)
            if self.stand_in is not None:
                others.append(self.stand_in)
            if self.spoken.follows_client and target.tls is None:
                secure = replace(target, tls=self.spoken.tls)
                changes["secure_backend"] = secure.key
                others.append(secure)
        return changes, tuple(others)

    def _rewrite(self, path: str) -> dict[str, Any]:
        made = Rewrite(path, self._rewrite_target, self.wishes.get(paths.X_FORWARDED_PREFIX))
        try:
            if varied := is_varied(made):
                VariedRewriter(made)
            else:
                Rewriter(made)
        except ValueError as error:
            why = f"the path cannot be rewritten: {error}"
            self.wishes.say(paths.REWRITE_TARGET, "error", "BadPattern", f"{why}; it answers 503")
            return {"denied": why, "rewrite": None, "redirect": None, "respond": None}
        return {"varied_rewrite": made} if varied else {"rewrite": made}

    def _of_target(self, path: str, target: ServiceTarget, otherwise: str) -> dict[str, Any]:
        sticky = backend.affinity(self.wishes, path, target)
        pages = backend.error_pages(self.wishes, target, otherwise)
        return {name: one for name, one in (("affinity", sticky), ("error_pages", pages)) if one is not None}


def ingress_policies(meta: Meta, values: AnnotationValues, context: PolicyContext, denied: str = "") -> IngressPolicies:
    """One object stands for all Ingresses that ask for nothing."""
    if not values.rows and not values.denied and not denied:
        if isinstance(context.plain, IngressPolicies):
            return context.plain
        made = IngressPolicies(meta, values, context)
        context.plain = made if made.is_plain else None
        return made
    return IngressPolicies(meta, values, context, denied)


def _common(wishes: Wishes) -> RoutePolicies:
    """What is the same for all paths of the Ingress. An Ingress that says nothing gets the ConfigMap's, made once."""
    context = wishes.context
    if not wishes.values.rows and context.common is not None:
        return context.common
    made = RoutePolicies(
        blocks=access.blocks(wishes),
        cors=access.cors(wishes),
        redirect=redirects.fixed_redirect(wishes),
        respond=redirects.respond(wishes),
        limits=access.rate_limits(wishes),
        addresses=access.addresses(wishes),
        basic_auth=access.basic_auth(wishes),
        external_auth=access.external_auth(wishes),
        satisfy_any=wishes.get(access_rows.SATISFY) == "any",
        request=headers.request_edits(wishes),
        hash_by=backend.hash_by(wishes),
        latency_balanced=backend.is_latency_balanced(wishes),
        next_upstream=backend.next_upstream(wishes),
        mirror=backend.mirror(wishes),
        buffers_request=backend.buffers_request(wishes),
        response=headers.response_edits(wishes),
        cookies=headers.cookie_rewrite(wishes),
        location=headers.location_rewrite(wishes),
        compression=headers.compression(wishes),
        bandwidth=access.bandwidth(wishes),
        max_response_header_bytes=backend.max_response_header_bytes(wishes),
        access_log=wishes.get(observing.ENABLE_ACCESS_LOG),
    )
    if not wishes.values.rows and not wishes.denied:
        context.common = made
    return made
