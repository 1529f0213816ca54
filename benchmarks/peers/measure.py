"""Rounds: every contender of a stage is given the same load in turn, and the CPU that its processes used is counted."""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from benchmarks.peers.accounting import Cpu, Others, cpu_of_each, spent
from benchmarks.peers.load import LoadError, Seen
from benchmarks.peers.plan import Contender, Measure, Stage
from benchmarks.peers.proxies import PROXIES, Proxy
from benchmarks.peers.site import ANSWER, MIB, PROXY_CORE, Site, pinned

WARM_UP_S = 1.0
_WORK = bytes(2 * MIB)


class Pace(Struct, frozen=True, kw_only=True):
    """How long and how often. A round in which others had more than ``max_others`` of the machine is thrown away and
    done again, at most ``again`` times. ``warms_up_once``: with the first load of a stage only, not with each."""

    rounds: int
    seconds: float
    max_others: float = 0.05
    again: int = 2
    warms_up_once: bool = False


class Sample(Struct, kw_only=True):
    """One round of one contender. ``cpu``: by role; ``others``: share of the machine that others had meanwhile;
    ``speed``: what the proxy's core got done just before, in MiB hashed per second of its CPU."""

    stage: str
    measure: str
    contender: str
    round: int
    seen: Seen
    cpu: dict[str, Cpu] = field(default_factory=dict)
    others: float = 0.0
    speed: float = 0.0
    is_kept: bool = True

    @property
    def total(self) -> Cpu:
        return sum(self.cpu.values(), Cpu())

    def cost(self, measure: Measure, role: str = "") -> float:
        """CPU microseconds per request or handshake, milliseconds per MiB. ``role`` "": all processes."""
        cpu = self.cpu[role] if role else self.total
        if measure.per == "MiB":
            return cpu.exact_us / 1e3 / self.mebibytes(measure)
        return cpu.exact_us / self.seen.requests

    def mebibytes(self, measure: Measure) -> float:
        carried = self.seen.requests * measure.body if measure.is_upload else self.seen.bytes
        return carried / MIB


@contextlib.contextmanager
def running(site: Site, contenders: Sequence[Contender]) -> Iterator[dict[str, Proxy]]:
    """All of them, started; those that are not installed are left out."""
    with contextlib.ExitStack() as stack:
        proxies: dict[str, Proxy] = {}
        for one in contenders:
            kind = PROXIES[one.proxy]
            if kind.is_there():
                proxies[one.name] = stack.enter_context(kind(site, one.variant))
        yield proxies


class Failure(Struct, kw_only=True):
    """A contender that could not be measured, and why. It has no figures for this load."""

    stage: str
    measure: str
    contender: str
    why: str


def run_stage(site: Site, stage: Stage, pace: Pace) -> Iterator[Sample | Failure]:
    with running(site, stage.contenders) as proxies:
        names: dict[str, list[str]] = {}
        for measure in stage.measures:
            names[measure.id] = []
            for name, proxy in proxies.items():
                if measure.only and name not in measure.only:
                    continue
                try:
                    if not pace.warms_up_once or measure is stage.measures[0]:
                        check(measure, measure.driver.run(proxy, WARM_UP_S))
                    names[measure.id].append(name)
                except LoadError as error:
                    yield _failure(stage, measure, name, error)
        for number in range(pace.rounds):
            for measure in stage.measures:
                for name in rotated(names[measure.id], number):
                    try:
                        yield from _round(stage, measure, name, proxies[name], number, pace)
                    except LoadError as error:
                        yield _failure(stage, measure, name, error)


def _failure(stage: Stage, measure: Measure, name: str, error: LoadError) -> Failure:
    print(f"FAILED {stage.id} {measure.id} {name}: {error}", file=sys.stderr, flush=True)
    return Failure(stage=stage.id, measure=measure.id, contender=name, why=str(error))


def rotated(names: Sequence[str], number: int) -> list[str]:
    """Everybody is first once, and never after the same neighbour for ever: every other turn goes backwards."""
    turn = number // 2 % len(names) if names else 0
    order = [*names[turn:], *names[:turn]]
    return order[::-1] if number % 2 else order


def _round(stage: Stage, measure: Measure, name: str, proxy: Proxy, number: int, pace: Pace) -> Iterator[Sample]:
    for attempt in range(pace.again + 1):
        speed = core_speed()
        seen, cpu, others = observe(measure, proxy, pace.seconds)
        check(measure, seen)
        sample = Sample(
            stage=stage.id, measure=measure.id, contender=name, round=number, seen=seen, cpu=cpu, others=others,
            speed=speed,
            is_kept=others <= pace.max_others,
        )  # fmt: skip
        _say(sample, measure, attempt)
        empty_log(proxy)
        yield sample
        if sample.is_kept:
            return


def observe(measure: Measure, proxy: Proxy, seconds: float) -> tuple[Seen, dict[str, Cpu], float]:
    """One load: what the client saw, what each role used meanwhile, and the share of the machine others had."""
    roles = proxy.roles()
    before = {role: cpu_of_each(pids) for role, pids in roles.items()}
    others = Others()
    seen = measure.driver.run(proxy, seconds)
    share = others.share()
    cpu = {role: spent(before.get(role, {}), cpu_of_each(pids)) for role, pids in proxy.roles().items()}
    return seen, cpu, share


def core_speed() -> float:
    """A core of a virtual machine is not always as fast: its clock and its neighbours change. The work is the same."""
    with pinned(PROXY_CORE):
        started = time.thread_time()
        for _ in range(4):
            hashlib.sha256(_WORK).digest()
        return 4 * len(_WORK) / MIB / (time.thread_time() - started)


def check(measure: Measure, seen: Seen) -> None:
    """A benchmark of errors is the usual mistake. Raises LoadError."""
    if seen.errors:
        raise LoadError(f"{seen.errors} errors beside {seen.requests} requests answered with 2xx")
    if not seen.requests and not (measure.per == "MiB" and seen.bytes > MIB):  # a large body may outlast a round
        raise LoadError("no request was answered")
    least = 0 if measure.is_upload else measure.body or len(ANSWER)
    if seen.bytes and seen.bytes < seen.requests * least:
        raise LoadError(f"{seen.bytes / seen.requests:.0f} bytes an answer, expected {least} and more")


def empty_log(proxy: Proxy) -> None:
    """So that memory does not fill up; everybody appends."""
    if proxy.access_log.exists():
        os.truncate(proxy.access_log, 0)


def _say(sample: Sample, measure: Measure, attempt: int) -> None:
    unit = "ms/MiB" if measure.per == "MiB" else f"µs/{measure.per}"
    line = (
        f"{time.strftime('%H:%M:%S')} {sample.stage:7} {sample.measure:12} {sample.contender:24} round {sample.round} "
        f"{sample.cost(measure):8.2f} {unit:13} {sample.seen.requests / sample.seen.seconds:9.0f}/s "
        f"others {sample.others:4.0%}"
    )
    print(line + ("" if sample.is_kept else f"  dropped ({attempt + 1})"), file=sys.stderr, flush=True)
