"""This repository's program under the real engine: its life in each stack, and whether it does what was foretold.

The tests of one stack go on where the one before them ended, as a stack's own life does.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.conftest import require
from tests.cluster.edits import edit
from tests.cluster.engine import TOOLS, EngineError
from tests.cluster.manifests import STACKS
from tests.cluster.plane import Plane
from tests.cluster.program import Project, Steps, deployed, differing, foretold

from slipform.plan import Resource
from slipform.plan.change.replacement import UPDATES

CHANGES = int(os.environ.get("SLIPFORM_CHANGES", "8"))
"""How many generated changes are tried; each costs some twenty seconds."""
IMAGE = f"example.com/other@sha256:{'1' * 64}"
FRAUD, IRIS = "model_specs/fraud.yaml", "model_specs/iris.yaml"


@pytest.fixture(scope="module")
def prod(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    require(*TOOLS)
    with deployed(plane, "prod", tmp_path_factory.mktemp("prod")) as project:
        yield project


def by_kind(steps: Steps, *operations: str) -> dict[str, str]:
    """Operations by "Kind/name" of what is no component."""
    found = {urn: operation for urn, operation in steps.items() if urn.split("::")[2].split("$")[-1].count(":") == 2}
    return {
        f"{urn.split('::')[2].rpartition(':')[2]}/{urn.split('::')[3]}": operation
        for urn, operation in found.items()
        if operation in operations
    }  # fmt: skip


@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack != "prod"])
def test_another_stack_lives_from_its_preview_to_its_end(plane: Plane, tmp_path: Path, stack: str) -> None:
    require(*TOOLS)
    with deployed(plane, stack, tmp_path) as project:
        assert differing(*project.preview()) == {}
        assert differing(*project.up()) == {}
        assert project.engine.up().operations == {}
        project.engine.destroy()
        assert project.engine.state() == []


def test_a_preview_makes_what_the_plan_foretells(prod: Project) -> None:
    planned = {found["urn"] for found in prod.run("plan")["resources"]}
    foretold, previewed = prod.preview()
    assert previewed == foretold == dict.fromkeys(planned, "create")


def test_an_update_makes_it_and_the_next_changes_nothing(prod: Project) -> None:
    foretold, done = prod.up()
    assert done == foretold
    assert prod.engine.up().operations == {}


def test_a_new_version_appears_as_a_canary_and_nothing_of_the_old_is_replaced(prod: Project) -> None:
    models = prod.root / "model_specs/models/iris"
    shutil.copytree(models / "1", models / "2")
    serving = of_kind(prod, "Deployment", "iris")
    before = prod.live(serving)
    prod.change(IRIS, "rollout", to={"strategy": "canary", "candidate": {"version": 2}, "weight": 10})
    foretold, done = prod.up()
    assert differing(foretold, done) == {}
    assert by_kind(done, "replace", "delete") == {}
    assert {"Deployment/iris-candidate": "create", "VirtualService/iris": "update"}.items() <= by_kind(
        done, "create", "update"
    ).items()
    after = prod.live(serving)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["template"] == before["spec"]["template"]
    route = prod.live(of_kind(prod, "VirtualService", "iris"))
    shared = [rule["route"] for rule in route["spec"]["http"] if len(rule["route"]) > 1]
    assert shared
    assert all([each["weight"] for each in weighed] == [90, 10] for weighed in shared)


def test_another_image_updates_the_pods_that_run_it_as_the_command_says(prod: Project) -> None:
    for command in (["init", "-q"], ["add", "."], [*_as_somebody(), "commit", "-qm", "as deployed"]):
        subprocess.run(["git", "-C", str(prod.root), *command], check=True)
    prod.change(prod_file(prod), "config", "slipform:images", "runtime", to=IMAGE)
    said = prod.run("diff", "HEAD")
    foretold, done = prod.up()
    assert differing(foretold, done) == {}
    assert {change["urn"]: change["action"] for model in said["models"] for change in model["changes"]} == {
        urn: operation for urn, operation in done.items() if operation != "same"
    }
    assert by_kind(done, "create", "replace", "delete") == {}
    assert {"Deployment/iris", "Deployment/iris-candidate", "Deployment/fraud"} <= by_kind(done, "update").keys()


def test_what_cannot_be_updated_is_replaced(prod: Project) -> None:
    prod.change(FRAUD, "nodes", "capacity", to="spot")
    foretold, done = prod.up()
    assert differing(foretold, done) == {}
    assert by_kind(done, "create", "update", "replace", "delete") == {"NodeGroup/fraud": "replace"}


def test_a_refused_update_says_why_and_once_mended_the_next_one_does_the_rest(prod: Project) -> None:
    namespace = "models"
    full = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full", "namespace": namespace},
        "spec": {"hard": {"count/configmaps": "0"}},
    }  # fmt: skip
    prod.plane.api.apply(full)
    prod.plane.api.until(
        "v1", "ResourceQuota", lambda found: "used" in found["full"].get("status", {}), namespace=namespace
    )
    prod.change(IRIS, "serving", "batching", "max_queue_delay", to="7ms")
    prod.change(IRIS, "scaling", "max_replicas", to=9)
    foretold, _ = prod.preview()
    with pytest.raises(EngineError, match="exceeded quota: full"):
        prod.engine.up()
    prod.plane.api.delete("v1", "ResourceQuota", "full", namespace)
    left = prod.engine.up().steps
    changed = {urn for urn, operation in foretold.items() if operation != "same"}
    assert {urn for urn, operation in left.items() if operation != "same"} <= changed
    assert prod.engine.up().operations == {}
    prod.there = prod.plan()


def test_what_was_deleted_by_hand_is_found_by_refresh_and_made_again(prod: Project) -> None:
    budget = of_kind(prod, "PodDisruptionBudget", "iris")
    prod.plane.api.delete("policy/v1", "PodDisruptionBudget", "iris", "models")
    prod.engine.refresh()
    assert budget.urn not in {found["urn"] for found in prod.engine.state()}
    assert prod.engine.up().operations == {budget.urn: "create"}
    assert prod.live(budget)


def test_what_was_changed_by_hand_is_found_by_refresh_and_said_to_have_two_owners(prod: Project) -> None:
    scaler = of_kind(prod, "HorizontalPodAutoscaler", "fraud")
    before = prod.live(scaler)["spec"]["maxReplicas"]

    def by_hand(replicas: int) -> None:
        prod.plane.api.patch(
            "autoscaling/v2", "HorizontalPodAutoscaler", "fraud", "models", {"spec": {"maxReplicas": replicas}}
        )

    by_hand(before + 7)
    try:
        prod.engine.refresh()
        assert prod.engine.preview().operations == {scaler.urn: "update"}
        with pytest.raises(EngineError, match=r"conflict with .*: \.spec\.maxReplicas"):
            prod.engine.up()
    finally:
        by_hand(before)
        prod.engine.refresh()
    assert prod.engine.up().operations == {}


WRONG: dict[str, Callable[..., Any]] = {
    "judge": lambda *_: UPDATES, "new_versions": lambda *_: (), "is_ignored": lambda *_: True, "match": lambda *_: {},
}  # fmt: skip
"""Rules of the diff, each with an answer that is wrong for the change below."""


def test_a_forecast_that_is_wrong_in_one_of_its_rules_is_noticed(
    prod: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway moves to another namespace, and a node group gets a new version of its launch template."""
    shutil.copytree(prod.root, tmp_path / "before")
    prod.change(FRAUD, "nodes", "disk", to="200Gi")
    prod.change(prod_file(prod), "config", "slipform:gateway", "namespace", to="gateways")
    planned, (right, done) = prod.plan(), prod.preview()
    shutil.rmtree(prod.root)
    shutil.copytree(tmp_path / "before", prod.root)
    assert differing(right, done) == {}
    rules = import_module("slipform.plan.change.diff")
    for rule, wrong in WRONG.items():
        with monkeypatch.context() as patched:
            patched.setattr(rules, rule, wrong)
            assert differing(foretold(prod.there, planned), done), rule


