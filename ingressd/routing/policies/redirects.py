"""Redirects: fixed ones, to HTTPS, from the path without its slash."""

from ingressd.policy.fixed_answer import FixedAnswer
from ingressd.policy.redirects import FixedRedirect, HttpsRedirect
from ingressd.routing.annotations.rows import extras, redirects
from ingressd.routing.policies.wishes import Wishes


def fixed_redirect(wishes: Wishes) -> FixedRedirect | None:
    """The temporal one wins over the permanent one."""
    relative = wishes.get(redirects.RELATIVE_REDIRECTS)
    if target := wishes.get(redirects.TEMPORAL_REDIRECT):
        return FixedRedirect(target, wishes.get(redirects.TEMPORAL_REDIRECT_CODE), relative)
    if target := wishes.get(redirects.PERMANENT_REDIRECT):
        return FixedRedirect(target, wishes.get(redirects.PERMANENT_REDIRECT_CODE), relative)
    return None


def respond(wishes: Wishes) -> FixedAnswer | None:
    answer = wishes.get(extras.RESPOND_WITH)
    if answer is None:
        return None
    if 300 <= answer.status < 400 and answer.text:
        return FixedAnswer(answer.status, location=answer.text)
    return FixedAnswer(answer.status, answer.text)


def https_redirect(wishes: Wishes) -> tuple[HttpsRedirect | None, bool]:
    """What plain HTTP is answered; and whether also on a host without a certificate."""
    always = wishes.get(redirects.FORCE_SSL_REDIRECT)
    if not always and not wishes.get(redirects.SSL_REDIRECT):
        return None, False
    names_port = wishes.get(redirects.USE_PORT_IN_REDIRECTS)
    made = HttpsRedirect(
        wishes.get(redirects.HTTP_REDIRECT_CODE),
        wishes.get(redirects.PRESERVE_TRAILING_SLASH),
        str(wishes.context.defaults.https_port) if names_port else "",
    )
    return made, always


def is_exempt(path: str, beginnings: tuple[str, ...]) -> bool:
    """Whether a declared path begins with one of the texts (``no-tls-redirect-locations``, ``no-auth-locations``)."""
    return any(path.startswith(beginning) for beginning in beginnings)
