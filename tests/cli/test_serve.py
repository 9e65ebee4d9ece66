"""``slipform serve``: a live prediction from a spec, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime_testing.building import perceptron
from slipform.cli.runtime import ports_when_ready

from .conftest import Run

SCORES = """
slipform: v1
name: scores
model:
  format: onnx
  uri: file:scores/model.onnx
  version: 1
  inputs: [{name: x, dtype: FP32, shape: [8]}]
  outputs: [{name: probabilities, dtype: FP32, shape: [4]}]
build: {target: openvino}
serving: {engine: fastapi}
"""


@contextmanager
def served(project: Path, *arguments: str) -> Iterator[int]:
    """The HTTP port of a server that is ready; it is asked to stop, and has to end well."""
    command = [sys.executable, "-m", "slipform.cli.main", "serve", *arguments]
    ports = ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    with subprocess.Popen([*command, *ports], cwd=project, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = ports_when_ready(process.stdout)
        assert ready is not None, f"ended with {process.wait()} before it was ready"
        try:
            yield ready["http"]
        finally:
            process.terminate()
            process.stdout.read()
        assert process.wait(timeout=30) == 0


def post(port: int, path: str, body: object) -> dict[str, object]:
    request = urllib.request.Request(f"http://localhost:{port}{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        result: dict[str, object] = json.loads(answer.read())
        return result


def test_iris_is_served_as_its_spec_says(project: Path) -> None:
    with served(project, "model_specs/iris.yaml") as port:
        answer = post(port, "/predict/iris", {"inputs": [5.1, 3.5, 1.4, 0.2]})
        assert answer["labels"] == {"probabilities": "setosa"}
        assert answer["model_version"] == "1"
        inputs = [{"name": "measurements", "datatype": "FP32", "shape": [2, 4], "data": [5, 3, 1, 0.2, 7, 3, 5, 2]}]
        outputs = post(port, "/v2/models/iris/infer", {"inputs": inputs})["outputs"]
        assert isinstance(outputs, list)
        assert outputs[0]["shape"] == [2, 3]


def test_a_copy_of_the_model_can_stand_for_its_address(project: Path) -> None:
    spec = project / "model_specs" / "iris.yaml"
    text = spec.read_text(encoding="utf-8").replace("file:model_specs/models/iris", "s3://nowhere/iris")
    spec.write_text(text, encoding="utf-8")
    with served(project, "model_specs/iris.yaml", "--model", "model_specs/models/iris/1/model.onnx") as port:
        assert post(port, "/predict", {"inputs": [6.7, 3.0, 5.2, 2.3]})["labels"] == {"probabilities": "virginica"}


def test_what_was_built_is_served_in_its_models_place(slipform: Run, project: Path) -> None:
    """A perceptron, since OpenVINO has none of the operators that scikit-learn's exporter writes."""
    (project / "scores").mkdir()
    (project / "scores" / "model.onnx").write_bytes(perceptron().SerializeToString())
    (project / "model_specs" / "scores.yaml").write_text(SCORES, encoding="utf-8")
    built = slipform("build", "model_specs/scores.yaml", "--output", "built")
    assert built.returncode == 0, built.stderr
    with served(project, "model_specs/scores.yaml", "--model", "built/scores") as port:
        probabilities = post(port, "/predict/scores", {"inputs": [0.0] * 8})["outputs"]
        assert isinstance(probabilities, list)
        assert sum(probabilities) == pytest.approx(1, abs=0.01)
        with urllib.request.urlopen(f"http://localhost:{port}/v2/models/scores/config", timeout=10) as config:
            assert json.loads(config.read())["backend"] == "openvino"


def test_a_format_that_is_not_served_here_is_refused(slipform: Run, project: Path) -> None:
    spec = project / "model_specs" / "iris.yaml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("format: onnx", "format: sklearn"), encoding="utf-8")
    done = slipform("serve", "model_specs/iris.yaml")
    assert done.returncode == 2
    assert "sklearn" in done.stderr
    assert "add build: {target: onnx}" in done.stderr
    assert "Traceback" not in done.stderr
    spec.write_text(spec.read_text(encoding="utf-8") + "build: {target: onnx}\n", encoding="utf-8")
    assert "serve what was built with --model DIR/iris" in slipform("serve", "model_specs/iris.yaml").stderr


def test_what_another_server_serves_is_refused_with_the_way_to_serve_it_here(slipform: Run, project: Path) -> None:
    (project / "model_specs" / "half.yaml").write_text(
        "slipform: v1\nname: half\nmodel: {format: tensorflow, uri: s3://models/half}\nserving: {engine: tfserving}\n",
        encoding="utf-8",
    )
    done = slipform("serve", "model_specs/half.yaml")
    assert done.returncode == 2
    assert "the bundled runtime does not serve tensorflow" in done.stderr
    assert "with engine: fastapi, which this command runs in place of TensorFlow Serving" in done.stderr


@pytest.mark.parametrize(
    ("format", "engine", "command"),
    [
        ("mlflow", "mlflow", "`mlflow models serve --env-manager local -m FOLDER` serves it"),
        ("bento", "bentoml", "`bentoml serve FOLDER` serves it"),
    ],
)
def test_what_only_its_own_engine_serves_is_refused_with_that_ones_command(
    slipform: Run, project: Path, format: str, engine: str, command: str
) -> None:
    (project / "model_specs" / "own.yaml").write_text(
        f"slipform: v1\nname: own\nmodel: {{format: {format}, uri: s3://models/own}}\nserving: {{engine: {engine}}}\n",
        encoding="utf-8",
    )
    done = slipform("serve", "model_specs/own.yaml")
    assert done.returncode == 2
    assert command in " ".join(done.stderr.split())


def test_a_model_that_is_not_there_is_said_so(slipform: Run) -> None:
    done = slipform("serve", "model_specs/iris.yaml", "--model", "gone.onnx")
    assert done.returncode == 2
    assert "gone.onnx: there is no such file" in done.stderr
