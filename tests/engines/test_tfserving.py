"""TensorFlow Serving's container: what it is told, files that its own protobufs read, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from hypothesis import given

from slipform.engines.base import Container, Port
from slipform.engines.mesh import ISTIO_LATENCY
from slipform.engines.metrics import Histogram
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.engines.tfserving_protos import MESSAGES, message
from slipform.spec.findings import Finding, errors
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig
from slipform.spec.units import Duration

from ..builders import DIGEST, merged, model_spec, stack_config
from .specs import served

IMAGES = {
    "tfserving": f"docker.io/tensorflow/serving:2.19.1@sha256:{DIGEST}",
    "tfserving_gpu": f"docker.io/tensorflow/serving:2.19.1-gpu@sha256:{DIGEST}",
}
STACK = stack_config(images=IMAGES)
WITHOUT_A_MESH = stack_config(images=IMAGES, has=["prometheus-operator"])
WHEEL = "pip install --no-deps -r tests/engines/tfserving.txt"


def spec(**changes: Any) -> ModelSpec:
    """A SavedModel on processors."""
    basis = {
        "model": {"format": "tensorflow"},
        "serving": {"engine": "tfserving", "resources": {"cpu": 3, "accelerator": None}},
    }
    return model_spec(**merged(basis, changes))


def container(*specs: ModelSpec, stack: StackConfig = STACK) -> Container:
    made = engine("tfserving").workload(server(specs[0].server, specs, stack))
    assert isinstance(made, Container)
    return made


def read(made: Container, file: str, name: str) -> Any:
    return text_format.Parse(made.files[file], message(name))


def found(one: ModelSpec, stack: StackConfig | None = STACK) -> dict[str, Finding]:
    """Errors and warnings by their field."""
    return {finding.field: finding for finding in engine("tfserving").problems(one, stack)}


def test_the_binary_is_the_command_since_the_entrypoints_shell_passes_no_signal() -> None:
    made = container(spec())

    assert made.command == ("tensorflow_model_server",)
    assert {"--model_config_file=/etc/slipform/models.config", "--max_num_load_retries=0"} <= set(made.args)


@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({}, {"--port=8500", "--rest_api_port=8501", "--enable_batching=true", "--enable_model_warmup=true"}),
        ({"serving": {"protocols": ["rest"]}}, {"--port=0", "--grpc_socket_path=/tmp/grpc.sock"}),
        ({"serving": {"warmup": False}}, {"--enable_model_warmup=false"}),
        ({"traffic": {"timeout": "1500ms"}}, {"--rest_api_timeout_in_ms=1500"}),
        ({"serving": {"resources": {"cpu": "2500m"}}}, {"--tensorflow_intra_op_parallelism=3"}),
        (
            {"serving": {"batching": {"max_batch_size": 32, "max_queue_size": 100}, "instances": 2}},
            {"--rest_api_num_threads=164", "--grpc_max_threads=164"},
        ),
        ({"serving": {"batching": {"max_batch_size": 0}}}, {"--rest_api_num_threads=12", "--grpc_max_threads=12"}),
    ],
)
def test_what_the_spec_says_becomes_an_argument(changes: dict[str, Any], arguments: set[str]) -> None:
    assert arguments <= set(container(spec(**changes)).args)


@given(served())
def test_every_argument_is_a_flag_that_it_knows(one: ModelSpec) -> None:
    known = set(Path(__file__).with_name("tfserving_flags.txt").read_text().splitlines())
    serving = one.serving.model_copy(update={"engine": "tfserving"})
    made = container(one.model_copy(update={"serving": serving, "build": None}))

    assert {argument.partition("=")[0].removeprefix("--") for argument in made.args} <= known


def test_each_model_has_the_one_version_of_its_track() -> None:
    specs = [spec(serving={"server": "vision"}), spec(name="wine", model={"version": 7}, serving={"server": "vision"})]
    entries = read(container(*specs), "models.config", "ModelServerConfig").model_config_list.config

    assert [(one.name, one.base_path, [*one.model_version_policy.specific.versions]) for one in entries] == [
        ("resnet50", "/models/resnet50", [3]),
        ("wine", "/models/wine", [7]),
    ]
    assert {one.model_platform for one in entries} == {"tensorflow"}


def test_batches_are_the_specs() -> None:
    batching = {"max_batch_size": 32, "preferred_batch_sizes": [32, 8], "max_queue_delay": "5ms", "max_queue_size": 100}
    config = read(container(spec(serving={"batching": batching})), "batching.config", "BatchingParameters")

    assert config.max_batch_size.value == 32
    assert config.batch_timeout_micros.value == 5000
    assert config.max_enqueued_batches.value == 4
    assert config.num_batch_threads.value == 1
    assert list(config.allowed_batch_sizes) == [8, 32]
    assert config.thread_pool_name.value == "resnet50"


def test_without_a_batch_axis_there_is_no_batching() -> None:
    made = container(spec(serving={"batching": {"max_batch_size": 0}}))

    assert "batching.config" not in made.files
    assert not [argument for argument in made.args if "batching" in argument]


def test_metrics_are_switched_on_where_prometheus_looks() -> None:
    config = read(container(spec()), "monitoring.config", "MonitoringConfig").prometheus_config

    assert (config.enable, config.path) == (True, "/metrics")


@pytest.mark.parametrize(
    ("protocols", "ports"),
    [
        (["rest", "grpc"], (Port("http", 8501), Port("grpc", 8500))),
        (["rest"], (Port("http", 8501),)),
        (["grpc"], (Port("metrics", 8501), Port("grpc", 8500))),
    ],
)
def test_the_port_of_rest_measures_too(protocols: list[str], ports: tuple[Port, ...]) -> None:
    made = container(spec(serving={"protocols": protocols}))

    assert made.ports == ports
    for probe in (made.startup, made.readiness, made.liveness):
        assert (made.number_of(probe.port), probe.path) == (8501, None), "a GET is counted, and says 200 of a failure"


def test_it_ignores_sigterm_so_the_sleep_before_lasts_as_long_as_requests_may() -> None:
    made = container(spec(serving={"drain_timeout": "45s"}))

    assert (made.drains, made.drain_seconds, made.pre_stop) == (False, 45, ())


def test_a_gpu_has_an_image_of_its_own() -> None:
    assert container(spec()).image == IMAGES["tfserving"]
    assert container(spec(serving={"resources": {"accelerator": "nvidia-l4"}})).image == IMAGES["tfserving_gpu"]
    assert "tensorflow/serving" in str(found(spec(), stack_config())["serving.engine"].allowed)


@pytest.mark.parametrize(
    ("changes", "field", "words", "remedy"),
    [
        ({"model": {"format": "onnx"}}, "model.format", "does not serve onnx", "triton"),
        ({"model": {"format": "keras"}}, "model.format", "does not serve keras", "model.export('DIR')"),
        ({"model": {"format": "pytorch"}}, "model.format", "does not serve pytorch", "onnx"),
        ({"serving": {"cache": {"size": "64Mi"}}}, "serving.cache", "no cache", "triton or fastapi"),
        ({"serving": {"handler": "handlers/mine.py"}}, "serving.handler", "no handlers", "into the model"),
        ({"serving": {"cuda_graphs": True}}, "serving.cuda_graphs", "no CUDA graphs", "triton"),
        (
            {"serving": {"batching": {"queue_timeout": "1s"}}},
            "serving.batching.queue_timeout",
            "no limit on the time",
            "traffic.timeout",
        ),
        (
            {"serving": {"batching": {"max_batch_size": 32, "preferred_batch_sizes": [8, 16]}}},
            "serving.batching.preferred_batch_sizes",
            "fills every batch up",
            "add 32",
        ),
        (
            {"model": {"inputs": [{"name": "ids", "dtype": "INT64", "shape": ["seq"]}]}},
            "serving.batching.max_batch_size",
            "seq varies",
            "max_batch_size: 0",
        ),
        (
            {"model": {"uri": "s3://models/half_plus_two/saved_model.pb"}},
            "model.uri",
            "a folder",
            "folder of the versions",
        ),
        (
            {"serving": {"batching": {"max_batch_size": 0}}, "scaling": {"metrics": {"queue_length": 10}}},
            "scaling.metrics.queue_length",
            "only batches have a queue",
            "requests_per_second",
        ),
        (
            {"serving": {"server": "vision"}, "scaling": {"metrics": {"queue_length": 10}}},
            "scaling.metrics.queue_length",
            "one queue for all",
            "requests_per_second",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_with_what_to_do(
    changes: dict[str, Any], field: str, words: str, remedy: str
) -> None:
    refused = found(spec(**changes))[field]

    assert refused.severity == "error"
    assert words in refused.message
    assert refused.remedy is not None
    assert remedy in refused.remedy


@pytest.mark.parametrize(
    ("serving", "field", "words"),
    [
        ({"warmup": True}, "serving.warmup", "assets.extra"),
        ({"request_limit": "8Mi"}, "serving.request_limit", "no limit"),
        ({"instances": 2, "batching": {"max_batch_size": 0}}, "serving.instances", "bound nothing"),
        ({"resources": {"accelerator": "nvidia-l4:4"}}, "serving.resources.accelerator", "first GPU"),
    ],
)
def test_what_will_not_do_what_one_hopes_is_said(serving: dict[str, Any], field: str, words: str) -> None:
    doubt = found(spec(serving=serving))[field]

    assert doubt.severity == "warning"
    assert words in doubt.message


def test_a_right_spec_has_nothing_to_be_said_about() -> None:
    assert not found(spec())


def test_latency_is_the_meshs_where_there_is_one() -> None:
    meshed, alone = (engine("tfserving").metrics(stack).latency for stack in (STACK, WITHOUT_A_MESH))

    assert meshed == ISTIO_LATENCY
    assert isinstance(alone, Histogram)
    assert (alone.metric, alone.unit) == (":tensorflow:serving:request_latency", "us")


def test_a_bound_between_two_microseconds_is_named_by_the_nearer_one() -> None:
    histogram = engine("tfserving").metrics(WITHOUT_A_MESH).latency
    assert isinstance(histogram, Histogram)
    near = histogram.nearest(Duration.parse("100ms"))

    assert histogram.le(Duration.parse("100ms")) is None
    assert str(near) == "121ms440us"
    assert histogram.le(near) == 'le=~"121440|121440\\\\.0"'
    assert histogram.le(Duration.parse("11568us")) == 'le="11568.3"'


@pytest.mark.parametrize("name", ["PrometheusConfig", "MonitoringConfig", "BatchingParameters"])
def test_our_messages_have_the_fields_of_tensorflow_servings_own(name: str) -> None:
    text = Path(__file__).with_name("tfserving.proto").read_text()
    (body,) = re.findall(rf"message {name} {{(.*?)\n}}", text, re.DOTALL)
    theirs = {
        field: (int(number), kind.strip()) for kind, field, number in re.findall(r"([\w. ]+) (\w+) = (\d+);", body)
    }

    for field, (number, kind) in MESSAGES[name].items():
        declared = theirs[field][1].replace("repeated ", "*").removeprefix("google.protobuf.")
        assert (number, kind) == (theirs[field][0], declared)


def test_tensorflow_servings_own_package_reads_the_models() -> None:
    protos = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2", reason=f"needs {WHEEL}")
    ours = container(spec()).files["models.config"]
    theirs = text_format.Parse(ours, protos.ModelServerConfig())

    assert text_format.MessageToString(theirs) == ours
    (model,) = theirs.model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [3]


@given(served())
def test_of_any_spec_that_is_not_refused_every_file_is_read_as_it_was_meant(one: ModelSpec) -> None:
    serving = one.serving.model_copy(
        update={
            "engine": "tfserving",
            "cache": None,
            "cuda_graphs": False,
            "batching": one.serving.batching.model_copy(update={"preferred_batch_sizes": (), "queue_timeout": None}),
        }
    )
    model = one.model.model_copy(update={"format": "tensorflow"})
    changed = one.model_copy(update={"serving": serving, "model": model, "build": None})
    if errors(engine("tfserving").problems(changed, STACK)):
        assert one.model.named_axes
        return
    made = container(changed)

    (entry,) = read(made, "models.config", "ModelServerConfig").model_config_list.config
    assert list(entry.model_version_policy.specific.versions) == [one.model.version]
    if largest := one.serving.batching.max_batch_size:
        config = read(made, "batching.config", "BatchingParameters")
        assert config.max_enqueued_batches.value * largest >= one.serving.batching.max_queue_size
