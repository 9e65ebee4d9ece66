"""The real runtime, given the files that its engine answers: ready where it is probed, counting what is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime_testing.serving import RunningServer
from slipform.engines.base import Container
from slipform.engines.metrics import Histogram
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.spec.document import read
from slipform.spec.modelspec import ModelSpec
from slipform_runtime.fetch import fetch
from slipform_runtime.metrics.catalogue import MODEL_METRICS

from ..builders import merged, stack_config

ROOT = Path(__file__).parents[2]
HANDLER = "def postprocess(outputs):\n    return {'handled': True}\n"
MEASUREMENTS = {"inputs": [5.1, 3.5, 1.4, 0.2]}


def spec(**changes: Any) -> ModelSpec:
    """The iris example, which lies in this repository, as no stack changes it."""
    data = read(ROOT / "model_specs" / "iris.yaml").data
    return ModelSpec.model_validate(merged(data, {"stacks": ..., **changes}))


def container() -> Container:
    plain = spec(serving={"server": "flowers"})
    handled = spec(name="iris-handled", serving={"server": "flowers", "handler": "handlers/iris.py"})
    texts = {"handlers/iris.py": HANDLER}
    made = engine("fastapi").workload(server("flowers", [plain, handled], stack_config(), texts=texts))
    assert isinstance(made, Container)
    return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("etc")
    files = {name: text.replace("/etc/slipform", str(folder)) for name, text in container().files.items()}
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # where `file:` starts
        fetch(folder / "repository.json", folder / "models")
    started = RunningServer(folder / "models", json.loads(files["runtime.json"]))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def exposed(running: RunningServer) -> str:
    running.post("/predict/iris", MEASUREMENTS)
    return running.get("/metrics", port=running.metrics_port).body.decode()


def test_it_is_ready_and_alive_where_it_is_probed(running: RunningServer) -> None:
    made = container()
    for probe in (made.startup, made.readiness, made.liveness):
        assert probe.path is not None
        assert running.get(probe.path).status == 200


def test_it_answers_with_the_specs_labels(running: RunningServer) -> None:
    assert "setosa" in running.post("/predict/iris", MEASUREMENTS).body.decode()


def test_it_runs_the_specs_handler(running: RunningServer) -> None:
    assert running.post("/predict/iris-handled", MEASUREMENTS).json["outputs"] == {"handled": True}


def test_every_series_that_is_asked_for_is_there_with_its_labels(exposed: str) -> None:
    metrics = engine("fastapi").metrics(stack_config())
    measures = [metrics.requests, metrics.errors, metrics.queue_length, metrics.utilization, metrics.rejected]
    for measure in (*measures, *(measure for _, measure in metrics.extra)):
        assert measure is not None
        for metric in re.findall(r"([a-z_]+)\{", measure.query):
            pattern = rf'^{metric}\{{.*{metrics.model_label}="iris"'
            if metric not in MODEL_METRICS:  # which are of versions that do not serve, too
                pattern += rf',.*{metrics.version_label}="1"'
            assert re.search(pattern, exposed, re.MULTILINE), metric


def test_every_bound_of_the_spec_is_a_bucket(exposed: str) -> None:
    latency = engine("fastapi").metrics(stack_config()).latency
    objectives = spec().slo
    assert isinstance(latency, Histogram)
    assert objectives is not None
    assert objectives.latency is not None
    for bound in objectives.latency.chosen.values():
        assert f'{latency.metric}_bucket{{model="iris",version="1",le="{bound.milliseconds:g}"}}' in exposed
    for bucket in latency.buckets:
        assert f'le="{bucket:g}"' in exposed
