"""A version beside another, brought and taken by the engine under load: on neither track is a request lost.

No mesh runs here. The load goes where the live VirtualService and DestinationRule send it (`mesh.py`), and learns of
routes and pods as late as a cluster may tell it: so what is proven is that each update makes its changes in an order in
which nothing is ever sent where nobody answers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.cluster.conftest import require
from tests.cluster.engine import TOOLS, Engine
from tests.cluster.load import Load, load
from tests.cluster.model import HAS, LABELS, STACK, Model, own_namespace
from tests.cluster.node.running import real_node
from tests.cluster.plane import Plane
from tests.cluster.test_pods import LAG, RATE, SLOW

from slipform.infra.tracks import deployment_name

CANDIDATE = deployment_name("iris", "candidate")


@dataclass(frozen=True)
class Release:
    """A model, and the engine that makes what its spec says."""

    model: Model
    engine: Engine

    def up(self, **changes: object) -> dict[str, str]:
        """Changes the spec and makes it so; what was done to its Deployments, by their names."""
        self.model.change(changes)
        done = self.engine.up().operations
        return {urn.split("::")[-1]: operation for urn, operation in done.items() if ":Deployment::" in urn}

    def canary(self, version: int, weight: int) -> dict[str, str]:
        return self.up(rollout={"strategy": "canary", "candidate": {"version": version}, "weight": weight})


@pytest.fixture(scope="module")
def release(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Version 1, made by the engine, and three more that may be released."""
    require(*TOOLS)
    folder = tmp_path_factory.mktemp("tracks")
    state = folder / "engine"
    state.mkdir()
    with own_namespace(plane.api, "tracks") as namespace, real_node(plane, "real-1", folder, LABELS):
        model = Model(folder, plane, namespace, has=(*HAS, "istio"), serving={"env": SLOW})
        for version in (2, 3):
            model.add_version(version)
        made = Release(model, Engine(model.root, STACK, state))
        try:
            made.up()
            yield made
        finally:
            made.engine.destroy()


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
