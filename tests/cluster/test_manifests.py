"""Every model spec in every stack, as manifests, before a real API server, scheduler and promtool."""

import copy
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tests.cluster import nodes
from tests.cluster.api import DynamicApiError, NotFoundError, Object
from tests.cluster.conftest import require
from tests.cluster.manifests import (
    POOL,
    STACKS,
    Rendered,
    apply_all,
    command,
    gpus,
    label,
    namespaces,
    nodes_for,
    preconditions,
    render,
    stack_config,
)
from tests.cluster.plane import Plane

WITH_RULES = [stack for stack in STACKS if "prometheus-operator" in stack_config(stack)["slipform:has"]]
WITH_GPUS = [stack for stack in STACKS if "gpu-device-plugin" in stack_config(stack)["slipform:has"]]


@pytest.fixture(scope="module", params=STACKS)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return render(request.param, tmp_path_factory.mktemp(request.param) / "manifests")


@pytest.fixture(scope="module")
def applied(plane: Plane, rendered: Rendered) -> Iterator[Rendered]:
    """The stack's manifests in the cluster, with the nodes that its pools would make."""
    # Namespaces first, as `kubectl apply` has them.
    ordered = sorted(rendered.objects, key=lambda found: found["kind"] != "Namespace")
    assert apply_all(plane.api, preconditions(rendered.objects)) == []
    with nodes.added(plane.api, *nodes_for(rendered.objects)):
        try:
            assert apply_all(plane.api, ordered) == []
            yield rendered
        finally:
            _remove(plane, rendered)


def _remove(plane: Plane, rendered: Rendered) -> None:
    names = namespaces(rendered.objects) | {found["metadata"]["name"] for found in rendered.of_kind("Namespace")}
    for manifest in rendered.objects:
        metadata = manifest["metadata"]
        try:
            plane.api.delete(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))
        except NotFoundError:
            continue
    for name in names:
        plane.api.delete("v1", "Namespace", name)
    plane.api.until("v1", "Namespace", lambda found: not names & found.keys())


def test_the_server_accepts_every_manifest(applied: Rendered) -> None:
    assert applied.objects


def test_applying_again_changes_nothing(plane: Plane, applied: Rendered) -> None:
    before = [_declared(plane, manifest) for manifest in applied.objects]
    assert apply_all(plane.api, applied.objects) == []
    assert [_declared(plane, manifest) for manifest in applied.objects] == before


def test_rendering_again_gives_the_same_manifests(applied: Rendered, tmp_path: Path) -> None:
    assert render(applied.stack, tmp_path / "again").objects == applied.objects


def test_the_server_refuses_a_field_that_it_does_not_know_in_any_of_them(plane: Plane, applied: Rendered) -> None:
    """So what was accepted above was checked: each kind has a schema, and it is strict."""
    lenient = []
    for manifest in applied.objects:
        changed = copy.deepcopy(manifest) | {"slipformHasNoSuchField": True}
        try:
            plane.api.apply(changed)
        except DynamicApiError:
            continue
        lenient.append(label(manifest))
    assert lenient == []


def test_every_pod_runs_and_on_its_own_pool(plane: Plane, applied: Rendered) -> None:
    pools = {found["metadata"]["name"]: found["metadata"]["labels"].get(POOL) for found in plane.api.list("v1", "Node")}
    [namespace] = {found["metadata"]["namespace"] for found in applied.of_kind("Deployment")}
    plane.api.until("apps/v1", "Deployment", _all_are_available, namespace=namespace)
    for pod in plane.api.list("v1", "Pod", namespace):
        wanted = pod["spec"].get("nodeSelector", {}).get(POOL)
        assert wanted in (None, pools[pod["spec"]["nodeName"]]), pod["metadata"]["name"]


