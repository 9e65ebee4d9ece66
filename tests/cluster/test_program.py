"""This repository's program and stacks under the real engine, against what `slipform plan` foretells."""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import nodes
from tests.cluster.conftest import require
from tests.cluster.engine import TOOLS, Engine
from tests.cluster.manifests import REPOSITORY, STACKS, apply_all, nodes_for, preconditions, render
from tests.cluster.plane import Plane

IMAGE = f"example.com/other@sha256:{'1' * 64}"


@dataclass(frozen=True)
class Project:
    """A copy of this repository's project, whose stack is on the tests' cluster."""

    root: Path
    stack: str
    engine: Engine

    def plan(self) -> dict[str, dict[str, Any]]:
        """What `slipform plan` foretells: {urn: resource}, the stack itself left out."""
        planned = json.loads(self.run("plan", "--stack", self.stack, "--format", "json"))
        return {found["urn"]: found for found in planned["resources"]}

    def run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "slipform.cli.main", *arguments]
        done = subprocess.run(command, cwd=self.root, env=os.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def change(self, file: str, *keys: str, to: Any) -> None:
        """Writes one field of a YAML file of the project."""
        path = self.root / file
        document = yaml.safe_load(path.read_text())
        place = document
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = to
        path.write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(scope="module", params=STACKS)
def project(
    request: pytest.FixtureRequest, plane: Plane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    require(*TOOLS)
    folder = tmp_path_factory.mktemp(f"program-{request.param}")
    root = folder / "project"
    root.mkdir()
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    for name in ("stacks", "model_specs"):
        shutil.copytree(REPOSITORY / name, root / name)
    _point_at(root / "stacks" / f"Pulumi.{request.param}.yaml", plane)
    engine_folder = folder / "engine"
    engine_folder.mkdir()
    rendered = render(request.param, folder / "manifests", root)
    with nodes.added(plane.api, *nodes_for(rendered.objects)):
        assert apply_all(plane.api, preconditions(rendered)) == []
        project = Project(root, request.param, Engine(root, request.param, engine_folder))
        try:
            yield project
        finally:
            project.engine.destroy()
            for namespace in rendered.namespaces():
                plane.api.delete("v1", "Namespace", namespace)
            plane.api.until("v1", "Namespace", lambda found: not rendered.namespaces() & found.keys())


def _point_at(stack_file: Path, plane: Plane) -> None:
    config = yaml.safe_load(stack_file.read_text())
    cluster = config["config"]["slipform:cluster"]
    cluster.update(context=plane.context, kubeconfig=str(plane.kubeconfig))
    config["config"].pop("slipform:protected", None)  # so that the test can take it all down
    stack_file.write_text(yaml.safe_dump(config, sort_keys=False))


def test_the_preview_makes_what_the_plan_foretells(project: Project) -> None:
    assert without_stack(project.engine.preview().operations) == dict.fromkeys(project.plan(), "create")


def test_an_update_makes_it_and_the_next_changes_nothing(project: Project) -> None:
    assert without_stack(project.engine.up().operations) == dict.fromkeys(project.plan(), "create")
    assert project.engine.up().operations == {}


@pytest.mark.parametrize(
    ("file", "keys", "value"),
    [
        ("stacks/Pulumi.{stack}.yaml", ("config", "slipform:images", "runtime"), IMAGE),
        ("stacks/Pulumi.{stack}.yaml", ("config", "slipform:labels", "reviewed"), "yes"),
        ("model_specs/iris.yaml", ("stacks", "{stack}", "scaling", "max_replicas"), 4),
        ("model_specs/iris.yaml", ("serving", "batching", "max_queue_delay"), "7ms"),
        ("model_specs/iris.yaml", ("name",), "flowers"),
    ],
    ids=["another image", "another label", "more replicas", "another batching", "another name"],
)  # fmt: skip
def test_a_change_touches_what_the_plans_differ_in_and_nothing_else(
    project: Project, file: str, keys: tuple[str, ...], value: object
) -> None:
    before = project.plan()
    project.change(file.format(stack=project.stack), *(key.format(stack=project.stack) for key in keys), to=value)
    after = project.plan()
    assert before != after
    touched = project.engine.up().operations
    custom = {urn for urn, found in {**before, **after}.items() if found["custom"]}
    differing = {urn for urn in custom if declared(before.get(urn)) != declared(after.get(urn))}
    assert touched.keys() & custom == differing
    assert {urn for urn, operation in touched.items() if operation == "create"} == after.keys() - before.keys()
    assert {urn for urn, operation in touched.items() if operation == "delete"} == before.keys() - after.keys()
    assert project.engine.up().operations == {}


def without_stack(operations: dict[str, str]) -> dict[str, str]:
    return {urn: operation for urn, operation in operations.items() if "pulumi:pulumi:Stack" not in urn}


def declared(planned: dict[str, Any] | None) -> Any:
    """The inputs that the engine compares: all but those that the program tells it to ignore."""
    if planned is None:
        return None
    inputs = copy.deepcopy(planned["inputs"])
    for path in planned.get("options", {}).get("ignore_changes", []):
        *parents, last = path.split(".")
        place = inputs
        for key in parents:
            place = place.get(key, {})
        place.pop(last, None)
    return inputs
