"""``slipform build``: the same build as the Job's, from a spec, into a model repository that serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipform.engines.build_manifest import build_manifest
from slipform.project import load
from slipform_runtime.build.manifest import parse_manifest

from .conftest import ROOT

COMMAND = "import typer; from slipform.cli.build import build; typer.run(build)"


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command alone; errors that the entry point would print end it with 1."""
    command = [sys.executable, "-c", COMMAND, *arguments]
    return subprocess.run(
        command, cwd=project, env=os.environ, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_runtime_reads_the_manifest_of_every_spec_that_is_built() -> None:
    project = load(ROOT, "prod")
    built = [one.spec for one in project.loaded if one.spec.build is not None]
    assert built
    for spec in built:
        assert spec.build is not None
        manifest = parse_manifest(build_manifest(spec, spec.model.version, project.stack).encode())
        assert (manifest.name, manifest.target, manifest.precision) == (
            spec.name,
            spec.build.target,
            spec.build.precision,
        )
        assert (manifest.tensorrt is None) == (spec.build.target != "tensorrt")


def test_a_spec_becomes_a_model_repository_that_the_runtime_serves(project: Path) -> None:
    ended = run(project, "model_specs/iris.yaml", "--target", "onnx", "--output", "models", "--json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["name"], report["target"], report["passed"]) == ("iris", "onnx", True)
    assert 'platform: "onnxruntime_onnx"' in (project / "models/iris/config.pbtxt").read_text()
    assert sorted(path.name for path in (project / "models/iris/1").iterdir()) == [
        "model.onnx", "report.json", "report.md", "report.svg",
    ]  # fmt: skip


def test_a_spec_becomes_a_model_for_devices_within_their_budget(project: Path) -> None:
    spec = project / "model_specs/iris.yaml"
    build = "build: {target: onnx, device: {target: ort, max_size: 1Mi, max_p95_latency: 1s}}\n"
    spec.write_text(spec.read_text().replace("serving:\n", f"{build}serving:\n", 1))
    ended = run(project, "model_specs/iris.yaml", "--device", "--output", "phone", "--json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert [gate["name"] for gate in report["gates"]] == ["finite_outputs", "max_p95_latency_ms", "max_size_bytes"]
    assert report["tuned_batch_size"] == 1
    assert (project / "phone/iris/1/model.ort").is_file()
    assert not (project / "phone/iris/config.pbtxt").exists(), "no server loads it"


def test_what_can_not_be_built_ends_with_the_runtimes_own_code(project: Path) -> None:
    ended = run(project, "model_specs/iris.yaml", "--target", "onnx", "--precision", "int8-dynamic", "-o", "models")
    assert ended.returncode == 2
    assert "this model has none" in ended.stderr
    assert list((project / "models/iris").iterdir()) == []


WRONG = [
    (["model_specs/iris.yaml", "--device", "--output", "phone", "--target", "onnx"], "iris has no build.device; add"),
    (["model_specs/iris.yaml", "--target", "onnx"], "where to? --output DIR"),
    (["model_specs/iris.yaml", "--output", "models"], "iris has no build; add build:"),
    (["model_specs/iris.yaml", "--target", "tflite", "-o", "models"], "--target: Input should be 'onnx'"),
    (["model_specs/fraud.yaml", "--model", "nowhere", "-o", "models"], "there is no such file or folder"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_a_wrong_command_line_says_what_is_missing(project: Path, arguments: list[str], words: str) -> None:
    ended = run(project, *arguments)
    assert ended.returncode != 0
    assert words in ended.stderr


NO_FILES = [
    ("ensemble: [{model: iris, inputs: {x: x}, outputs: {y: y}}]", "its steps are models of their own"),
    ("format: bento", "its bento is in serving.image"),
]


@pytest.mark.parametrize(("model", "words"), NO_FILES)
def test_what_has_no_files_of_its_own_is_not_built(project: Path, model: str, words: str) -> None:
    text = f"slipform: v1\nname: whole\nmodel: {{{model}}}\nserving: {{engine: triton}}\n"
    (project / "model_specs" / "whole.yaml").write_text(text, encoding="utf-8")
    ended = run(project, "model_specs/whole.yaml", "--target", "onnx", "--output", "models")
    assert ended.returncode != 0
    assert words in ended.stderr
    assert "AssertionError" not in ended.stderr
