"""A model that KServe runs: the whole program with it, as a user sees it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..infra.crd_schemas import is_valid
from ..infra.recorder import Registered
from .conftest import Run

SPEC = """
slipform: v1
name: churn
team: growth
model:
  format: onnx
  uri: s3://acme-models/churn
  version: 3
  inputs: [{name: x, dtype: FP32, shape: [8]}]
  outputs: [{name: y, dtype: FP32, shape: [2]}]
serving: {engine: kserve, resources: {cpu: 1, cpu_limit: 1, memory: 1Gi}}
scaling: {min_replicas: 2, max_replicas: 6}
slo: {availability: 99.9}
"""
FILE = "model_specs/churn.yaml"


@pytest.fixture
def churn(project: Path) -> Path:
    """The project with that one spec more, in a stack whose cluster has KServe."""
    (project / FILE).write_text(SPEC, encoding="utf-8")
    stack = project / "stacks/Pulumi.prod.yaml"
    config = yaml.safe_load(stack.read_text(encoding="utf-8"))
    config["config"]["slipform:has"].append("kserve")
    stack.write_text(yaml.safe_dump(config), encoding="utf-8")
    return project


def test_it_is_validated_planned_and_rendered(churn: Path, slipform: Run, tmp_path: Path) -> None:
    validated = slipform("validate", FILE, "-s", "prod")
    assert validated.returncode == 0, validated.stdout
    rendered = tmp_path / "rendered"
    done = slipform("plan", FILE, "-s", "prod", "--render", str(rendered))
    shown = "└── InferenceService churn  slipform-runtime@4f53cda18c2b · CPU 1, memory 1Gi"
    assert shown in done.stdout, done.stdout + done.stderr
    objects: list[dict[str, Any]] = list(yaml.safe_load_all((rendered / "churn.yaml").read_text(encoding="utf-8")))
    (resource,) = (each for each in objects if each["kind"] == "InferenceService")
    is_valid(Registered("InferenceService", "churn", resource))


def test_the_adapters_rules_are_those_of_the_server_that_it_runs(churn: Path, slipform: Run) -> None:
    done = slipform("plan", FILE, "-s", "prod")
    assert "slipform-adapter-rules-fastapi" in done.stdout
    assert "slipform-adapter-rules-kserve" not in done.stdout


def test_a_new_version_is_an_update_that_replaces_its_pods(churn: Path, slipform: Run) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=a model"]):
        subprocess.run([*git, *command], cwd=churn, check=True)
    (churn / FILE).write_text(SPEC.replace("version: 3", "version: 4").replace("max_replicas: 6", "max_replicas: 8"))
    done = slipform("diff", "HEAD", "-s", "prod", "--format", "json")
    assert done.returncode == 0, done.stderr
    (model,) = json.loads(done.stdout)["models"]
    (change,) = (each for each in model["changes"] if "InferenceService" in each["type"])
    assert (change["action"], change["consequence"]) == ("update", "its pods are replaced, a few at a time")
    assert (model["demand"]["before"]["pods"], model["demand"]["after"]["pods"]) == ([2, 6], [2, 8])
