"""What Slipform generates keeps its promises where pods are processes: under load no request is lost."""

import os
import signal
from collections.abc import Iterator

import pytest
from onnx import TensorProto, helper
from tests.cluster import nodes
from tests.cluster.api import Object
from tests.cluster.load import load
from tests.cluster.model import LABELS, Model, own_namespace
from tests.cluster.node.running import real_node
from tests.cluster.plane import Plane

from slipform.infra.pods import ENDPOINT_DELAY

RATE = 40.0
LAG = ENDPOINT_DELAY / 2
"""Seconds that a cluster may take to tell its clients that a pod ends: less than the pod waits for it."""
SLOW = {"EXECUTION_SECONDS": "0.2"}
"""So that at every moment there are requests in hand."""


@pytest.fixture(scope="module")
def model(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """Two replicas, ready, in a namespace of their own."""
    folder = tmp_path_factory.mktemp("pods")
    with own_namespace(plane.api, "pods") as namespace, real_node(plane, "real-0", folder, LABELS):
        made = Model(folder, plane, namespace, serving={"env": SLOW})
        made.apply(without=["HorizontalPodAutoscaler"])
        made.scale(2)
        made.until_rolled_out()
        yield made


def test_a_rolling_update_loses_no_request(plane: Plane, model: Model) -> None:
    before = set(model.until(lambda pods: len(pods) == 2))
    with load(plane.api, model, RATE, lag=LAG) as clients:
        model.change({"serving": {"env": {"CHANGED": "yes"}}})
        model.apply(without=["HorizontalPodAutoscaler"])
        model.until_rolled_out()
        after = set(model.until(lambda pods: len(pods) == 2))
    assert clients.lost == []
    assert clients.answered.total() > RATE
    assert not before & after


def test_a_new_version_takes_over_and_no_request_is_lost(plane: Plane, model: Model) -> None:
    model.add_version(2)
    with load(plane.api, model, RATE, lag=LAG) as clients:
        clients.until_answered(RATE, version="1")
        model.change({"model": {"version": 2}})
        model.apply(without=["HorizontalPodAutoscaler"])
        model.until_rolled_out()
        clients.until_answered(RATE, version="2")
    assert clients.lost == []
    assert set(clients.answered) == {"1", "2"}


def test_fewer_replicas_lose_no_request(plane: Plane, model: Model) -> None:
    model.scale(4)
    model.until_rolled_out()
    with load(plane.api, model, RATE, lag=LAG) as clients:
        clients.until_answered(RATE)
        model.scale(2)
        model.until_rolled_out()
    assert clients.lost == []


def test_a_version_that_never_gets_ready_stops_the_rollout_and_the_old_one_serves_on(
    plane: Plane, model: Model
) -> None:
    old = set(model.until(lambda pods: len(pods) == 2))
    version = model.deployment()["spec"]["template"]["metadata"]["labels"]["slipform.dev/version"]
    model.add_version(3, unknown_operator())
    with load(plane.api, model, RATE, lag=LAG) as clients:
        model.change({"model": {"version": 3}, "serving": {"startup_timeout": "10s"}})
        model.apply(without=["HorizontalPodAutoscaler"])
        pods = model.until(lambda pods: any(_restarts(pod) for pod in pods.values()))
        assert {name for name, pod in pods.items() if nodes.is_ready(pod)} == old
        assert len(pods) == 3, "one more than is wished at a time"
        model.change({"model": {"version": int(version)}, "serving": {"startup_timeout": "10m"}})
        model.apply(without=["HorizontalPodAutoscaler"])
        model.until_rolled_out()
    assert clients.lost == []
    assert set(clients.answered) == {version}


def test_a_server_killed_in_the_middle_of_a_batch_is_replaced_and_only_what_it_had_in_hand_is_lost(
    plane: Plane, model: Model
) -> None:
    with load(plane.api, model, RATE, protocols=["http"]) as clients:
        clients.until(lambda: min(clients.in_hand.values(), default=0) > 2)
        victim = max(clients.in_hand, key=lambda name: clients.in_hand[name])
        pods = model.until(lambda pods: victim in pods)
        in_hand = clients.in_hand[victim]
        os.kill(_server(pods[victim]), signal.SIGKILL)
        model.until(lambda pods: _restarts(pods[victim]) == 1 and nodes.is_ready(pods[victim]))
        clients.until_answered(RATE)
    assert {lost.pod for lost in clients.lost} == {victim}
    # Some are sent between the count and the end.
    assert 0 < len(clients.lost) <= in_hand + RATE / 2


def unknown_operator() -> bytes:
    """A whole model with the tensors of iris, as a review wants it, that no server loads: nobody has its operator."""
    rows, answers = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in (("measurements", 4), ("probabilities", 3))
    )
    node = helper.make_node("NoSuchOperator", ["measurements"], ["probabilities"], domain="example.com")
    graph = helper.make_graph([node], "unknown", [rows], [answers])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("example.com", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def _restarts(pod: Object) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses") or [])


def _server(pod: Object) -> int:
    """The process of a pod's one container."""
    (status,) = pod["status"]["containerStatuses"]
    return int(status["containerID"].removeprefix("process://"))
