"""Accept: plain objects, tables, or metadata only."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.apiserver.errors import ApiError

_GROUPS = ("meta.k8s.io",)
_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Representation:
    form: str = ""  # "" for the object itself
    api_version: str = ""

    @property
    def content_type(self) -> str:
        if not self.form:
            return "application/json"
        version = self.api_version.partition("/")[2]
        return f"application/json;as={self.form};g=meta.k8s.io;v={version}"


PLAIN = Representation()


def negotiate(accept: str) -> Representation:
    """The first acceptable form in the client's order; servers skip forms they do not know."""
    if not accept.strip():
        return PLAIN
    for item in accept.split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        if media not in ("application/json", "*/*", "application/*"):
            continue
        values = dict(parameter.partition("=")[::2] for parameter in parameters)
        form = values.get("as", "")
        if not form:
            return PLAIN
        if form in _FORMS and values.get("g") in _GROUPS and values.get("v") in ("v1", "v1beta1"):
            return Representation(form.removesuffix("List"), f"meta.k8s.io/{values['v']}")
    raise ApiError(406, "NotAcceptable", "only application/json is served")