@pytest.mark.parametrize("seed", range(CHANGES))
def test_a_generated_change_does_what_was_foretold(prod: Project, seed: int, tmp_path: Path) -> None:
    """Six changes to specs and stack at once; every fourth time the engine also makes them, and the stack goes on."""
    shutil.copytree(prod.root, tmp_path / "before")
    said = edit(prod.root, prod.stack, random.Random(seed), 6)
    foretold, previewed = prod.preview()
    assert differing(foretold, previewed) == {}, said
    if seed % 4 == 3:
        foretold, done = prod.up()
        assert differing(foretold, done) == {}, said
        assert prod.engine.preview().operations == {}
    else:
        shutil.rmtree(prod.root)
        shutil.copytree(tmp_path / "before", prod.root)


def test_at_the_end_all_of_it_goes(prod: Project) -> None:
    made = {each.urn for each in prod.there.resources}
    assert prod.engine.destroy().operations.keys() >= made
    assert prod.engine.state() == []
    left = [found["kind"] for found in prod.plane.api.list("apps/v1", "Deployment", "models")]
    assert left == []


def of_kind(project: Project, kind: str, name: str) -> Resource:
    """The one planned Kubernetes object of a kind and a name."""
    objects = [each for each in project.there.resources if each.type.startswith("kubernetes:")]
    [found] = [each for each in objects if (each.kind, each.name) == (kind, name)]
    return found


def prod_file(project: Project) -> str:
    return f"stacks/Pulumi.{project.stack}.yaml"


def _as_somebody() -> list[str]:
    return ["-c", "user.name=tests", "-c", "user.email=tests@example.com"]
