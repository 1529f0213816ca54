"""Clients nobody here wants: by user agent, by referer, by address. They get 403 before anything else is looked at."""

import re
from typing import Final

from msgspec import Struct

from ingressd.policy.address_list import AddressSet, read_address
from ingressd.policy.ask import Answer, Ask
from ingressd.policy.memory import SharedBound
from ingressd.policy.pattern import Pattern, compile_pattern

_MAX_REMEMBERED: Final = 1024
_all_remembered: Final = SharedBound(8 * _MAX_REMEMBERED)
_MAX_VALUE_TO_REMEMBER: Final = 512  # characters; together half a megabyte for each list and worker
_AGENT: Final = Answer(403, "user-agent-blocked")
_REFERER: Final = Answer(403, "referer-blocked")
_ADDRESS: Final = Answer(403, "address-blocked")


class Blocks(Struct, frozen=True, gc=False, array_like=True):
    """``block-user-agents``, ``block-referers``: entries as in nginx's ``map``. ``~pattern`` is a pattern,
    ``~*pattern`` one that ignores case, anything else the whole value in any case. ``networks``: ``block-cidrs`` as
    ``address_list.read_networks`` returns it.
    """

    user_agents: tuple[str, ...] = ()
    referers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


def split_entries(text: str) -> tuple[str, ...]:
    """The entries of a comma list; one with a comma of its own is in double or single quotes."""
    found = re.findall(r'\s*(?:"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|([^,]*))\s*(?:,|$)', text)
    entries = (double or single or plain.strip() for double, single, plain in found)
    return tuple(entry for entry in entries if entry)


class BlockCheck:
    """``Blocks`` made ready for one worker. Raises PatternError: the lists must not be half used."""

    __slots__ = ("_agents", "_networks", "_referers")

    def __init__(self, blocks: Blocks) -> None:
        self._agents = _Values(blocks.user_agents) if blocks.user_agents else None
        self._referers = _Values(blocks.referers) if blocks.referers else None
        self._networks = AddressSet(blocks.networks) if blocks.networks else None

    def check(self, ask: Ask) -> Answer | None:
        """403 for who is blocked. An address that cannot be read is blocked where there is a list."""
        if self._agents is not None and ask.fields.agent in self._agents:
            return _AGENT
        if self._referers is not None and ask.fields.referer in self._referers:
            return _REFERER
        if self._networks is not None:
            packed = read_address(ask.client)
            if packed is None or packed in self._networks:
                return _ADDRESS
        return None


class _Values:
    __slots__ = ("_exact", "_patterns", "_remembered")

    def __init__(self, entries: tuple[str, ...]) -> None:
        self._exact = frozenset(_as_sent(entry) for entry in entries if not entry.startswith("~"))
        self._patterns: tuple[Pattern, ...] = tuple(
            compile_pattern(entry[2:], ignore_case=True)
            if entry.startswith("~*")
            else compile_pattern(entry[1:], ignore_case=False)
            for entry in entries
            if entry.startswith("~")
        )
        self._remembered: dict[bytes, bool] = {}

    def __contains__(self, value: bytes) -> bool:
        is_listed = self._remembered.get(value)
        if is_listed is None:
            is_listed = self._search(value)
            if len(value) <= _MAX_VALUE_TO_REMEMBER:
                _all_remembered.remember(self._remembered, value, is_listed, _MAX_REMEMBERED)
        return is_listed

    def _search(self, value: bytes) -> bool:
        if value.lower() in self._exact:
            return True
        text = value.decode("latin-1")
        return any(pattern.search(text) is not None for pattern in self._patterns)


def _as_sent(entry: str) -> bytes:
    """An entry as a client's bytes, in lower case; a leading backslash keeps a ``~`` from meaning a pattern."""
    return entry.removeprefix("\\").encode(errors="surrogatepass").lower()
