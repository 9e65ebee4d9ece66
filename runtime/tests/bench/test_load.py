"""The two loops, on a wire whose server takes its time."""

import asyncio
import time

import pytest

from slipform_runtime.bench.errors import BenchError
from slipform_runtime.bench.figures import figures, parse_objective
from slipform_runtime.bench.load import Closed, Load, Open, Tally, run
from slipform_runtime.bench.wires import Wire

SERVICE = 0.02


class OneAtATime(Wire):
    """A server that does one request after the other, each in 20 ms."""

    def __init__(self) -> None:
        super().__init__(1)
        self._lock = asyncio.Lock()
        self.at_once = self.most_at_once = 0

    async def _send(self, index: int) -> str:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self._lock:
            await asyncio.sleep(SERVICE)
        self.at_once -= 1
        return ""

    async def close(self) -> None: ...


def measured(load: Load, seconds: float) -> tuple[Tally, OneAtATime]:
    async def measure() -> tuple[Tally, OneAtATime]:
        wire = OneAtATime()
        return await run(wire, load, seconds), wire

    return asyncio.run(measure())


def test_a_closed_loop_has_no_more_under_way_than_clients() -> None:
    tally, wire = measured(Closed(3), 0.3)
    assert wire.most_at_once == 3
    assert len(tally.latencies) <= tally.seconds / SERVICE + 1


def test_an_open_loop_counts_the_wait_from_when_a_request_was_due() -> None:
    tally, wire = measured(Open(200), 0.3)  # four times what the server can
    assert wire.most_at_once > 10
    assert max(tally.latencies) > 10 * SERVICE  # a closed loop of one client would report 20 ms


def test_an_open_loop_sends_what_was_due_and_awaits_the_last_answer() -> None:
    began = time.perf_counter()
    tally, wire = measured(Open(100), 0.3)
    assert wire.at_once == 0
    assert len(tally.lateness) == len(tally.latencies) > 0
    assert tally.seconds <= time.perf_counter() - began


def test_what_an_open_loop_cannot_send_counts_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipform_runtime.bench.load.OUTSTANDING", 5)
    tally, wire = measured(Open(500), 0.2)
    assert wire.most_at_once == 5
    assert tally.failures["not sent: too many outstanding"] > 0


@pytest.mark.parametrize(
    ("text", "met"),
    [("p50=2ms", True), ("p50=1.9ms", False), ("p100=9s", None), ("p99.9=3s", True), ("p50=1s2ms", True),
     ("availability=80", True), ("availability=80.1", False), ("p0=1s", None), ("availability=100", None),
     ("p95 = 2ms", None)],
)  # fmt: skip
def test_an_objective_is_a_bound_with_its_unit(text: str, met: bool | None) -> None:
    if met is None:
        with pytest.raises(BenchError, match="are objectives"):
            parse_objective(text)
        return
    objective = parse_objective(text)
    tally = Tally(latencies=[0.001, 0.002, 0.002, 0.003], seconds=1)
    tally.failures["timeout"] = 1
    assert objective.met(figures("json", Closed(1), 1, tally, None, [objective])) is met


def test_nothing_answered_meets_no_objective() -> None:
    objective = parse_objective("p50=2ms")
    assert not objective.met(figures("json", Closed(1), 1, Tally(seconds=1), None, [objective]))


def test_a_client_that_is_late_says_that_the_figures_are_its_own() -> None:
    tally = Tally(latencies=[0.01] * 10, lateness=[0.005] * 10, seconds=1)
    assert figures("json", Open(10), 1, tally, None, []).client_bound
    assert not figures("json", Closed(10), 1, tally, None, []).client_bound
