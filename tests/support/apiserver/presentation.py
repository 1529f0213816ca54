"""Objects and lists in the representation a client asked for."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.apiserver.clock import Clock
from tests.support.apiserver.errors import Json
from tests.support.apiserver.event_versions import to_served
from tests.support.apiserver.kinds import Kind
from tests.support.apiserver.negotiation import Representation
from tests.support.apiserver.tables import column_definitions, table_row


class Presentation:
    def __init__(self, kind: Kind, representation: Representation, include_object: str, clock: Clock) -> None:
        self._kind = kind
        self._as = representation
        self._include_object = include_object or "Metadata"
        self._clock = clock

    def one(self, obj: Json, *, with_columns: bool = True) -> Json:
        if self._as.form == "Table":
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return self._table([obj], metadata, with_columns)
        if self._as.form:
            return self._partial(obj)
        return to_served(self._kind, obj)

    def many(self, objects: Sequence[Json], list_metadata: Json) -> Json:
        if self._as.form == "Table":
            return self._table(objects, list_metadata, True)
        if self._as.form:
            items = [self._partial(obj) for obj in objects]
            head = {"kind": "PartialObjectMetadataList", "apiVersion": self._as.api_version}
            return head | {"metadata": list_metadata, "items": items}
        # Items of a list carry no kind and apiVersion, as on real servers.
        items = [self._bare(obj) for obj in objects]
        head = {"kind": f"{self._kind.kind}List", "apiVersion": self._kind.api_version}
        return head | {"metadata": list_metadata, "items": items}

    def bookmark(self, metadata: Json) -> Json:
        if self._as.form == "Table":
            return self._table([], metadata, False)
        if self._as.form:
            return {"kind": self._as.form, "apiVersion": self._as.api_version, "metadata": metadata}
        # A real server sends an otherwise empty object of the watched type.
        empty: Json = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": metadata}
        if self._kind.kind == "EndpointSlice":
            empty |= {"addressType": "", "endpoints": None, "ports": None}
        return empty

    def _bare(self, obj: Json) -> Json:
        served = to_served(self._kind, obj)
        return {key: value for key, value in served.items() if key not in ("kind", "apiVersion")}

    def _partial(self, obj: Json) -> Json:
        return {"kind": "PartialObjectMetadata", "apiVersion": self._as.api_version, "metadata": obj["metadata"]}

    def _table(self, objects: Sequence[Json], metadata: Json, with_columns: bool) -> Json:
        rows = []
        for obj in objects:
            row: Json = {"cells": table_row(self._kind, obj, self._clock.now())}
            if self._include_object == "Object":
                row["object"] = to_served(self._kind, obj)
            elif self._include_object == "Metadata":
                row["object"] = self._partial(obj)
            rows.append(row)
        columns = column_definitions(self._kind) if with_columns else None
        head = {"kind": "Table", "apiVersion": self._as.api_version, "metadata": metadata}
        return head | {"columnDefinitions": columns, "rows": rows}
