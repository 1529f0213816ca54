"""All response cases."""

from tests.wire.corpus import (
    responses_coding,
    responses_ends,
    responses_fields,
    responses_interim,
    responses_length,
    responses_status,
)
from tests.wire.corpus.response_case import Case

TOPICS: dict[str, tuple[Case, ...]] = {
    "status": responses_status.CASES,
    "fields": responses_fields.CASES,
    "length": responses_length.CASES,
    "ends": responses_ends.CASES,
    "coding": responses_coding.CASES,
    "interim": responses_interim.CASES,
}
RESPONSES: tuple[Case, ...] = tuple(case for cases in TOPICS.values() for case in cases)
