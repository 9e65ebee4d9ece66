"""KServe's real controller makes of an InferenceService the pods that were foretold, and keeps its hands off the rest.

Its webhooks take part as well, and the pods are processes of the runtime that answer requests.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster import tools
from tests.cluster.api import Object
from tests.cluster.conftest import require
from tests.cluster.engine import TOOLS, Engine
from tests.cluster.kserve import INFERENCE_SERVICE, kserve
from tests.cluster.load import Load, load
from tests.cluster.model import LABELS, STACK, Model, own_namespace
from tests.cluster.node.running import real_node
from tests.cluster.plane import Plane
from tests.cluster.test_pods import LAG, RATE, SLOW

NAME, NAMESPACE = "iris", "kserve-models"
HAS = ("prometheus-operator", "prometheus-adapter", "istio", "kserve")
SERVING = {"engine": "kserve", "env": SLOW, "resources": {"cpu": "100m", "cpu_limit": 1, "memory": "128Mi"}}
DEPLOYMENT = "iris-predictor"
KNOWN = 1.5 * LAG * RATE
"""Requests after whose answers the clients know of a change."""
IMAGE = f"registry.example.com/server@sha256:{'1' * 64}"


@pytest.fixture(scope="module")
def manager() -> Path:
    """Its build takes some minutes: the tests run where somebody has made it."""
    found = tools.find("kserve-manager")
    if found is None:
        pytest.skip(
            "KServe's controller is not on this machine: `python -m tests.cluster.tools kserve-manager` makes it"
        )
    return found


@pytest.fixture(scope="module")
def model(plane: Plane, manager: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    folder = tmp_path_factory.mktemp("kserve")
    with (
        own_namespace(plane.api, NAMESPACE),
        real_node(plane, "kserve-0", folder, LABELS),
        kserve(plane, manager, NAMESPACE, folder / "kserve"),
    ):
        made = Model(folder, plane, NAMESPACE, NAME, has=HAS, serving=SERVING, scaling={"min_replicas": 2})
        made.add_version(2)
        yield made


@pytest.fixture(scope="module")
def engine(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The model, made by the engine, which has waited until KServe says that it is ready."""
    require(*TOOLS)
    made = Engine(model.root, STACK, tmp_path_factory.mktemp("engine"))
    try:
        made.up()
        yield made
    finally:
        made.destroy()


@pytest.fixture
def clients(plane: Plane, model: Model, engine: Engine) -> Iterator[Load]:
    with load(plane.api, model, RATE, lag=LAG, routed=True) as clients:
        clients.until_answered(RATE)
        yield clients


HPA = ("autoscaling/v2", "HorizontalPodAutoscaler")


@pytest.fixture(scope="module")
def predictor(model: Model, engine: Engine) -> Object:
    """What was written into the InferenceService."""
    (found,) = model.render().of_kind("InferenceService")
    spec: Object = found["spec"]["predictor"]
    return spec


def changed(given: object, live: object, path: str = "") -> list[str]:
    """Where something that was given is not there; what the API server adds as a default does not count."""
    if isinstance(given, dict) and isinstance(live, dict):
        return [each for key in given for each in changed(given[key], live.get(key), f"{path}.{key}")]
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        pairs = enumerate(zip(given, live, strict=True))
        return [each for index, pair in pairs for each in changed(*pair, f"{path}[{index}]")]
    return [] if given == live else [f"{path}: {given!r} is {live!r}"]


@pytest.mark.parametrize("runtime", ["fastapi", "triton"])
def test_the_api_server_takes_it_twice_without_a_change(
    plane: Plane, namespace: str, tmp_path: Path, runtime: str
) -> None:
    """With strict field validation; needs KServe's definitions alone."""
    model = Model(tmp_path, plane, namespace, NAME, has=HAS, serving={**SERVING, "runtime": runtime, "image": IMAGE})
    rollout = {"strategy": "canary", "candidate": {"version": 2}, "weight": 30}
    model.add_version(2)
    model.change({"rollout": rollout})
    resources = model.render().of_kind("InferenceService")
    assert [each["metadata"]["name"] for each in resources] == [NAME, f"{NAME}-candidate"]
    for each in resources:
        first, second = plane.api.apply(each), plane.api.apply(each)
        assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


