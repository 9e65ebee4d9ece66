"""Triton's container: arguments, ports and probes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from slipform.engines.base import Container, Port
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.spec.findings import SlipformError
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

from ..builders import model_spec, stack_config


def container(*specs: ModelSpec, stack: StackConfig | None = None) -> Container:
    made = engine("triton").workload(server(specs[0].server, specs, stack or stack_config()))
    assert isinstance(made, Container)
    return made


def with_release(release: str) -> StackConfig:
    return stack_config(images={"triton_release": release})


def test_the_arguments_begin_with_the_program_and_leave_the_entrypoint_alone() -> None:
    made = container(model_spec())

    assert made.command == ()
    assert made.args[:3] == ("tritonserver", "--model-repository=/models", "--model-control-mode=none")
    assert made.user == 1000


@pytest.mark.parametrize(
    ("release", "argument", "there"),
    [
        ("26.01", "--metrics-config=histogram_latencies=true", True),
        ("25.12", "--metrics-config=histogram_latencies=true", False),
        ("25.06", "--http-max-input-size=67108864", True),
        ("25.05", "--http-max-input-size=67108864", False),
    ],
)
def test_an_argument_is_given_to_releases_that_know_it(release: str, argument: str, there: bool) -> None:
    assert (argument in container(model_spec(), stack=with_release(release)).args) == there


@pytest.mark.parametrize(
    ("serving", "argument"),
    [
        ({"cache": {"size": "512Mi"}}, "--cache-config=local,size=536870912"),
        ({"drain_timeout": "45s"}, "--exit-timeout-secs=45"),
        ({"drain_timeout": "1500ms"}, "--exit-timeout-secs=2"),
        ({"request_limit": "8Mi"}, "--http-max-input-size=8388608"),
        ({"protocols": ["rest"]}, "--allow-grpc=false"),
        ({"resources": {"accelerator": None}}, "--allow-gpu-metrics=false"),
    ],
)
def test_what_the_spec_says_becomes_an_argument(serving: dict[str, Any], argument: str) -> None:
    assert argument in container(model_spec(serving=serving)).args
    assert argument not in container(model_spec()).args


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
    made = container(model_spec(serving={"protocols": protocols}))

    assert [(port.name, port.exposed) for port in made.ports] == ports
    assert Port("metrics", 8002) in made.ports
    assert "--allow-http=false" not in made.args


def test_ready_names_the_model_and_alive_names_none() -> None:
    made = container(model_spec(serving={"startup_timeout": "10m"}))

    assert made.readiness.path == "/v2/models/resnet50/ready"
    assert made.startup.path == "/v2/models/resnet50/ready"
    assert made.liveness.path == "/v2/health/live"
    assert made.startup.period_seconds * made.startup.failure_threshold == 600


def test_a_server_of_several_is_ready_when_all_are() -> None:
    specs = [model_spec(serving={"server": "vision"}), model_spec(name="wine", serving={"server": "vision"})]
    made = container(*specs)

    assert made.readiness.path == "/v2/health/ready"
    assert set(made.files) == {"repository.json", "resnet50.config.pbtxt", "wine.config.pbtxt"}
    assert [model["name"] for model in json.loads(made.files["repository.json"])["models"]] == ["resnet50", "wine"]


@pytest.mark.parametrize(("release", "there"), [("26.01", True), ("25.12", False)])
def test_the_specs_bounds_are_buckets_of_the_histogram_where_there_is_one(release: str, there: bool) -> None:
    spec = model_spec(slo={"latency": {"p95": "80ms", "p99": "333ms"}}, scaling={"metrics": {"p95_latency": "66ms"}})
    made = container(spec, stack=with_release(release))
    config = text_format.Parse(made.files["resnet50.config.pbtxt"], ModelConfig())
    buckets = [list(c.histogram_options.buckets) for c in config.model_metrics.metric_control]

    assert bool(buckets) == there
    if there:
        assert buckets == [sorted(buckets[0])]
        assert {66.0, 80.0, 333.0} <= set(buckets[0])


def test_the_image_is_the_specs_the_mirrors_or_the_stacks() -> None:
    assert container(model_spec()).image == stack_config().images.triton
    mirrored = container(model_spec(), stack=stack_config(images={"mirror": "mirror.example.com"}))
    assert mirrored.image == f"mirror.example.com/{stack_config().images.triton}"
    assert (
        container(model_spec(serving={"image": "registry.example.com/mine:1"})).image == "registry.example.com/mine:1"
    )
    with pytest.raises(SlipformError, match="triton"):
        container(model_spec(), stack=stack_config(images={"triton": ...}))


def test_the_environment_is_the_specs() -> None:
    assert container(model_spec(serving={"env": {"OMP_NUM_THREADS": "2"}})).env == {"OMP_NUM_THREADS": "2"}
