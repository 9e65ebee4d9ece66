"""The interface carries an engine that brings an operator as well as one that is a container."""

from __future__ import annotations

import json
from pathlib import Path

from slipform.engines.base import Container, CustomResource
from slipform.engines.metrics import Histogram, NoHistogram, required
from slipform.engines.registry import engine
from slipform.engines.servers import server

from ..builders import model_spec, stack_config
from .kserve import KServe
from .promql import assert_valid, assert_value, series, uses

SPEC = model_spec(serving={"engine": "kserve", "resources": {"accelerator": None}})


def test_one_answers_a_custom_resource_where_another_answers_a_container() -> None:
    stack = stack_config()
    made = KServe().workload(server("resnet50", [SPEC], stack))

    assert isinstance(made, CustomResource)
    assert isinstance(engine("triton").workload(server("resnet50", [model_spec()], stack)), Container)
    assert (made.api_version, made.kind) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert json.loads(json.dumps(made.spec)) == made.spec


def test_nothing_is_left_to_the_operators_defaults() -> None:
    made = KServe().workload(server("resnet50", [SPEC], stack_config()))
    predictor = made.spec["predictor"]

    assert made.annotations["serving.kserve.io/deploymentMode"] == "Standard"
    assert made.annotations["serving.kserve.io/autoscalerClass"] == "external"
    assert not made.scales_itself
    assert predictor["model"]["readinessProbe"]["httpGet"]["path"] == "/v2/models/resnet50/ready"
    assert predictor["model"]["protocolVersion"] == "v2"
    assert predictor["model"]["storageUri"] == "s3://models/resnet50/3"
    assert set(predictor["model"]["resources"]) == {"requests", "limits"}


def test_its_pods_are_found_without_knowing_the_engine() -> None:
    made = KServe().workload(server("resnet50", [SPEC], stack_config()))

    assert made.pod_labels == {"serving.kserve.io/inferenceservice": "resnet50"}
    assert made.deployment == "resnet50-predictor"
    assert [(port.name, port.number) for port in made.ports] == [("http", 8080)]


def test_what_it_does_not_measure_is_the_meshs_or_nobodys() -> None:
    metrics = KServe().metrics(stack_config())

    assert (metrics.queue_length, metrics.utilization) == (None, None)
    assert isinstance(metrics.latency, Histogram)
    assert {required(metrics.requests).workload_label, metrics.latency.workload_label} == {"destination_workload"}
    assert isinstance(KServe().metrics(stack_config(has=[])).latency, NoHistogram)


def test_its_problems_are_its_own() -> None:
    spec = model_spec(serving={"engine": "kserve", "server": "vision", "cache": {"size": "64Mi"}})

    assert [finding.field for finding in KServe().problems(spec, stack_config())] == ["serving.server", "serving.cache"]


def test_the_meshs_queries_are_valid_in_every_use(promtool: Path, tmp_path: Path) -> None:
    metrics = KServe().metrics(stack_config())
    queries = [query for measure in (metrics.requests, metrics.errors) for query in uses(required(measure))]
    assert_valid(promtool, tmp_path, queries)


def test_the_mesh_counts_errors_of_http_and_of_grpc(promtool: Path, tmp_path: Path) -> None:
    codes = [("200", ""), ("503", ""), ("429", ""), ("404", ""), ("200", "0"), ("200", "14"), ("200", "3")]
    loads = [
        series(
            "istio_requests_total",
            "0+15x40",
            reporter="destination",
            destination_workload="resnet50",
            response_code=code,
            grpc_response_status=status,
        )
        for code, status in codes
    ]
    query = required(KServe().metrics(stack_config()).errors).promql('destination_workload="resnet50"')

    assert_value(promtool, tmp_path, query, loads, 3)