def test_its_webhooks_find_nothing_to_fill_in(plane: Plane, predictor: Object) -> None:
    """Only the schema's own default is there beside what was written, so no change has to be ignored."""
    live = plane.api.get(*INFERENCE_SERVICE, NAME, NAMESPACE)["spec"]["predictor"]
    assert [port.pop("protocol") for port in live["containers"][0]["ports"]] == ["TCP"] * 3
    assert live == predictor


def test_a_second_up_would_change_nothing_and_after_a_refresh_neither(engine: Engine) -> None:
    assert engine.preview().operations == {}
    engine.refresh()
    assert engine.preview().operations == {}


def test_its_deployment_runs_the_pods_that_were_written(plane: Plane, predictor: Object) -> None:
    live = plane.api.get("apps/v1", "Deployment", DEPLOYMENT, NAMESPACE)
    pod, own = live["spec"]["template"], ("deploymentStrategy", "annotations")
    assert changed({key: value for key, value in predictor.items() if key not in own}, pod["spec"]) == []
    assert len(pod["spec"]["volumes"]) == len(predictor["volumes"])
    assert live["spec"]["strategy"] == predictor["deploymentStrategy"]
    assert pod["metadata"]["annotations"].items() >= predictor["annotations"].items()


def test_what_finds_pods_of_ours_finds_its_pods(plane: Plane, model: Model, predictor: Object) -> None:
    pods = plane.api.list("v1", "Pod", NAMESPACE, f"{model.labels},slipform.dev/track=stable,slipform.dev/version=1")
    assert len(pods) == 2
    assert {pod["spec"]["nodeName"] for pod in pods} == {"kserve-0"}


def test_it_makes_no_autoscaler_and_leaves_ours_alone(plane: Plane, model: Model, predictor: Object) -> None:
    """Ours has the server's name: one with the Deployment's it takes for its own, and deletes."""
    (planned,) = model.render().of_kind("HorizontalPodAutoscaler")
    (live,) = plane.api.list(*HPA, NAMESPACE)
    assert live["metadata"]["name"] == NAME
    assert live["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT
    assert changed(planned["spec"], live["spec"]) == []
    assert "ownerReferences" not in live["metadata"]


def test_it_opens_no_way_in_from_outside(plane: Plane, predictor: Object) -> None:
    assert plane.api.list("networking.k8s.io/v1", "Ingress", NAMESPACE) == []


def test_a_candidate_beside_it_gets_its_share_and_no_request_is_lost(
    model: Model, engine: Engine, clients: Load
) -> None:
    model.change({"rollout": {"strategy": "canary", "candidate": {"version": 2}, "weight": 30}})
    engine.up()
    clients.until_answered(RATE, version="2")
    answered = clients.until_answered(10 * RATE)
    assert 0.15 < answered["2"] / answered.total() < 0.45
    model.change({"model": {"version": 2}, "rollout": None})
    engine.up()
    clients.until_answered(10 * RATE, version="2")
    assert clients.lost == []


def test_to_another_engine_and_back_no_request_is_lost(model: Model, engine: Engine, clients: Load) -> None:
    for name in ("fastapi", "kserve"):
        model.change({"serving": {"engine": name}})
        engine.up()
        clients.until_answered(KNOWN)
    assert clients.lost == []


def test_a_new_version_takes_over_and_no_request_is_lost(
    plane: Plane, model: Model, engine: Engine, clients: Load
) -> None:
    """It keeps the number of replicas, which is the autoscaler's."""
    model.add_version(3)
    model.change({"model": {"version": 3}})
    engine.up()
    clients.until_answered(10 * RATE, version="3")
    assert clients.lost == []
    assert plane.api.get("apps/v1", "Deployment", DEPLOYMENT, NAMESPACE)["spec"]["replicas"] == 2
