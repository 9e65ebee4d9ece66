"""BentoML's server: what it is started with, what is left to the bento's own code, and what it measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from slipform.engines.base import Container
from slipform.engines.metrics import Histogram, Measure, Metrics, required
from slipform.engines.registry import engine
from slipform.engines.servers import server

from ..builders import DIGEST
from .promql import assert_valid, assert_value, series, uses
from .python_servers import IMAGES, container, problems, spec, stack

OWN = f"registry.example.com/wine@sha256:{DIGEST}"
IN_ITS_IMAGE: dict[str, Any] = {"model": {"uri": ..., "sha256": ...}, "serving": {"image": OWN}}


def metrics() -> Metrics:
    return engine("bentoml").metrics(stack())


def test_a_bento_that_is_fetched_is_served_from_its_versions_folder() -> None:
    made = container("bentoml", serving={"drain_timeout": "45s"})

    assert (made.image, made.command, made.user) == (IMAGES["bentoml"], ("bentoml",), 1034)
    assert made.args == (
        "serve",
        "/models/wine/3",
        "--host=0.0.0.0",
        "--port=3000",
        "--timeout-keep-alive=3660",
        "--timeout-graceful-shutdown=45",
    )
    assert made.drain_seconds == 45
    [model] = json.loads(made.files["repository.json"])["models"]
    assert set(model["versions"][0]) == {"version", "uri", "sha256"}


def test_a_bento_in_its_own_image_is_served_from_there_and_nothing_is_fetched() -> None:
    made = container("bentoml", **IN_ITS_IMAGE)

    assert (made.image, made.args[1]) == (OWN, "/home/bentoml/bento")
    assert json.loads(made.files["repository.json"])["models"][0]["versions"] == [{"version": 3}]
    assert problems("bentoml", stack(images={"bentoml": ..., "runtime": ...}), **IN_ITS_IMAGE) == []


def test_it_is_ready_and_alive_by_http_since_its_port_is_open_before_the_model_is_loaded() -> None:
    made = container("bentoml")
    assert [made.startup.path, made.readiness.path, made.liveness.path] == ["/readyz", "/readyz", "/livez"]
    assert [(port.name, port.number) for port in made.ports] == [("http", 3000)]


def test_the_spec_fills_in_what_the_bento_leaves_open() -> None:
    made = container(
        "bentoml",
        traffic={"timeout": "2s500ms"},
        serving={"batching": {"max_queue_size": 20}},
        slo={"latency": {"p95": "30ms"}},
        scaling={"metrics": {"p95_latency": "20ms", "cpu": 70}},
    )
    service = json.loads(made.env["BENTOML_CONFIG_OVERRIDES"])["services"]

    assert service["traffic"] == {"timeout": 2.5, "max_concurrency": 21}
    assert {0.02, 0.03, 10.0} <= set(service["metrics"]["duration"]["buckets"])
    assert service["metrics"]["duration"]["buckets"] == sorted(service["metrics"]["duration"]["buckets"])


def test_whatever_it_writes_is_in_the_folder_that_can_be_written() -> None:
    made = container("bentoml", serving={"env": {"BENTOML_DO_NOT_TRACK": "False"}})
    assert made.writable == ("/tmp",)
    assert (made.env["BENTOML_HOME"], made.env["HOME"]) == ("/tmp/bentoml", "/tmp")
    assert made.env["BENTOML_DO_NOT_TRACK"] == "False", "the spec has the last word"


def test_a_right_spec_has_no_problems() -> None:
    assert problems("bentoml", stack(), serving={"protocols": ["rest"], "batching": {"max_queue_size": 8}}) == []
    assert problems("bentoml", **IN_ITS_IMAGE) == []


@pytest.mark.parametrize(
    ("changes", "field", "message", "remedy"),
    [
        ({"model": {"format": "mlflow"}}, "model.format", "does not serve mlflow", "engine: mlflow"),
        ({"model": {"format": "xgboost"}}, "model.format", "does not serve xgboost", "@bentoml.service"),
        ({"build": {"target": "onnx"}}, "build.target", "does not serve onnx", "remove build"),
        ({"serving": {"protocols": ["grpc"]}}, "serving.protocols", "speaks no gRPC", "protocols: [rest]"),
        ({"serving": {"server": "zoo"}}, "serving.server", "several models share", "a server of its own"),
        ({"serving": {"cache": {"size": "64Mi"}}}, "serving.cache", "cache", "remove it"),
        ({"serving": {"handler": "handlers/wine.py"}}, "serving.handler", "handlers", "remove it"),
        ({"serving": {"instances": 2}}, "serving.instances", "workers", "workers=2"),
        (
            {"serving": {"batching": {"max_batch_size": 16}}},
            "serving.batching.max_batch_size",
            "how it batches",
            "batchable=True",
        ),
        (
            {"serving": {"batching": {"queue_timeout": "1s"}}},
            "serving.batching.queue_timeout",
            "how it batches",
            "traffic",
        ),
        ({"model": {"uri": "s3://models/wine.bento"}}, "model.uri", "serves a folder", "tar -xf"),
        ({"model": {"uri": ..., "sha256": ...}}, "model", "where the bento is", "bentoml containerize"),
        (
            {**IN_ITS_IMAGE, "serving": {"image": "registry.example.com/wine:v3"}},
            "serving.image",
            "its tag tomorrow",
            "slipform pin",
        ),
        (
            {**IN_ITS_IMAGE, "rollout": {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}},
            "rollout.candidate",
            "the one bento",
            "model.uri",
        ),
    ],
)
def test_what_it_cannot_do_is_an_error(changes: dict[str, Any], field: str, message: str, remedy: str) -> None:
    [finding] = problems("bentoml", **changes)

    assert (finding.field, finding.severity) == (field, "error")
    assert message in finding.message
    assert remedy in (finding.remedy or "")


@pytest.mark.parametrize("about", [{"sha256": DIGEST}, {"size": "1Gi"}, {"credentials": {"secret": "store"}}])
def test_without_an_address_nothing_is_said_of_files(about: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="without uri the bento is in serving"):
        spec("bentoml", model={"uri": ..., "sha256": ..., **about}, serving={"image": OWN})


def test_of_other_formats_an_address_is_needed() -> None:
    with pytest.raises(ValidationError, match="uri missing"):
        spec("mlflow", model={"uri": ..., "sha256": ...}, serving={"image": OWN})


def test_nothing_can_be_built_of_a_bento() -> None:
    bento = spec("bentoml", serving={"engine": "triton"}, build={"target": "onnx"})
    assert any("nothing can be built of a bento" in each.message for each in engine("triton").problems(bento, None))


def test_both_tracks_of_a_rollout_serve_their_own_version() -> None:
    canary = spec("bentoml", rollout={"strategy": "canary", "candidate": {"version": 4}, "weight": 10})
    made = engine("bentoml").workload(server("wine", [canary], stack(), "candidate"))
    assert isinstance(made, Container)
    assert made.args[1] == "/models/wine/4"


def measures() -> list[Measure]:
    found = metrics()
    return [required(each) for each in (found.requests, found.errors, found.queue_length, found.rejected)]


def test_every_query_is_valid_in_every_use(promtool: Path, tmp_path: Path) -> None:
    assert_valid(promtool, tmp_path, [query for measure in measures() for query in uses(measure)])


CALLS = [
    ("/predict", "200"), ("/predict", "400"), ("/predict", "429"), ("/predict", "500"), ("/predict", "504"),
    ("/livez", "200"), ("/readyz", "503"), ("/healthz", "200"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "per_second"), [("requests", 5), ("errors", 3), ("rejected", 1)])
def test_probes_are_no_requests_and_clients_mistakes_no_errors(
    what: str, per_second: float, promtool: Path, tmp_path: Path
) -> None:
    loads = [
        series("bentoml_service_request_total", "0+15x40", job="resnet50", endpoint=path, http_response_code=code)
        for path, code in CALLS
    ]
    query = required(getattr(metrics(), what)).promql('namespace="models",job="resnet50"')
    assert_value(promtool, tmp_path, query, loads, per_second)


def test_probes_do_not_wait(promtool: Path, tmp_path: Path) -> None:
    loads = [
        series("bentoml_service_request_in_progress", "3x40", endpoint=path) for path in ("/predict", "/livez", "/sum")
    ]
    assert_value(promtool, tmp_path, required(metrics().queue_length).promql('namespace="models"'), loads, 6)


def test_its_histogram_has_the_bounds_that_the_spec_names() -> None:
    latency = metrics().latency
    assert isinstance(latency, Histogram)
    assert latency.extensible
    assert latency.seconds_per_unit == 1
