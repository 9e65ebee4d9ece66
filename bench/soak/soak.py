"""One soak: load, quiet, load again with a SIGTERM in it; then what must hold."""

import asyncio
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import aiohttp
from bench.soak import models
from bench.soak.process import Process
from bench.soak.tally import Tally
from bench.soak.traffic import NO_ANSWER, Once, Traffic

SAMPLES_A_SECOND = 4
GAUGES = ("inference_queue_length", "model_active_requests")
GROWTH = 1.05
"""The most memory at the end, as a multiple of that after the warm-up."""

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What a soak has found. `failures` says what did not hold."""

    tally: Tally
    seconds: float
    resident: list[int] = field(default_factory=list)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Memory over the last fifth of the run, as a multiple of that over the fifth after a warm-up of two."""
        fifth = max(1, len(self.resident) // 5)
        return statistics.median(self.resident[-fifth:]) / statistics.median(self.resident[2 * fifth : 3 * fifth])


async def soak(seconds: float, say: Say = lambda line: None) -> Outcome:
    """Run it; nothing is raised for what does not hold."""
    with tempfile.TemporaryDirectory(prefix="slipform-soak-") as scratch:
        folder = Path(scratch)
        (folder / "models").mkdir()
        versions = models.write(folder / "models")
        server = Process(folder / "models", folder / "log")
        try:
            return await _run(server, versions, seconds, say)
        finally:
            server.kill()


async def _run(server: Process, versions: models.Versions, seconds: float, say: Say) -> Outcome:
    outcome = Outcome(Tally(), seconds)
    limits = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(limit=0)) as session:
        traffic = Traffic(server, versions, outcome.tally, session)
        await _load(traffic, outcome, _after(seconds), lambda: _sample(server, outcome, seconds, say))
        say("quiet: the gauges have to fall to zero")
        await _gauges_fall(server, outcome)
        _counts_agree(server, outcome)
        say("load again, and SIGTERM in the middle of it")
        await _load(traffic, outcome, _not_ready(server, session), lambda: _terminate(server))
        await traffic.close()
    _ended_well(server, outcome)
    tally = outcome.tally
    outcome.failures += [f"lost: {line}" for line in tally.lost] + [f"wrong: {line}" for line in tally.wrong]
    if outcome.growth > GROWTH:
        outcome.failures.append(f"memory grew to {outcome.growth:.3f} of what it was after the warm-up")
    return outcome


async def _load(traffic: Traffic, outcome: Outcome, until: asyncio.Task[None], beside: Callable[[], object]) -> None:
    """Every client sends until `until` is done, and then waits for the answer that it is owed."""

    async def client(kind: str, once: Once) -> None:
        while not until.done():
            try:
                await once()
            except (*NO_ANSWER, TimeoutError) as error:
                outcome.tally.unanswered(kind, error)

    watching = asyncio.ensure_future(beside())  # type: ignore[call-overload]
    kinds = traffic.kinds().items()
    await asyncio.gather(*(client(kind, once) for kind, (number, once) in kinds for _ in range(number)))
    await until
    watching.cancel()


def _after(seconds: float) -> asyncio.Task[None]:
    return asyncio.create_task(asyncio.sleep(seconds))


def _not_ready(server: Process, session: aiohttp.ClientSession) -> asyncio.Task[None]:
    """What a Service's endpoints do: nobody is sent there any more once the server is not ready."""

    async def watch() -> None:
        while True:
            async with session.get(f"{server.http}/v2/health/ready") as answer:
                if answer.status != 200:
                    return
            await asyncio.sleep(0.05)

    return asyncio.create_task(watch())


async def _sample(server: Process, outcome: Outcome, seconds: float, say: Say) -> None:
    began = said = monotonic()
    while True:
        await asyncio.sleep(1 / SAMPLES_A_SECOND)
        outcome.resident.append(server.resident_bytes)
        if monotonic() - said >= 10:
            said = monotonic()
            megabytes = outcome.resident[-1] / 1e6
            say(f"{said - began:.0f} of {seconds:.0f} s: {outcome.tally.total} requests, {megabytes:.0f} MB")


async def _terminate(server: Process) -> None:
    await asyncio.sleep(2)
    server.terminate()


async def _gauges_fall(server: Process, outcome: Outcome) -> None:
    """What clients have left behind is executed or dropped by and by."""
    until = monotonic() + 10
    while True:
        found = {f"{name}{{{labels}}}": value for name in GAUGES for labels, value in server.metrics(name) if value}
        if not found:
            return
        if monotonic() > until:
            outcome.failures += [f"{gauge} is still {value:g}" for gauge, value in found.items()]
            return
        await asyncio.sleep(0.1)


def _counts_agree(server: Process, outcome: Outcome) -> None:
    """What the server has counted is what its clients have seen, where none of them hangs up."""
    seen = sum(outcome.tally.of(kind)[ok] for kind in ("REST, JSON", "REST, binary", "slow") for ok in ("200",))
    outcome.counted["sum"] = (seen + outcome.tally.of("gRPC")["OK"], _succeeded(server, "sum"))
    seen = sum(outcome.tally.of(kind)["200"] for kind in ("cached", "plain"))
    outcome.counted["cached"] = (seen, _succeeded(server, "cached"))
    for model, (answers, counted) in outcome.counted.items():
        if answers != counted:
            outcome.failures.append(f"{model}: clients have {answers} answers, the server has counted {counted}")


def _succeeded(server: Process, model: str) -> int:
    samples = server.metrics("inference_requests_total")
    return int(sum(value for labels, value in samples if f'model="{model}"' in labels and 'status="success"' in labels))


def _ended_well(server: Process, outcome: Outcome) -> None:
    code = server.wait(60)
    if code != 0:
        outcome.failures.append(f"the server ended with {code}")
    stopped = server.last.get("server_stopped")
    if stopped is None or stopped["abandoned"]:
        outcome.failures.append(f"the server's last words: {stopped}")
