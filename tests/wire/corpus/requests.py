"""All request cases."""

from tests.wire.corpus import (
    requests_chunks,
    requests_connection,
    requests_content_length,
    requests_fields,
    requests_host,
    requests_lines,
    requests_paths,
    requests_pipelined,
    requests_request_line,
    requests_targets,
    requests_transfer_encoding,
    requests_trust,
    requests_upgrade,
)
from tests.wire.corpus.case import Case

TOPICS: dict[str, tuple[Case, ...]] = {
    "length": requests_content_length.CASES,
    "coding": requests_transfer_encoding.CASES,
    "chunks": requests_chunks.CASES,
    "lines": requests_lines.CASES,
    "request line": requests_request_line.CASES,
    "targets": requests_targets.CASES,
    "paths": requests_paths.CASES,
    "host": requests_host.CASES,
    "fields": requests_fields.CASES,
    "connection": requests_connection.CASES,
    "upgrade": requests_upgrade.CASES,
    "trust": requests_trust.CASES,
    "pipelined": requests_pipelined.CASES,
}
REQUESTS: tuple[Case, ...] = tuple(case for cases in TOPICS.values() for case in cases)
