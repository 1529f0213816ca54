"""What a test may set, at start or while the server runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    version: str = "v1.32.4"
    history_limit: int = 10_000
    # A real server sends bookmarks about once a minute, which is long for a test.
    bookmark_interval_s: float = 10.0
    # Refuse addresses in slices that a real server refuses. Off, because test backends live on loopback.
    strict_addresses: bool = False
    # With a watch cache, a LIST at resourceVersion=0 comes whole whatever its limit, as on real servers.
    watch_cache: bool = True
    watch_list: bool = True
    # A watch from a version too old fails by an ERROR event in a 200 answer, or by HTTP status; clients meet both.
    gone_as_status: bool = False
    # Bodies from this size on are compressed for clients that accept it.
    gzip_from_bytes: int = 128 * 1024
    # The longest a watch may last when its client names no timeout.
    watch_timeout_s: float = 1800.0
