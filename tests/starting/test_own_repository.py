"""A repository of one's own, with nothing installed but the wheels: all commands work there, from wherever one is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .environment import Environment, commit, post

# Where one is, and what one adds to a command there: nothing, nothing, the project's folder.
PLACES = {"root": ".", "subfolder": "model_specs", "outside": ".."}


def at(place: str, models: Path, *command: str) -> tuple[list[str], Path]:
    """A command as it is written in that place, and the place."""
    before = ["--cwd", models.name] if place == "outside" else []
    return [*before, *command], (models / PLACES[place]).resolve()


def test_what_is_imported_is_the_wheel(environment: Environment, written: Path) -> None:
    for module in ("slipform", "slipform_runtime"):
        (found,) = environment.folder.glob(f"lib/python*/site-packages/{module}/__init__.py")
        assert found.is_file()
    done = environment.slipform("plan", "-s", "dev", "--format", "json", cwd=written)
    assert str(environment.folder) in done.stdout, "the program ran elsewhere"


@pytest.mark.parametrize("place", PLACES)
def test_a_new_repository_has_no_mistake(environment: Environment, written: Path, place: str) -> None:
    command, cwd = at(place, written, "validate")
    done = environment.slipform(*command, cwd=cwd)
    assert (done.returncode, done.stdout) == (0, "1 spec: 0 errors, 0 warnings\n"), done.stderr


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_its_stacks_have_one_doubt_the_image_that_nobody_has_pushed(
    environment: Environment, written: Path, stack: str
) -> None:
    done = environment.slipform("validate", "-s", stack, cwd=written)
    assert done.returncode == 0
    assert re.findall(r"warning: (.*)", done.stdout) == [
        "images.runtime: a digest of zeros stands for an image: no pod could pull it"
    ]


@pytest.fixture(scope="module")
def planned(environment: Environment, written: Path) -> str:
    return environment.slipform("plan", "-s", "prod", "--format", "json", cwd=written).stdout


@pytest.mark.parametrize("place", [place for place in PLACES if place != "root"])
def test_it_is_planned_the_same_from_everywhere(
    environment: Environment, written: Path, planned: str, place: str
) -> None:
    command, cwd = at(place, written, "plan", "-s", "prod", "--format", "json")
    done = environment.slipform(*command, cwd=cwd)
    assert done.returncode == 0, done.stderr
    resources = {(each["type"], each["name"]) for each in json.loads(done.stdout)["resources"]}
    assert ("slipform:serving:ModelService", "iris") in resources
    assert ("kubernetes:networking.istio.io/v1:VirtualService", "iris") in resources
    assert done.stdout == planned


def test_a_spec_is_found_by_its_path_from_outside(environment: Environment, written: Path) -> None:
    spec = f"{written.name}/model_specs/iris.yaml"
    assert environment.slipform("validate", spec, cwd=written.parent).returncode == 0
    done = environment.slipform("plan", spec, "-s", "dev", cwd=written.parent)
    assert "ModelService iris" in done.stdout, done.stderr


@pytest.mark.parametrize("place", PLACES)
def test_a_change_is_shown_from_everywhere(environment: Environment, models: Path, place: str) -> None:
    spec = models / "model_specs" / "iris.yaml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("max_replicas: 8", "max_replicas: 12"), encoding="utf-8")
    command, cwd = at(place, models, "diff", "HEAD", "-s", "prod", "--exit-code")
    done = environment.slipform(*command, cwd=cwd)
    assert done.returncode == 1, done.stderr
    assert re.search(r"maxReplicas\W+8 → 12", done.stdout), done.stdout


@pytest.mark.parametrize("place", PLACES)
def test_its_first_model_is_served(environment: Environment, written: Path, place: str) -> None:
    spec = {"root": "model_specs/iris.yaml", "subfolder": "iris.yaml", "outside": "models/model_specs/iris.yaml"}[place]
    with environment.serving(spec, cwd=(written / PLACES[place]).resolve()) as port:
        answer = post(port, "/predict", {"inputs": [5.1, 3.5, 1.4, 0.2]})
    assert answer["labels"] == {"probabilities": "setosa"}


COMPONENT = '''"""Who pays for a model: a component of our own."""

import pulumi
from pulumi_kubernetes import core, meta


class Budget(pulumi.ComponentResource):
    def __init__(self, name, platform, euros):
        super().__init__("acme:finance:Budget", name)
        core.v1.ConfigMap(
            f"{name}-budget",
            metadata=meta.v1.ObjectMetaArgs(name=f"{name}-budget", namespace=platform.namespace),
            data={"euros": str(euros)},
            opts=platform.options(self),
        )
        self.register_outputs({})
'''
ENGINE = '''"""An engine of our own: the bundled runtime with a guard before it."""

from dataclasses import replace

from slipform.engines.fastapi import FastAPI


class Guarded(FastAPI):
    name = "guarded"
    title = "the guarded runtime"

    def workload(self, server):
        return replace(super().workload(server), command=("guard", "slipform-runtime"))
'''
PACKAGE = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-engines"
version = "1.0"

[project.entry-points."slipform.engines"]
guarded = "acme_engines:Guarded"
"""


