"""An engine that brings an operator, from another package: the whole program with it, as a user sees it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..infra.crd_schemas import is_valid
from ..infra.recorder import Registered
from .conftest import ROOT, Run

SPEC = """
slipform: v1
name: churn
team: growth
model:
  format: sklearn
  uri: s3://acme-models/churn
  version: 3
  inputs: [{name: x, dtype: FP32, shape: [8]}]
  outputs: [{name: y, dtype: FP32, shape: [2]}]
serving: {engine: kserve, resources: {cpu: 1, memory: 1Gi}}
scaling: {min_replicas: 2, max_replicas: 6, metrics: {requests_per_second: 50}}
slo: {availability: 99.9}
"""


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Python in which a package with the engine is installed."""
    site = tmp_path_factory.mktemp("site")
    info = site / "operated-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: operated\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[slipform.engines]\nkserve = tests.engines.kserve:KServe\n", encoding="utf-8"
    )
    return {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}


def write(project: Path, text: str = SPEC) -> None:
    (project / "model_specs/churn.yaml").write_text(text, encoding="utf-8")


def test_without_the_package_it_is_not_there_yet(project: Path, slipform: Run) -> None:
    write(project)
    done = slipform("validate", "model_specs/churn.yaml")
    assert (done.returncode, "engine 'kserve' is planned, but not there yet" in done.stdout) == (2, True)


def test_it_is_validated_planned_and_rendered(
    project: Path, slipform: Run, installed: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    write(project)
    assert slipform("validate", "model_specs/churn.yaml", "-s", "prod", **installed).returncode == 0
    rendered = tmp_path_factory.mktemp("rendered") / "prod"
    done = slipform("plan", "model_specs/churn.yaml", "-s", "prod", "--render", str(rendered), **installed)
    assert "ServingResource\n│   │   └── InferenceService churn" in done.stdout, done.stdout + done.stderr
    objects: list[dict[str, Any]] = list(yaml.safe_load_all((rendered / "churn.yaml").read_text(encoding="utf-8")))
    (resource,) = (each for each in objects if each["kind"] == "InferenceService")
    assert resource["spec"]["predictor"]["model"]["storageUri"] == "s3://acme-models/churn/3"
    is_valid(Registered("InferenceService", "churn", resource))


def test_a_new_version_is_an_update_of_its_resource(project: Path, slipform: Run, installed: dict[str, str]) -> None:
    write(project)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=a model"]):
        subprocess.run([*git, *command], cwd=project, check=True)
    write(project, SPEC.replace("version: 3", "version: 4"))
    done = slipform("diff", "HEAD", "-s", "prod", "--format", "json", **installed)
    assert done.returncode == 0, done.stderr
    (model,) = json.loads(done.stdout)["models"]
    (change,) = (each for each in model["changes"] if "InferenceService" in each["type"])
    assert change["action"] == "update"
    assert "spec.predictor.model.storageUri" in {field["path"] for field in change["fields"]}
