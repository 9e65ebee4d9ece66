"""A version beside another under load, brought and taken by the engine or by Argo Rollouts: no request is lost.

No mesh runs here. The load goes where the live VirtualService and DestinationRule send it (`mesh.py`), and learns of
routes and pods as late as a cluster may tell it: so what is proven is that each update makes its changes in an order in
which nothing is ever sent where nobody answers. Argo Rollouts judges by what a real Prometheus scrapes from the pods.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from tests.cluster.api import Api, Object
from tests.cluster.conftest import require
from tests.cluster.engine import TOOLS, Engine
from tests.cluster.load import Load, load
from tests.cluster.model import HAS, LABELS, STACK, Model, own_namespace
from tests.cluster.monitoring import Prometheus, prometheus
from tests.cluster.node.running import real_node
from tests.cluster.plane import Plane
from tests.cluster.test_pods import LAG, RATE, SLOW
from tests.cluster.test_rollouts import ARGO, HASH, controller

from slipform.infra.tracks import deployment_name

CANDIDATE = deployment_name("iris", "candidate")
SERVING = {"env": SLOW, "warmup": False}
"""A version that fails on generated inputs would not get ready: here it is to fail on its clients'."""
PROGRESSIVE = {
    "strategy": "canary",
    "steps": [{"weight": 30, "hold": "10s"}, {"weight": 60, "hold": "12s"}],
    "analysis": {"max_error_rate": 0.02, "interval": "2s", "window": "4s"},
}


@dataclass(frozen=True)
class Release:
    """A model, and the engine that makes what its spec says."""

    model: Model
    engine: Engine
    prometheus: Prometheus
    folder: Path

    def up(self, **changes: object) -> dict[str, str]:
        """Changes the spec and makes it so; what was done to its Deployments, by their names."""
        self.model.change(changes)
        done = self.engine.up().operations
        return {urn.split("::")[-1]: operation for urn, operation in done.items() if ":Deployment::" in urn}

    def canary(self, version: int, weight: int) -> dict[str, str]:
        return self.up(rollout={"strategy": "canary", "candidate": {"version": version}, "weight": weight})


@pytest.fixture(scope="module")
def release(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Version 1, made by the engine, two more that may be released, and one that fails each request."""
    require(*TOOLS, "prometheus")
    folder = tmp_path_factory.mktemp("tracks")
    state = folder / "engine"
    state.mkdir()
    with (
        own_namespace(plane.api, "tracks") as namespace,
        real_node(plane, "real-1", folder, LABELS),
        prometheus(plane.api, namespace, folder / "prometheus") as scraper,
    ):
        has = (*HAS, "istio", "argo-rollouts")
        model = Model(folder, plane, namespace, has=has, prometheus=scraper.address, serving=SERVING)
        for version, weights in ((2, None), (3, None), (4, failing())):
            model.add_version(version, weights)
        made = Release(model, Engine(model.root, STACK, state), scraper, folder)
        try:
            made.up()
            scraper.start()
            yield made
        finally:
            made.engine.destroy()


def failing() -> bytes:
    """A model with the tensors of iris that fails on all but zeros, with which it is tried before it is ready."""
    rows, answers = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in (("measurements", 4), ("probabilities", 3))
    )
    constants = [
        helper.make_tensor("table", TensorProto.FLOAT, [3], [0.2, 0.3, 0.5]),
        helper.make_tensor("far", TensorProto.FLOAT, [1], [1e6]),
        *(helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in (("0", 0), ("1", 1), ("3", 3))),
    ]
    nodes = [
        helper.make_node("Slice", ["measurements", "0", "3", "1"], ["three"]),
        helper.make_node("Mul", ["three", "far"], ["beyond"]),
        helper.make_node("Cast", ["beyond"], ["places"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "places"], ["probabilities"]),
    ]
    graph = helper.make_graph(nodes, "failing", [rows], [answers], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


@pytest.fixture
def clients(plane: Plane, release: Release) -> Iterator[Load]:
    with load(plane.api, release.model, RATE, lag=LAG, routed=True) as clients:
        clients.until_answered(RATE)
        yield clients


def test_a_candidate_gets_its_share_once_it_is_ready(release: Release, clients: Load) -> None:
    assert release.canary(2, weight=25) == {CANDIDATE: "create"}
    clients.until_answered(RATE, version="2")
    answered = clients.until_answered(10 * RATE)
    assert 0.15 < answered["2"] / answered.total() < 0.35
    assert clients.lost == []


def test_a_promoted_candidate_takes_over_and_goes(release: Release, clients: Load) -> None:
    assert release.up(model={"version": 2}, rollout=None) == {"iris": "update", CANDIDATE: "delete"}
    release.model.until_rolled_out()
    assert clients.until_answered(RATE)["1"] == 0
    assert clients.lost == []


def test_an_aborted_candidate_loses_its_traffic_before_its_pods(release: Release, clients: Load) -> None:
    release.canary(3, weight=50)
    clients.until_answered(RATE, version="3")
    assert release.up(rollout=None) == {CANDIDATE: "delete"}
    release.model.until_rolled_out()
    assert clients.until_answered(RATE)["3"] == 0
    assert clients.lost == []


def test_a_version_that_is_taken_back_serves_again(release: Release, clients: Load) -> None:
    assert release.up(model={"version": 1}) == {"iris": "update"}
    release.model.until_rolled_out()
    assert clients.until_answered(RATE)["2"] == 0
    assert clients.lost == []


def test_argo_rollouts_promotes_a_good_version_and_takes_back_a_failing_one(
    plane: Plane, release: Release, clients: Load
) -> None:
    """First the Deployment's pods become the Rollout's, which is no release; then comes a good one, then a bad one."""
    require("argo-rollouts")
    api, namespace = plane.api, release.model.namespace
    with controller(plane, namespace, release.folder / "argo-rollouts.log"):
        release.up(rollout=PROGRESSIVE)
        until(api, namespace, "Healthy", after="")
        release.model.until(lambda pods: all(HASH in pod["metadata"]["labels"] for pod in pods.values()))
        first = pod_hash(api, namespace)
        assert clients.lost == []

        release.up(model={"version": 2})
        until(api, namespace, "Healthy", after=first)
        second = pod_hash(api, namespace)
        clients.until_sent_only_to(HASH, second)
        assert clients.until_answered(RATE).keys() == {"2"}
        assert clients.lost == []

        release.up(model={"version": 4})
        until(api, namespace, "Degraded", after=second)
        refused = pod_hash(api, namespace)
        clients.until_sent_only_to(HASH, second)
        failed = {lost.pod for lost in clients.lost}
        assert failed
        assert all(f"-{refused}-" in name for name in failed), "only what was sent to the failing version is lost"
        before = len(clients.lost)
        assert clients.until_answered(4 * RATE).keys() == {"2"}
        assert len(clients.lost) == before


def until(api: Api, namespace: str, ends: str, *, after: str) -> None:
    """Waits until the Rollout of another template than that one has ended so."""

    def ended(found: dict[str, Object]) -> bool:
        status = found.get("iris", {}).get("status", {})
        return bool(status.get("phase") == ends and status.get("currentPodHash") != after)

    api.until(ARGO, "Rollout", ended, namespace=namespace, timeout=150)


def pod_hash(api: Api, namespace: str) -> str:
    found: str = api.get(ARGO, "Rollout", "iris", namespace)["status"]["currentPodHash"]
    return found
