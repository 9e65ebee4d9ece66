"""Load on a server: closed-loop (clients that wait for their answers) and open-loop (so many arrivals a second).

A closed loop hides queueing: its clients wait when the server is slow, so a bad second counts once. An open loop is
what users are: Poisson arrivals that do not wait for each other, each latency counted from when the request was due.
"""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from slipform_runtime.bench.wires import Wire

OUTSTANDING = 4096
"""Requests of an open loop on their way at once; what is due beyond them counts as failed, for nobody would wait."""


@dataclass(frozen=True)
class Closed:
    """`concurrency` clients, one request each at a time."""

    concurrency: int

    def __str__(self) -> str:
        return f"concurrency {self.concurrency}"


@dataclass(frozen=True)
class Open:
    """Arrivals at random (Poisson), `rate` a second on average."""

    rate: float

    def __str__(self) -> str:
        return f"{self.rate:g}/s"


Load = Closed | Open


@dataclass
class Tally:
    """What came of the requests that were due while the clock ran."""

    latencies: list[float] = field(default_factory=list)
    """Seconds, of those that succeeded."""
    failures: Counter[str] = field(default_factory=Counter)
    lateness: list[float] = field(default_factory=list)
    """Seconds between when a request was due and when this client sent it; open loop only."""
    seconds: float = 0.0
    """From the first that was due to the last answer."""


async def run(wire: Wire, load: Load, seconds: float) -> Tally:
    """Put `load` on the wire for so many seconds and wait for the last answers."""
    tally = Tally()
    began = time.perf_counter()
    if isinstance(load, Closed):
        await asyncio.gather(*(_client(wire, began + seconds, tally) for _ in range(load.concurrency)))
    else:
        await _arrivals(wire, load.rate, seconds, tally)
    tally.seconds = time.perf_counter() - began
    return tally


async def _client(wire: Wire, end: float, tally: Tally) -> None:
    while (began := time.perf_counter()) < end:
        _count(tally, await wire.send(), time.perf_counter() - began)


async def _arrivals(wire: Wire, rate: float, seconds: float, tally: Tally) -> None:
    on_their_way: set[asyncio.Task[None]] = set()
    async with _paced(rate, seconds) as due_times:
        async for due in due_times:
            if len(on_their_way) >= OUTSTANDING:
                tally.failures["not sent: too many outstanding"] += 1
                continue
            task = asyncio.create_task(_arrival(wire, due, tally))
            on_their_way.add(task)
            task.add_done_callback(on_their_way.discard)
    await asyncio.gather(*on_their_way)


async def _arrival(wire: Wire, due: float, tally: Tally) -> None:
    tally.lateness.append(time.perf_counter() - due)
    failure = await wire.send()
    _count(tally, failure, time.perf_counter() - due)


def _count(tally: Tally, failure: str, seconds: float) -> None:
    if failure:
        tally.failures[failure] += 1
    else:
        tally.latencies.append(seconds)


@asynccontextmanager
async def _paced(rate: float, seconds: float) -> AsyncIterator[AsyncIterator[float]]:
    """The times at which requests are due, each as it comes.

    By a thread: an event loop's own timers are rounded to a millisecond, more than many a model takes.
    """
    loop = asyncio.get_running_loop()
    due_times: asyncio.Queue[float | None] = asyncio.Queue()
    stopped = threading.Event()

    def pace() -> None:
        arrivals = random.Random(0)  # noqa: S311 (the same arrivals in every run)
        due = start = time.perf_counter()
        while (due := due + arrivals.expovariate(rate)) < start + seconds and not stopped.is_set():
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            loop.call_soon_threadsafe(due_times.put_nowait, due)
        loop.call_soon_threadsafe(due_times.put_nowait, None)

    async def each() -> AsyncIterator[float]:
        while (due := await due_times.get()) is not None:
            yield due

    thread = threading.Thread(target=pace, name="arrivals", daemon=True)
    thread.start()
    try:
        yield each()
    finally:
        stopped.set()
