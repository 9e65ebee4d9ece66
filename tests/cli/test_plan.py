"""``slipform plan``: the whole of a stack, a part of it, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run


def test_it_shows_what_iris_becomes(slipform: Run) -> None:
    done = slipform("plan", "model_specs/iris.yaml", "-s", "prod")
    assert done.returncode == 0, done.stderr
    for part in ("ModelService iris", "Deployment iris", "HorizontalPodAutoscaler iris", "VirtualService iris"):
        assert part in done.stdout
    assert "fraud" not in done.stdout


def test_it_is_the_same_from_any_folder(slipform: Run, project: Path) -> None:
    plans = {slipform("plan", "-s", "prod", "--format", "json", cwd=f).stdout for f in (project, project / "stacks")}
    assert len(plans) == 1
    assert len(json.loads(plans.pop())["resources"]) > 50


def test_a_wrong_spec_is_reported_as_validate_does(slipform: Run, project: Path) -> None:
    file = project / "model_specs" / "iris.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("engine: fastapi", "engine: fastap"), encoding="utf-8")
    done = slipform("plan", "-s", "prod", "--render", "out")
    assert done.returncode == 2
    assert "model_specs/iris.yaml:16:11: error: serving.engine: engine 'fastap' is unknown" in done.stderr
    assert not (project / "out").exists()


def test_a_program_that_fails_renders_nothing_and_shows_its_own_traceback(slipform: Run, project: Path) -> None:
    program = project / "stacks" / "__main__.py"
    program.write_text(program.read_text(encoding="utf-8") + "\nraise ValueError('mine')\n", encoding="utf-8")
    done = slipform("plan", "-s", "dev", "--render", "out")
    assert done.returncode == 2
    assert "ValueError: mine" in done.stderr
    assert "stacks/__main__.py" in done.stderr
    assert not (project / "out").exists()


def test_the_same_manifests_are_the_same_bytes(slipform: Run, project: Path) -> None:
    for folder in ("a", "b"):
        assert slipform("plan", "-s", "prod", "--render", folder).returncode == 0
    first, second = (
        {file.name: file.read_bytes() for file in sorted((project / folder).glob("*.yaml"))} for folder in ("a", "b")
    )
    assert first == second
    assert set(first) == {"fraud.yaml", "iris.yaml", "platform.yaml", "text-direction.yaml", "ticket-router.yaml"}


@pytest.mark.parametrize(
    ("field", "value", "origin"),
    [
        ("scaling.max_replicas", "8", "model_specs/iris.yaml:22:17"),
        ("scaling.behavior.scale_down.window", "5m", "the default"),
        ("slo.latency.p95", "20ms", "model_specs/iris.yaml:25:42"),
        ("model.outputs[0].labels[2]", "virginica", "model_specs/iris.yaml:14:83"),
    ],
)
def test_a_field_is_explained_with_where_its_value_comes_from(
    slipform: Run, field: str, value: str, origin: str
) -> None:
    done = slipform("plan", "model_specs/iris.yaml", "-s", "prod", "--explain", field)
    assert done.returncode == 0, done.stderr
    first, second, *_ = done.stdout.splitlines()
    assert first == f"iris: {field} = {value}"
    assert second == f"    from:    {origin}"


def test_a_stacks_own_value_is_explained_as_such(slipform: Run) -> None:
    done = slipform("plan", "-s", "dev", "--explain", "scaling.max_replicas")
    assert "from:    model_specs/iris.yaml:28:46, in stacks.dev" in done.stdout


def test_an_unknown_field_is_explained_by_the_nearest(slipform: Run) -> None:
    done = slipform("plan", "-s", "dev", "--explain", "scaling.max_replica")
    assert done.returncode == 2
    assert "did you mean 'max_replicas'?" in done.stderr


def test_without_a_stack_the_choice_is_named(slipform: Run) -> None:
    done = slipform("plan")
    assert done.returncode == 2
    assert "the stacks here: dev, prod" in done.stderr
    assert slipform("plan", SLIPFORM_STACK="dev").returncode == 0


def test_the_rules_are_written_with_the_tests_that_prove_them(slipform: Run, project: Path) -> None:
    done = slipform("plan", "-s", "prod", "--rules", "rules")
    assert done.returncode == 0, done.stderr
    servers = ("fraud", "iris", "text-direction", "ticket-router")
    expected = {f"{server}.{what}.yaml" for server in servers for what in ("rules", "tests")}
    assert {file.name for file in (project / "rules").glob("*.yaml")} == expected
    objects = slipform("plan", "-s", "prod", "--format", "json").stdout
    assert '"SlipformErrorBudgetBurn"' in objects
    assert "SlipformErrorBudgetBurn" in (project / "rules" / "iris.rules.yaml").read_text(encoding="utf-8")


def test_no_colour_where_it_is_not_wanted(slipform: Run) -> None:
    assert "\x1b[" not in slipform("plan", "-s", "dev", NO_COLOR="1", FORCE_COLOR="").stdout
