"""Every request of a route gets one answer: ``return 403`` and its like, as a typed setting."""

from msgspec import Struct

from ingressd.policy.ask import Answer, Ask
from ingressd.policy.location import location_line


class FixedAnswer(Struct, frozen=True, gc=False, array_like=True):
    """``location`` is where a redirect (3xx) leads; ``text`` the body of any other status, "" our usual words."""

    status: int
    text: str = ""
    location: str = ""


def fixed_answer(settings: FixedAnswer, ask: Ask) -> Answer:
    """What every request is answered with."""
    if settings.location:
        return Answer(settings.status, "respond", location_line(settings.location))
    if settings.text:
        body = settings.text.encode()
        return Answer(settings.status, "respond", b"Content-Type: text/plain; charset=utf-8\r\n", body)
    return Answer(settings.status, "respond")
