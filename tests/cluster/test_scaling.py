"""The number of replicas follows the load, by both autoscalers: from the generated objects to the runtime's metrics."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.cluster.api import Object
from tests.cluster.conftest import require
from tests.cluster.loop import HPA, Controller, Loop, Stage, condition, stage
from tests.cluster.metrics_apis import SCALED_OBJECT
from tests.cluster.plane import Plane
from tests.cluster.replicas import turns

CONTROLLERS: tuple[Controller, ...] = ("hpa", "keda")
CALM, BURST = 2.0, 20.0
"""Requests a second: a fifth of what one replica executes, and twice of it."""
FEWEST, MOST = 1, 6
UTILIZATION = 70
DOWN_WINDOW = 20
"""Seconds; no shorter than the window of the rates at one scrape a second."""
QUIET = DOWN_WINDOW + 10.0
"""Seconds without a change that count as rest: the autoscaler has waited and decided several times."""
SCALING = {
    "min_replicas": FEWEST,
    "max_replicas": MOST,
    "metrics": {"utilization": UTILIZATION, "queue_length": 10, "requests_per_second": None},
    "behavior": {
        "scale_up": {"window": "0s", "period": "5s", "pods": 4},
        "scale_down": {"window": f"{DOWN_WINDOW}s", "period": "5s", "percent": 100},
    },
}


@dataclass(frozen=True)
class Story:
    """When what began, in Unix time."""

    calm: float
    burst: float
    rest: float
    lost: float
    partial: float
    whole: float
    end: float
    unread: Object
    """The HorizontalPodAutoscaler when one of its metrics did not arrive."""


@pytest.fixture(scope="module")
def told(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Story]]:
    """One story for all tests, since each scene takes its minute: calm, ten times the load, Prometheus lost, calm."""
    require("prometheus", "prometheus-adapter", "keda-operator", "keda-adapter")
    folder = tmp_path_factory.mktemp("scaling")
    with stage(plane, "scaling", folder, CONTROLLERS, SCALING, CALM) as made:
        loops = made.loops
        calm = time.time()
        for loop in loops.values():
            loop.clients.rate = BURST
        burst = time.time()
        for loop in loops.values():
            loop.replicas.until(lambda number: number > FEWEST)
        for loop in loops.values():
            loop.replicas.until_rest(QUIET, since=burst)
        rest = time.time()

        made.prometheus.stop()
        lost = time.time()
        for loop in loops.values():
            loop.clients.rate = CALM
        loops["hpa"].until_says(HPA, "ScalingActive", holds=False)
        loops["keda"].until_says(SCALED_OBJECT, "Fallback", holds=True)
        for loop in loops.values():
            loop.replicas.until_rest(QUIET, since=lost)

        made.start_adapter(without="slipform_fastapi_utilization")
        made.prometheus.start()
        partial = time.time()
        loops["keda"].replicas.until(lambda number: number == FEWEST)
        unread = loops["hpa"].autoscaler()
        made.start_adapter()
        whole = time.time()
        loops["hpa"].replicas.until(lambda number: number == FEWEST)
        yield made, Story(calm, burst, rest, lost, partial, whole, time.time(), unread)


@pytest.fixture(params=CONTROLLERS)
def loop(request: pytest.FixtureRequest, told: tuple[Stage, Story]) -> Loop:
    controller: Controller = request.param
    return told[0].loops[controller]


@pytest.fixture
def story(told: tuple[Stage, Story]) -> Story:
    return told[1]


def test_replicas_rise_with_the_queue_and_the_queue_falls_because_they_do(loop: Loop, story: Story) -> None:
    queue = loop.queue(story.burst, story.rest)
    assert max(queue) > 10
    assert max(loop.replicas.between(story.burst, story.rest)) > FEWEST
    assert max(queue[-10:]) < 10, "at rest hardly anything waits"


def test_ten_times_the_load_is_answered_within_the_bounds(loop: Loop, story: Story) -> None:
    numbers = loop.replicas.between(story.calm, story.end)
    assert min(numbers) >= FEWEST
    assert max(numbers) <= MOST


def test_at_a_constant_load_the_number_comes_to_rest_where_the_replicas_are_busy_enough(
    loop: Loop, story: Story
) -> None:
    numbers = loop.replicas.between(story.burst, story.rest)
    assert turns(numbers) <= 1, "up with the queue, down when it is gone, and no more"
    busy = loop.busy(story.rest) / (UTILIZATION / 100)
    assert busy / numbers[-1] <= 1.15, "within the autoscaler's tolerance, which is 1.1, and the measurement's own"
    assert numbers[-1] <= busy + 1.15


def test_without_prometheus_the_number_stays(loop: Loop, story: Story) -> None:
    numbers = loop.replicas.between(story.lost, story.partial)
    assert len(numbers) == 1
    assert numbers[0] > FEWEST


def test_one_metric_that_no_longer_arrives_blocks_scaling_down(told: tuple[Stage, Story], story: Story) -> None:
    hpa = told[0].loops["hpa"]
    assert len(hpa.replicas.between(story.partial, story.whole)) == 1
    said = story.unread
    assert condition(said, "ScalingActive") is False
    assert "slipform_fastapi_utilization" in str(said["status"]["conditions"])
    assert "slipform_fastapi_queue_length" in str(said["status"]["currentMetrics"])


def test_replicas_fall_again_when_the_load_does(loop: Loop, story: Story) -> None:
    assert loop.replicas.between(story.partial, story.end)[-1] == FEWEST


def test_no_request_is_lost_while_replicas_come_and_go(loop: Loop) -> None:
    assert loop.clients.lost == []
    assert loop.clients.answered.total() > BURST
