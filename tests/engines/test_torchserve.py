"""TorchServe's container: what it is told, what it is given, and what is refused because it could not do it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import yaml
from hypothesis import given

from slipform.engines.base import Container, Port
from slipform.engines.mesh import ISTIO_ERRORS, ISTIO_LATENCY, ISTIO_REQUESTS
from slipform.engines.metrics import NoHistogram
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.engines.torchserve_config import text_of
from slipform.spec.findings import Finding, SlipformError, errors
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

from ..builders import DIGEST, merged, model_spec, stack_config
from .specs import served

IMAGES = {
    "torchserve": f"docker.io/pytorch/torchserve:0.12.0-cpu@sha256:{DIGEST}",
    "torchserve_gpu": f"docker.io/pytorch/torchserve:0.12.0-gpu@sha256:{DIGEST}",
}
STACK = stack_config(images=IMAGES)
WITHOUT_A_MESH = stack_config(images=IMAGES, has=["prometheus-operator"])


def spec(**changes: Any) -> ModelSpec:
    """A TorchScript model on processors."""
    basis = {
        "model": {"format": "torchscript"},
        "serving": {"engine": "torchserve", "resources": {"cpu": 3, "accelerator": None}},
    }
    return model_spec(**merged(basis, changes))


def container(*specs: ModelSpec, stack: StackConfig = STACK, texts: Mapping[str, str] | None = None) -> Container:
    made = engine("torchserve").workload(server(specs[0].server, specs, stack, texts=texts))
    assert isinstance(made, Container)
    return made


def settings(made: Container) -> dict[str, str]:
    return dict(line.split("=", 1) for line in made.files["config.properties"].splitlines())


def found(one: ModelSpec, stack: StackConfig | None = STACK) -> dict[str, Finding]:
    """The errors by their field."""
    return {finding.field: finding for finding in errors(engine("torchserve").problems(one, stack))}


def test_the_program_is_started_itself_since_the_images_entrypoint_outlives_it() -> None:
    made = container(spec())

    assert made.command == ("torchserve",)
    assert made.args[:4] == ("--start", "--foreground", "--ncs", "--disable-token-auth")
    assert made.args[-3:] == ("/models", "--models", "resnet50=/models/resnet50")


def test_only_the_inference_api_and_the_metrics_are_reached_from_outside() -> None:
    made = settings(container(spec()))

    assert made["inference_address"] == "http://0.0.0.0:8080"
    assert made["metrics_address"] == "http://0.0.0.0:8082"
    assert made["management_address"] == "http://127.0.0.1:8081"
    assert made["grpc_management_address"] == "127.0.0.1"
    assert made["metrics_mode"] == "prometheus"


@pytest.mark.parametrize(
    ("changes", "setting", "value"),
    [
        ({"instances": 2}, "default_workers_per_model", "2"),
        ({"resources": {"accelerator": "nvidia-l4:4"}, "instances": 2}, "default_workers_per_model", "8"),
        ({"resources": {"accelerator": "nvidia-l4:4"}}, "number_of_gpu", "4"),
        ({}, "number_of_gpu", "0"),
        ({"batching": {"max_queue_size": 33}}, "job_queue_size", "33"),
        ({"request_limit": "8Mi"}, "max_request_size", "8388608"),
        ({"startup_timeout": "90s"}, "default_startup_timeout", "90"),
        ({"protocols": ["rest"]}, "grpc_inference_address", "127.0.0.1"),
        ({"protocols": ["grpc"]}, "grpc_inference_address", "0.0.0.0"),
        ({"resources": {"cpu": 3, "cpu_limit": 5}}, "vmargs", "-XX:ActiveProcessorCount=5"),
    ],
)
def test_what_the_spec_says_becomes_a_setting(changes: dict[str, Any], setting: str, value: str) -> None:
    assert settings(container(spec(serving=changes)))[setting] == value


def test_a_request_may_take_as_long_as_the_route_lets_it() -> None:
    assert settings(container(spec()))["default_response_timeout"] == "120"
    assert settings(container(spec(traffic={"timeout": "5m"})))["default_response_timeout"] == "300"


@pytest.mark.parametrize(
    ("batching", "size", "delay"),
    [
        ({"max_batch_size": 16, "max_queue_delay": "5ms"}, 16, 5),
        ({"max_batch_size": 16}, 16, 1),
        ({"max_batch_size": 16, "max_queue_delay": "1500us"}, 16, 2),
        ({"max_batch_size": 0}, 1, 1),
    ],
)
def test_batches_are_counted_in_whole_milliseconds_and_never_by_its_default(
    batching: dict[str, Any], size: int, delay: int
) -> None:
    models = json.loads(settings(container(spec(serving={"batching": batching})))["models"])

    assert models["resnet50"]["3"]["batchSize"] == size
    assert models["resnet50"]["3"]["maxBatchDelay"] == delay


def test_a_torchscript_file_gets_the_folder_that_an_archive_would_be_unpacked_to() -> None:
    made = container(spec())
    (model,) = json.loads(made.files["repository.json"])["models"]
    manifest = json.loads(made.files[model["files"]["MAR-INF/MANIFEST.json"]])["model"]

    assert manifest["serializedFile"] == "3/model.pt"
    assert model["versions"][0]["filename"] == "model.pt"
    assert (manifest["modelName"], manifest["modelVersion"]) == ("resnet50", "3")
    assert manifest["handler"] in model["files"]
    assert set(model["files"].values()) <= set(made.files)


def test_a_handler_of_the_project_takes_the_place_of_ours() -> None:
    made = container(spec(serving={"handler": "handlers/mine.py"}), texts={"handlers/mine.py": "class Mine: ..."})
    (model,) = json.loads(made.files["repository.json"])["models"]

    assert made.files[model["files"]["handler.py"]] == "class Mine: ..."
    assert "signature.json" not in model["files"]
    with pytest.raises(SlipformError, match=r"handlers/mine\.py"):
        container(spec(serving={"handler": "handlers/mine.py"}))


def test_an_archive_is_served_from_its_versions_folder_whatever_its_makers_called_the_version() -> None:
    made = container(spec(model={"format": "mar"}))
    (model,) = json.loads(made.files["repository.json"])["models"]

    assert made.args[-3:] == ("/models/resnet50/3", "--models", "resnet50=model.mar")
    assert model["versions"][0]["filename"] == "model.mar"
    assert "files" not in model
    assert set(json.loads(settings(made)["models"])["resnet50"]) == {"3", "3.0"}


def test_models_that_share_a_server_have_each_their_folder() -> None:
    specs = [spec(serving={"server": "vision"}), spec(name="wine", serving={"server": "vision"})]
    made = container(*specs)

    assert made.args[-2:] == ("resnet50=/models/resnet50", "wine=/models/wine")
    assert made.startup.command[-2:] == ("resnet50", "wine")


def test_it_has_started_when_all_workers_are_there_and_is_alive_without_them() -> None:
    made = container(spec(serving={"startup_timeout": "10m"}))

    assert made.startup.command == ("python", "/etc/slipform/ready.py", "resnet50")
    assert made.startup.period_seconds * made.startup.failure_threshold == 600
    assert made.readiness.path == "/ping"
    assert made.liveness.path == "/api-description"


@pytest.mark.parametrize("module", ["torchserve_handler.py", "torchserve_ready.py"])
def test_what_runs_in_the_server_is_python_3_9(module: str) -> None:
    compile(ast.parse(text_of(module), feature_version=(3, 9)), module, "exec")


class Management(BaseHTTPRequestHandler):
    """The management API of a server that has one model whole, one in part, and none of another name."""

    def do_GET(self) -> None:
        workers = {"/models/whole": ["READY", "READY"], "/models/starting": ["READY", "UNLOADED"]}.get(self.path)
        self.send_response(404 if workers is None else 200)
        self.end_headers()
        found = [{"minWorkers": 2, "workers": [{"status": status} for status in workers or ()]}]
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("models", "said"),
    [(["whole"], None), (["whole", "starting"], "not ready: starting"), (["whole", "gone"], "not loaded")],
)
def test_a_server_has_started_when_every_worker_of_every_model_is_ready(models: list[str], said: str | None) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Management) as management:
        Thread(target=management.serve_forever, daemon=True).start()
        program = text_of("torchserve_ready.py").replace(":8081", f":{management.server_port}")
        done = subprocess.run([sys.executable, "-c", program, *models], capture_output=True, text=True, check=False)
        management.shutdown()

    assert done.returncode == (0 if said is None else 1)
    assert (said or "") in done.stderr


def test_it_is_stopped_by_its_own_command_when_its_requests_had_their_time() -> None:
    made = container(spec(serving={"drain_timeout": "45s"}))

    assert (made.drains, made.drain_seconds, made.pre_stop[:2]) == (False, 45, ("torchserve", "--stop"))


@pytest.mark.parametrize(
    ("protocols", "ports"),
    [
        (["rest", "grpc"], [("http", True), ("grpc", True), ("metrics", True)]),
        (["rest"], [("http", True), ("metrics", True)]),
        (["grpc"], [("http", False), ("grpc", True), ("metrics", True)]),
    ],
)
def test_http_is_there_for_probes_and_exposed_only_where_it_is_asked_for(
    protocols: list[str], ports: list[tuple[str, bool]]
) -> None:
    made = container(spec(serving={"protocols": protocols}))

    assert [(port.name, port.exposed) for port in made.ports] == ports
    assert Port("metrics", 8082) in made.ports


def test_its_workers_share_the_pods_processors() -> None:
    assert container(spec(serving={"instances": 3})).env["OMP_NUM_THREADS"] == "1"
    assert container(spec()).env["OMP_NUM_THREADS"] == "3"
    assert container(spec(serving={"env": {"OMP_NUM_THREADS": "2"}})).env["OMP_NUM_THREADS"] == "2"


def test_a_gpu_has_an_image_of_its_own() -> None:
    assert container(spec()).image == IMAGES["torchserve"]
    assert container(spec(serving={"resources": {"accelerator": "nvidia-l4"}})).image == IMAGES["torchserve_gpu"]
    assert "images" in str(found(spec(), stack_config())["serving.engine"].allowed)


def test_metrics_are_counters_so_that_no_request_is_forgotten() -> None:
    measured = yaml.safe_load(container(spec()).files["metrics.yaml"])

    assert {kind for part in ("ts_metrics", "model_metrics") for kind in measured[part]} == {"counter"}
    assert "PredictionTime" in [metric["name"] for metric in measured["model_metrics"]["counter"]]


def test_what_it_does_not_count_the_mesh_counts() -> None:
    meshed, alone = (engine("torchserve").metrics(stack) for stack in (STACK, WITHOUT_A_MESH))

    assert (meshed.requests, meshed.errors, meshed.latency) == (ISTIO_REQUESTS, ISTIO_ERRORS, ISTIO_LATENCY)
    assert alone.requests is not None
    assert alone.requests.series == "ts_inference_requests_total"
    assert alone.errors is None
    assert isinstance(alone.latency, NoHistogram)
    assert meshed.utilization == alone.utilization


@pytest.mark.parametrize(
    ("changes", "field", "words", "remedy"),
    [
        ({"model": {"format": "onnx"}}, "model.format", "does not serve onnx", "triton"),
        ({"model": {"format": "pytorch"}}, "model.format", "does not serve pytorch", "torch.jit.trace"),
        ({"model": {"inputs": [], "outputs": []}}, "model", "does not say what its", "add"),
        ({"serving": {"cache": {"size": "64Mi"}}}, "serving.cache", "no cache", "triton or fastapi"),
        ({"serving": {"cuda_graphs": True}}, "serving.cuda_graphs", "no CUDA graphs", "triton"),
        (
            {"serving": {"batching": {"preferred_batch_sizes": [8]}}},
            "serving.batching.preferred_batch_sizes",
            "no preferred",
            "max_queue_delay",
        ),
        (
            {"serving": {"batching": {"queue_timeout": "1s"}}},
            "serving.batching.queue_timeout",
            "no limit on the time",
            "traffic.timeout",
        ),
        (
            {"model": {"inputs": [{"name": "text", "dtype": "BYTES", "shape": [1]}]}},
            "model.inputs[0].dtype",
            "no tensors of BYTES",
            "serving.handler",
        ),
        (
            {"model": {"format": "mar"}, "serving": {"handler": "handlers/mine.py"}},
            "serving.handler",
            "has its handler in it",
            "torch-model-archiver",
        ),
        ({"model": {"format": "mar"}, "serving": {"server": "vision"}}, "serving.server", "one folder", "torchscript"),
        (
            {"model": {"size": "3Gi"}, "serving": {"instances": 3}},
            "serving.resources.memory",
            "each of the 3 workers loads the model",
            "fewer instances",
        ),
        (
            {"serving": {"protocols": ["grpc"]}, "scaling": {"metrics": {"queue_length": 10}}},
            "scaling.metrics.queue_length",
            "not those of gRPC",
            "utilization: 70",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_with_what_to_do(
    changes: dict[str, Any], field: str, words: str, remedy: str
) -> None:
    refused = found(spec(**changes))[field]

    assert words in refused.message
    assert refused.remedy is not None
    assert remedy in refused.remedy


def test_a_right_spec_has_one_doubt_that_nobody_maintains_it() -> None:
    (doubt,) = engine("torchserve").problems(spec(), STACK)

    assert (doubt.severity, doubt.field) == ("warning", "serving.engine")
    assert "no longer maintained" in doubt.message


@given(served())
def test_of_any_spec_that_is_not_refused_every_file_is_read_as_it_was_meant(one: ModelSpec) -> None:
    serving = one.serving.model_copy(
        update={
            "engine": "torchserve",
            "cache": None,
            "cuda_graphs": False,
            "batching": one.serving.batching.model_copy(update={"preferred_batch_sizes": (), "queue_timeout": None}),
        }
    )
    model = one.model.model_copy(update={"format": "torchscript"})
    changed = one.model_copy(update={"serving": serving, "model": model, "build": None})
    if found(changed):
        return
    made = container(changed)

    signature = json.loads(made.files["resnet50.signature.json"])
    assert [tensor["name"] for tensor in signature["inputs"]] == [tensor.name for tensor in one.model.inputs]
    (entry,) = json.loads(settings(made)["models"])["resnet50"].values()
    assert entry["batchSize"] == max(1, one.serving.batching.max_batch_size)
    assert entry["minWorkers"] == int(settings(made)["default_workers_per_model"])
    assert yaml.safe_load(made.files["metrics.yaml"])["ts_metrics"]
