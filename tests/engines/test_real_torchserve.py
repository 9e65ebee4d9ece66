"""A real TorchServe loads what Slipform writes, answers by it, measures what the queries ask for, and stops when told.

It needs Java and PyTorch: `make test-torchserve`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from slipform.engines.base import Container
from slipform.engines.metrics import Histogram
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.infra.rules.samples import selectors
from slipform.protobuf import message_type
from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec
from .real_torchserve import PROGRAM, RunningTorchServe, find, running
from .test_torchserve import STACK, WITHOUT_A_MESH

pytestmark = pytest.mark.skipif(
    find() is None, reason=f"no TorchServe here: {PROGRAM} names none (make test-torchserve)"
)

TRACED = """
import sys, torch
class Doubled(torch.nn.Module):
    def forward(self, x):
        return x * 2, x.sum(1)
torch.jit.trace(Doubled(), torch.zeros(2, 4)).save(sys.argv[1])
"""
HANDLER = """
from ts.torch_handler.base_handler import BaseHandler

class Rows(BaseHandler):
    def preprocess(self, requests):
        import torch
        return torch.tensor([request["body"]["row"] for request in requests], device=self.device)

    def postprocess(self, outputs):
        return [{"sum": float(one)} for one in outputs[1]]
"""


def spec(store: Path, **changes: Any) -> ModelSpec:
    """Two outputs, batches of eight; ``store`` holds the versions."""
    made = model_spec(
        name="doubled",
        model={
            "format": changes.pop("format", "torchscript"),
            "sha256": ...,
            "inputs": [{"name": "x", "dtype": "FP32", "shape": [4]}],
            "outputs": [{"name": "y", "dtype": "FP32", "shape": [4]}, {"name": "total", "dtype": "FP32", "shape": []}],
        },
        serving={
            "engine": "torchserve",
            "resources": {"cpu": 1, "accelerator": None},
            "batching": {"max_batch_size": 8, "max_queue_delay": "50ms"},
            **changes,
        },
        nodes=...,
    )
    return made.model_copy(update={"model": made.model.model_copy(update={"uri": f"file://{store}"})})


def container(one: ModelSpec, **texts: str) -> Container:
    made = engine("torchserve").workload(server(one.server, [one], STACK, texts=texts))
    assert isinstance(made, Container)
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 3 of a traced model."""
    program, folder = find(), tmp_path_factory.mktemp("store")
    assert program is not None
    (folder / "3").mkdir()
    subprocess.run([program.parent / "python", "-c", TRACED, folder / "3" / "model.pt"], check=True)
    return folder


@pytest.fixture(scope="module")
def started(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTorchServe]:
    with running(container(spec(store)), tmp_path_factory.mktemp("torchserve")) as torchserve:
        torchserve.wait_until_started()
        yield torchserve


def body(rows: int, **changes: Any) -> bytes:
    tensor = {"name": "x", "shape": [rows, 4], "datatype": "FP32", "data": [1.0] * 4 * rows}
    return json.dumps({"id": "7", "inputs": [{**tensor, **changes}]}).encode()


@pytest.mark.parametrize("path", ["/predictions/doubled", "/predictions/doubled/3", "/v2/models/doubled/infer"])
def test_a_torchscript_file_answers_by_the_open_inference_protocols_json(started: RunningTorchServe, path: str) -> None:
    status, answer = started.ask(path, body(2))

    assert status == 200
    assert json.loads(answer) == {
        "model_name": "doubled",
        "model_version": "3",
        "id": "7",
        "outputs": [
            {"name": "y", "shape": [2, 4], "datatype": "FP32", "data": [2.0] * 8},
            {"name": "total", "shape": [2], "datatype": "FP32", "data": [4.0, 4.0]},
        ],
    }


def test_grpc_takes_the_same_json_as_data(started: RunningTorchServe) -> None:
    fields = {"model_name": (1, "string"), "input": (3, "*Entry")}
    entry = {"key": (1, "string"), "value": (2, "bytes")}
    messages = {"PredictionsRequest": fields, "Entry": entry, "PredictionResponse": {"prediction": (1, "bytes")}}
    request, response = (
        message_type("torchserve", name, messages) for name in ("PredictionsRequest", "PredictionResponse")
    )
    asked = request(model_name="doubled")
    asked.input.add(key="data", value=body(1))
    (method,) = [one for one in engine("torchserve").api.methods if one.endswith("/Predictions")]

    with grpc.insecure_channel(f"127.0.0.1:{started.ports[7070]}") as channel:
        answer = response.FromString(channel.unary_unary(method)(asked.SerializeToString(), timeout=60))

    assert json.loads(answer.prediction)["outputs"][1]["data"] == [4.0]


def test_requests_of_a_batch_get_their_own_rows_and_a_bad_one_fails_alone(started: RunningTorchServe) -> None:
    asked = [body(1 + index % 3) if index % 8 else body(1, datatype="INT8") for index in range(32)]
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda one: started.ask("/predictions/doubled", one), asked))

    assert [status for status, _ in answers] == [200 if index % 8 else 400 for index in range(32)]
    rows = [json.loads(answer)["outputs"][1]["shape"] for status, answer in answers if status == 200]
    assert rows == [[1 + index % 3] for index in range(32) if index % 8]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (b"{", "no JSON"),
        (b"{}", 'no "inputs"'),
        (body(9), "from 1 to 8"),
        (body(1, name="image"), "the inputs are ['image'], the model's are ['x']"),
        (body(1, shape=[1, 5]), "has shape [1, 5], the model's is [-1, 4]"),
        (body(1, data=[1.0]), "no tensor of shape [1, 4]"),
        (body(1, data="one"), "no tensor of shape [1, 4]"),
    ],
)
def test_a_wrong_request_is_told_why(started: RunningTorchServe, asked: bytes, words: str) -> None:
    status, answer = started.ask("/predictions/doubled", asked)

    assert status == 400
    assert words in json.loads(answer)["error"]