@pytest.mark.parametrize("rendered", WITH_GPUS, indirect=True)
def test_a_pod_with_gpus_names_its_pool_and_a_pool_without_room_says_so(plane: Plane, applied: Rendered) -> None:
    serving = [found for found in applied.of_kind("Deployment") if gpus(found["spec"]["template"]["spec"])]
    assert serving
    assert all(found["spec"]["template"]["spec"]["nodeSelector"][POOL] for found in serving)
    metadata = serving[0]["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]
    before = plane.api.get("apps/v1", "Deployment", name, namespace)["spec"]["replicas"]
    labels = ",".join(f"{key}={value}" for key, value in serving[0]["spec"]["selector"]["matchLabels"].items())

    def scale(replicas: int) -> None:
        plane.api.patch("apps/v1", "Deployment", name, namespace, {"spec": {"replicas": replicas}})

    scale(20)
    try:
        plane.api.until("v1", "Pod", _one_has_no_room, namespace=namespace, labels=labels)
    finally:
        scale(before)
        plane.api.until("v1", "Pod", lambda found: len(found) <= before, namespace=namespace, labels=labels)


def test_no_pod_without_gpus_is_on_a_gpu_node(plane: Plane, applied: Rendered) -> None:
    with_gpus = {
        found["metadata"]["name"]
        for found in plane.api.list("v1", "Node") if nodes.GPU in found["status"]["capacity"]
    }  # fmt: skip
    strangers = [
        label(pod) for pod in plane.api.list("v1", "Pod")
        if pod["spec"].get("nodeName") in with_gpus and not gpus(pod["spec"]) and not _is_a_daemons(pod)
    ]  # fmt: skip
    assert strangers == []


def test_a_drain_takes_no_more_pods_than_the_disruption_budget_allows(plane: Plane, applied: Rendered) -> None:
    """Every node is cordoned, so an evicted pod has no successor: only the budget holds the others back."""
    with _all_cordoned(plane):
        for budget in applied.of_kind("PodDisruptionBudget"):
            namespace, name = budget["metadata"]["namespace"], budget["metadata"]["name"]
            selector = ",".join(f"{key}={value}" for key, value in budget["spec"]["selector"]["matchLabels"].items())
            pods = [pod for pod in plane.api.list("v1", "Pod", namespace, selector) if nodes.is_ready(pod)]
            status = plane.api.until("policy/v1", "PodDisruptionBudget", _counts(name, pods), namespace=namespace)
            allowed = status[name]["status"]["disruptionsAllowed"]
            assert [plane.api.evict(pod["metadata"]["name"], namespace) for pod in pods] == (
                [True] * allowed + [False] * (len(pods) - allowed)
            ), name
            assert status[name]["status"]["desiredHealthy"] == len(pods) - allowed


@pytest.mark.parametrize("rendered", WITH_RULES, indirect=True)
def test_promtool_accepts_every_rule_and_runs_the_tests_beside_it(rendered: Rendered, tmp_path: Path) -> None:
    [promtool] = require("promtool")
    command("plan", "--stack", rendered.stack, "--rules", str(tmp_path))
    files = sorted(tmp_path.glob("*.rules.yaml"))
    applied = {found["metadata"]["name"]: found["spec"]["groups"] for found in rendered.of_kind("PrometheusRule")}
    written = {file.name.partition(".")[0]: yaml.safe_load(file.read_text())["groups"] for file in files}
    assert written == applied
    tests = sorted(tmp_path.glob("*.tests.yaml"))
    assert [file.name.partition(".")[0] for file in tests] == sorted(applied)
    # tests/infra runs the tests of every spec, which takes its time; here it is that they are found and run as written.
    for judge, judged in (("check", files), ("test", tests[:1])):
        done = subprocess.run([promtool, judge, "rules", *judged], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _is_a_daemons(pod: Object) -> bool:
    """Whether it is one of those that each node has, as kind's nodes have their network's."""
    return any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences", []))


def _one_has_no_room(found: dict[str, Object]) -> bool:
    return any(f"Insufficient {nodes.GPU}" in str(pod["status"].get("conditions")) for pod in found.values())


@contextmanager
def _all_cordoned(plane: Plane) -> Iterator[None]:
    names = [
        found["metadata"]["name"]
        for found in plane.api.list("v1", "Node") if not found["spec"].get("unschedulable")
    ]  # fmt: skip
    try:
        for name in names:
            plane.api.patch("v1", "Node", name, None, {"spec": {"unschedulable": True}})
        yield
    finally:
        for name in names:
            plane.api.patch("v1", "Node", name, None, {"spec": {"unschedulable": False}})


def _counts(budget: str, pods: list[Object]) -> Callable[[dict[str, Object]], bool]:
    """Whether the disruption controller has seen all the pods of a budget."""

    def holds(found: dict[str, Object]) -> bool:
        status = found[budget].get("status", {})
        return bool(status.get("currentHealthy") == status.get("expectedPods") == len(pods))

    return holds


def _declared(plane: Plane, manifest: Object) -> Object:
    """What the manifest's owner declared of the live object, and when he last changed it."""
    metadata = manifest["metadata"]
    live = plane.api.get(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))
    [own] = [entry for entry in live["metadata"]["managedFields"] if entry["manager"] == "slipform-tests"]
    return {"owned": own, "uid": live["metadata"]["uid"]}


def _all_are_available(found: dict[str, Object]) -> bool:
    return all(
        deployment.get("status", {}).get("availableReplicas", 0) >= deployment["spec"]["replicas"]
        for deployment in found.values()
    )
