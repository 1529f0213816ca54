"""nginx's automatic redirect: where only the prefix ``/foo/`` is declared, ``/foo`` is sent there."""

from msgspec import Struct

from ingressd.policy.ask import Answer, Ask
from ingressd.policy.location import location_line, own_origin


class TrailingSlash(Struct, frozen=True, gc=False, array_like=True):
    """``path`` is the prefix without its closing slash. ``relative``: the target is left without scheme and host."""

    path: str
    relative: bool = False


def trailing_slash(settings: TrailingSlash, ask: Ask) -> Answer | None:
    """301 to the path with its slash, the query kept; None for every other path of the route."""
    if ask.path != settings.path:
        return None
    target = (ask.path + "/" + ask.query).encode("latin-1")
    return Answer(301, "trailing_slash", location_line(target if settings.relative else own_origin(ask) + target))
