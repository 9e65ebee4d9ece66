"""What is planned for TensorFlow Serving, TorchServe, MLflow and BentoML, before a real API server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.builders import DIGEST
from tests.cluster.api import NotFoundError
from tests.cluster.manifests import REPOSITORY, Rendered, apply_all, preconditions, render
from tests.cluster.plane import Plane

IMAGES = {
    "tfserving": "docker.io/tensorflow/serving",
    "torchserve": "docker.io/pytorch/torchserve",
    "mlflow": "registry.example.com/mlflow",
    "bentoml": "registry.example.com/bentoml",
}
TENSOR = {"dtype": "FP32", "shape": [4]}
CANARY = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}
SPECS: dict[str, dict[str, Any]] = {
    "half": {"model": {"format": "tensorflow"}, "serving": {"engine": "tfserving"}, "rollout": CANARY},
    "doubled": {
        "model": {
            "format": "torchscript",
            "inputs": [{"name": "x", **TENSOR}],
            "outputs": [{"name": "y", **TENSOR}],
        },
        "serving": {"engine": "torchserve", "batching": {"max_queue_delay": "5ms"}},
        "scaling": {"metrics": {"utilization": 70, "queue_length": 10, "requests_per_second": 50}},
    },
    "archived": {"model": {"format": "mar"}, "serving": {"engine": "torchserve", "protocols": ["rest"]}},
    "logged": {
        "model": {"format": "mlflow"},
        "serving": {"engine": "mlflow", "instances": 2, "resources": {"cpu": 2}},
        "scaling": {"metrics": {"requests_per_second": 20, "p95_latency": "80ms", "cpu": 70}},
        "rollout": CANARY,
    },
    "fetched": {
        "model": {"format": "bento"},
        "serving": {"engine": "bentoml"},
        "scaling": {"metrics": {"requests_per_second": 20, "queue_length": 5, "p95_latency": "80ms"}},
        "expose": {"host": "fetched.models.example.com", "auth": "none", "paths": ["/predict"]},
    },
    "packed": {
        "model": {"format": "bento", "uri": None},
        "serving": {"engine": "bentoml", "image": f"registry.example.com/packed@sha256:{DIGEST}"},
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their specs in this repository's production stack, with images of all."""
    folder = tmp_path_factory.mktemp("servers")
    shutil.copy(REPOSITORY / "Pulumi.yaml", folder)
    shutil.copytree(REPOSITORY / "stacks", folder / "stacks")
    file = folder / "stacks" / "Pulumi.prod.yaml"
    stack = yaml.safe_load(file.read_text())
    config = stack["config"]
    config["slipform:images"] |= {name: f"{image}@sha256:{DIGEST}" for name, image in IMAGES.items()}
    config["slipform:cluster"] |= {"namespace": "servers", "create_namespace": True}
    for absent in ("slipform:policy", "slipform:cost"):
        config.pop(absent, None)
    file.write_text(yaml.safe_dump(stack))
    (folder / "model_specs").mkdir()
    for name, spec in SPECS.items():
        told = {"uri": f"s3://models/{name}", "version": 3, **spec["model"]}
        model = {field: value for field, value in told.items() if value is not None}
        objectives = {"availability": 99.9, "latency": {"p95": "100ms"}}
        written = {"slipform": "v1", "name": name, "team": "vision", **spec, "model": model, "slo": objectives}
        (folder / "model_specs" / f"{name}.yaml").write_text(yaml.safe_dump(written))
    return folder


@pytest.fixture(scope="module")
def rendered(project: Path) -> Rendered:
    return render("prod", project / "manifests", root=project)


@pytest.fixture(scope="module")
def applied(plane: Plane, rendered: Rendered) -> Iterator[Rendered]:
    assert apply_all(plane.api, preconditions(rendered.objects)) == []
    ordered = sorted(rendered.objects, key=lambda found: found["kind"] != "Namespace")
    assert apply_all(plane.api, ordered) == []
    yield rendered
    for manifest in rendered.objects:
        metadata = manifest["metadata"]
        try:
            plane.api.delete(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))
        except NotFoundError:
            continue


def test_the_server_accepts_every_manifest(applied: Rendered) -> None:
    names = {found["metadata"]["name"] for found in applied.of_kind("Deployment")}
    candidates = {f"{name}-candidate" for name, spec in SPECS.items() if "rollout" in spec}
    assert names == SPECS.keys() | candidates


def test_what_is_read_back_is_what_was_written(plane: Plane, applied: Rendered) -> None:
    """So the server has dropped no field of a probe or a hook."""
    for manifest in applied.of_kind("Deployment"):
        metadata = manifest["metadata"]
        there = plane.api.get("apps/v1", "Deployment", metadata["name"], metadata["namespace"])
        (wanted,), (found,) = (each["spec"]["template"]["spec"]["containers"] for each in (manifest, there))
        for field in ("command", "args", "env", "lifecycle", "startupProbe", "readinessProbe", "livenessProbe"):
            assert _holds(found.get(field), wanted.get(field)), (metadata["name"], field)


def _holds(found: object, wanted: object) -> bool:
    """Whether all that is wanted is there; the server fills in defaults beside it."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_holds(found.get(key), value) for key, value in wanted.items())
    return found == wanted
