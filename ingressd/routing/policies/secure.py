"""What a certificate adds to the routes of its host: the redirect of plain HTTP, and Strict-Transport-Security."""

from msgspec.structs import replace

from ingressd.policy.policies import RoutePolicies
from ingressd.policy.redirects import HttpsRedirect
from ingressd.policy.response_fields import ResponseEdits
from ingressd.routing.policies.context import PolicyContext

_NOTHING = RoutePolicies()


def with_tls(
    policies: RoutePolicies | None, redirect: HttpsRedirect | None, context: PolicyContext
) -> RoutePolicies | None:
    """The policies with both. Those of routes that ask for nothing are one value for all of them."""
    if policies is not None:
        return _added(policies, redirect, context)
    made = context.quiet.get(redirect)
    if made is None:
        made = context.quiet[redirect] = _added(_NOTHING, redirect, context)
    return None if made == _NOTHING else made


def _added(policies: RoutePolicies, redirect: HttpsRedirect | None, context: PolicyContext) -> RoutePolicies:
    if redirect is not None and policies.https_redirect is None:
        policies = replace(policies, https_redirect=redirect)
    if context.hsts is not None:
        response = policies.response or ResponseEdits()
        if response.hsts is None:
            policies = replace(policies, response=replace(response, hsts=context.hsts))
    return policies