@pytest.fixture
def with_engine(environment: Environment, tmp_path: Path) -> Iterator[Environment]:
    """The environment with an engine of the user's own, found by its package's entry point."""
    package = tmp_path / "acme-engines"
    (package / "acme_engines").mkdir(parents=True)
    (package / "pyproject.toml").write_text(PACKAGE, encoding="utf-8")
    (package / "acme_engines" / "__init__.py").write_text(ENGINE, encoding="utf-8")
    environment.install(package)
    yield environment
    environment.uninstall("acme-engines")


def test_a_component_and_an_engine_of_ones_own_stand_beside_ours(with_engine: Environment, models: Path) -> None:
    (models / "stacks" / "budget.py").write_text(COMPONENT, encoding="utf-8")
    with (models / "stacks" / "__main__.py").open("a", encoding="utf-8") as program:
        program.write("    Budget(service.name, shared.platform, 400)\n")
    program_text = (models / "stacks" / "__main__.py").read_text(encoding="utf-8")
    (models / "stacks" / "__main__.py").write_text(
        program_text.replace("import pulumi\n", "import pulumi\nfrom budget import Budget\n", 1), encoding="utf-8"
    )
    spec = models / "model_specs" / "iris.yaml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("engine: fastapi", "engine: guarded"), encoding="utf-8")

    assert with_engine.slipform("validate", cwd=models).returncode == 0
    stale = with_engine.slipform("schema", "--check", cwd=models)
    assert (stale.returncode, "stale" in stale.stderr) == (1, True), "editors do not know the new engine yet"
    assert with_engine.slipform("schema", cwd=models).returncode == 0
    assert '"guarded"' in (models / "model_specs" / ".schema.json").read_text(encoding="utf-8")

    done = with_engine.slipform("plan", "-s", "dev", "--format", "json", cwd=models)
    assert done.returncode == 0, done.stderr
    resources = {(each["type"], each["name"]): each for each in json.loads(done.stdout)["resources"]}
    assert ("acme:finance:Budget", "iris") in resources
    deployment = next(each for (kind, _), each in resources.items() if kind.endswith(":Deployment"))
    server = next(c for c in deployment["inputs"]["spec"]["template"]["spec"]["containers"] if c["name"] == "server")
    assert server["command"] == ["guard", "slipform-runtime"]

    change = with_engine.slipform("diff", "HEAD", "-s", "dev", cwd=models)
    assert change.returncode == 0, change.stderr
    assert "iris-budget" in change.stdout
    commit(models, "an engine and a component of our own")
    assert with_engine.slipform("diff", "HEAD", "-s", "dev", cwd=models).stdout == "no changes\n"
