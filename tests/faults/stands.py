"""Everything that an endpoint can do to a request, all at once: each on a host of its own, with books of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.faults import origins
from tests.faults.crowd import Crowd
from tests.faults.ledger import Ledger, Request
from tests.faults.origins import Fault, keeping_books
from tests.faults.test_connect import closed_port
from tests.faults.workers import Killed
from tests.support.origin import Script, origin

CALLERS = 2
_PAUSE_S = 0.03
_IDLE_S = 0.03
"""About as long as a connection rests in the pool under this load."""


@dataclass(eq=False)
class Stand:
    """One host. ``loses`` says which of the requests that met the fault get no 200, and ``as_`` what they get."""

    name: str
    loses: tuple[str, ...] = ()
    as_: str = ""
    methods: tuple[str, ...] = ("GET", "POST")
    ledger: Ledger = field(default_factory=Ledger)
    fault: Fault | None = None
    ports: list[int] = field(default_factory=list)
    crowd: Crowd | None = None
    _life: AsyncExitStack = field(default_factory=AsyncExitStack)
    times_killed: int = 0

    @property
    def host(self) -> str:
        return f"{self.name}.example"

    async def kill_and_revive(self) -> None:
        """The first endpoint dies with all it has under way, is missed for a moment, and listens again."""
        await self._life.aclose()
        self.times_killed += 1
        await self.more(5)
        await self.run_mortal(self.ports[0])

    async def run_mortal(self, port: int = 0) -> int:
        script = keeping_books(self.ledger, "mortal")
        return (await self._life.enter_async_context(origin(script, port=port))).port

    async def more(self, count: int) -> None:
        assert self.crowd is not None
        await self.crowd.more(count)

    def check(self, kills: Sequence[Killed]) -> int:
        """Nothing lost but by the fault, which cannot be helped, or with a worker; returns how many by the latter."""
        self.ledger.check()
        assert self.crowd is not None
        assert self.crowd.refused == 0
        unanswered = self.ledger.unanswered()
        excused = _excused(unanswered, kills)
        doomed = self._doomed()
        assert doomed <= unanswered, f"{self.name}: answered after all"
        assert {request.outcome for request in doomed - excused} <= {self.as_}, self.name
        lost = unanswered - doomed - excused
        if self.times_killed:  # POSTs that it had under way, at most one of each caller
            assert {(request.method, request.outcome) for request in lost} <= {("POST", "502")}, self.name
            assert len(lost) <= CALLERS * self.times_killed, self.name
        else:
            assert lost == set(), self.name
        return len(excused - doomed)

    def _doomed(self) -> set[Request]:
        struck = () if self.fault is None else self.fault.struck
        return {request for request in self.ledger.numbered(struck) if request.method in self.loses}


def _excused(requests: Iterable[Request], kills: Sequence[Killed]) -> set[Request]:
    """Those that were under way on a worker when it was killed: at most one on each of its connections."""
    found: set[Request] = set()
    for killed in kills:
        by_connection: dict[int, Request] = {}
        for request in requests:
            if killed.excuses([request]):
                earlier = by_connection.get(request.connection)
                if earlier is None or earlier.sent_at < request.sent_at:
                    by_connection[request.connection] = request
        found |= set(by_connection.values())
    return found


_BOTH = ("GET", "POST")
_FAULTS: tuple[tuple[str, origins.Act, int, tuple[str, ...], str], ...] = (
    ("closes-before-the-answer", origins.close, 3, ("POST",), "502"),
    ("dies-before-the-answer", origins.die, 3, ("POST",), "502"),
    ("will-say-nothing", origins.half_close, 3, ("POST",), "502"),
    ("ends-in-the-head", origins.in_head, 3, ("POST",), "502"),
    ("ends-in-the-body", origins.in_body, 3, _BOTH, "cut"),
    ("dies-in-the-body", origins.in_body_reset, 3, _BOTH, "cut"),
    ("stalls-before-the-answer", origins.stall, 10, _BOTH, "504"),
    ("stalls-in-the-body", origins.stall_in_body, 10, _BOTH, "cut"),
)


@asynccontextmanager
async def stands() -> AsyncIterator[list[Stand]]:
    """Their origins run; nobody serves them yet, and nobody calls."""
    async with AsyncExitStack() as stack:

        async def run(stand: Stand, *scripts: Script) -> Stand:
            for script in scripts:
                stand.ports.append((await stack.enter_async_context(origin(script))).port)
            return stand

        made: list[Stand] = []
        for name, act, every, loses, as_ in _FAULTS:
            stand = Stand(name, loses, as_, fault=Fault(act, every))
            failing = keeping_books(stand.ledger, "failing", stand.fault)
            made.append(await run(stand, failing, keeping_books(stand.ledger, "sound")))
        for name, options in (("closes-after-three", {"requests": 3}), ("closes-idle", {"idle_s": _IDLE_S})):
            stand = Stand(name, methods=("GET",))
            made.append(await run(stand, keeping_books(stand.ledger, name, **options)))
        stand = Stand("has-said-all", methods=("GET",), fault=Fault(origins.answer_and_half_close))
        made.append(await run(stand, keeping_books(stand.ledger, "half-closes", stand.fault)))
        stand = Stand("refuses", ports=[stack.enter_context(closed_port())])
        made.append(await run(stand, keeping_books(stand.ledger, "sound")))
        mortal = Stand("is-killed")
        mortal.ports.append(await mortal.run_mortal())
        stack.push_async_callback(mortal._life.aclose)
        made.append(await run(mortal, keeping_books(mortal.ledger, "sound")))
        yield made


@asynccontextmanager
async def called_on(made: Sequence[Stand], port: int) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Callers at every stand; yields ``more(count)``: until each has settled so many more requests."""

    async def more(count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for stand in made:
                group.create_task(stand.more(count))

    async with AsyncExitStack() as stack:
        for stand in made:
            crowd = Crowd(stand.ledger, port, stand.host, callers=CALLERS, pause_s=_PAUSE_S, methods=stand.methods)
            stand.crowd = await stack.enter_async_context(crowd)
        yield more