def test_the_settings_are_those_of_the_spec(started: RunningTorchServe) -> None:
    (model,) = json.loads(started.ask("/models/doubled", port=8081)[1])

    wanted = {"modelVersion": "3", "batchSize": 8, "maxBatchDelay": 50, "minWorkers": 1, "maxWorkers": 1}
    assert {name: model[name] for name in wanted} == wanted
    assert model["jobQueueStatus"]["remainingCapacity"] == 256


def test_every_series_that_is_asked_for_is_there(started: RunningTorchServe) -> None:
    assert started.ask("/predictions/doubled", body(1))[0] == 200
    measured = started.ask("/metrics", port=8082)[1].decode()
    metrics = engine("torchserve").metrics(WITHOUT_A_MESH)

    assert not isinstance(metrics.latency, Histogram)
    for measure in (metrics.requests, metrics.queue_length, metrics.utilization):
        assert measure is not None
        label = measure.model_label or metrics.model_label
        for selector in selectors(measure.promql(f'{label}="doubled"')):
            assert re.search(rf'^{selector.metric}{{.*\b{label}="doubled"', measured, re.MULTILINE), measured


def test_the_probes_are_answered(started: RunningTorchServe) -> None:
    assert started.run(started.made.startup.command).returncode == 0
    for probe in (started.made.readiness, started.made.liveness):
        assert probe.path
        assert started.ask(probe.path)[0] == 200


def test_what_it_logs_is_json(started: RunningTorchServe) -> None:
    lines = [line for line in started.log.read_text().splitlines() if "org.pytorch.serve.ModelServer" in line]

    assert lines
    assert all({"time", "level", "logger", "message"} == set(json.loads(line)) for line in lines)


def test_it_writes_nothing_outside_the_folder_that_a_pod_can_write(started: RunningTorchServe) -> None:
    assert started.ask("/predictions/doubled", body(1))[0] == 200
    assert list(started.home.iterdir()) == []


def test_a_worker_that_was_never_asked_was_busy_for_no_time(store: Path, tmp_path: Path) -> None:
    with running(container(spec(store)), tmp_path) as torchserve:
        torchserve.wait_until_started()

        measured = torchserve.ask("/metrics", port=8082)[1].decode()
        assert re.search(r'^PredictionTime{ModelName="doubled",.*} 0\.0$', measured, re.MULTILINE), measured


def test_a_handler_of_the_project_is_used(store: Path, tmp_path: Path) -> None:
    made = container(spec(store, handler="handlers/rows.py"), **{"handlers/rows.py": HANDLER})
    with running(made, tmp_path) as torchserve:
        torchserve.wait_until_started()

        status, answer = torchserve.ask("/predictions/doubled", b'{"row": [1, 2, 3, 4]}')

    assert (status, json.loads(answer)) == (200, {"sum": 10.0})


def test_an_archive_is_served_with_the_specs_batches(store: Path, tmp_path: Path) -> None:
    program = find()
    assert program is not None
    (tmp_path / "rows.py").write_text(HANDLER)
    (tmp_path / "store" / "3").mkdir(parents=True)
    subprocess.run(
        [
            *(program.parent / "torch-model-archiver", "--model-name", "model", "--version", "3.0", "--force"),
            *("--serialized-file", store / "3" / "model.pt", "--handler", tmp_path / "rows.py"),
            *("--export-path", tmp_path / "store" / "3"),
        ],
        check=True,
    )
    with running(container(spec(tmp_path / "store", format="mar")), tmp_path) as torchserve:
        torchserve.wait_until_started()

        status, answer = torchserve.ask("/predictions/doubled", b'{"row": [1, 2, 3, 4]}')
        (model,) = json.loads(torchserve.ask("/models/doubled", port=8081)[1])

    assert (status, json.loads(answer)) == (200, {"sum": 10.0})
    assert (model["modelVersion"], model["batchSize"]) == ("3.0", 8)


def test_a_model_that_cannot_be_loaded_has_not_started_though_the_server_says_healthy(tmp_path: Path) -> None:
    (tmp_path / "store" / "3").mkdir(parents=True)
    (tmp_path / "store" / "3" / "model.mar").write_bytes(b"no archive")
    with running(container(spec(tmp_path / "store", format="mar")), tmp_path) as torchserve:
        torchserve.wait_for_port()

        assert torchserve.ask("/ping")[0] == 200
        assert torchserve.run(torchserve.made.startup.command).returncode == 1


def test_it_stops_when_the_hook_says_so(store: Path, tmp_path: Path) -> None:
    with running(container(spec(store)), tmp_path) as torchserve:
        torchserve.wait_until_started()

        assert torchserve.run(torchserve.made.pre_stop).returncode == 0
        assert torchserve.process.wait(60) == 0
