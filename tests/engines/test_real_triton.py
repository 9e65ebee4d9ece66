"""A real Triton takes the arguments and configs that its engine answers, and measures what is asked of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from slipform.engines.base import Container
from slipform.engines.config_pbtxt import model_config
from slipform.engines.metrics import required
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec, stack_config
from .real_triton import INSTALL, RELEASE, RunningTriton, find, running

pytestmark = pytest.mark.skipif(find() is None, reason=f"needs a Triton: {INSTALL}")

STACK = stack_config(images={"triton_release": RELEASE})
SHARED = {"server": "zoo", "resources": {"accelerator": None}, "cache": {"size": "8Mi"}}
TEXT = {"dtype": "BYTES", "shape": [1]}
X, Y = {"name": "x", "dtype": "FP32", "shape": [4]}, {"name": "y", "dtype": "FP32", "shape": [4]}


def spec(name: str, model: dict[str, Any] | None = None, **serving: Any) -> ModelSpec:
    return model_spec(name=name, model={"inputs": [X], "outputs": [Y], **(model or {})}, serving={**SHARED, **serving})


BATCHING = {"max_batch_size": 16, "preferred_batch_sizes": [4, 8], "max_queue_delay": "1ms", "max_queue_size": 32}
SPECS = (
    spec("batched", batching={**BATCHING, "queue_timeout": "5s"}, instances=2),
    spec("unbatched", batching={"max_batch_size": 0}),
    spec("cold", warmup=False),
    spec("scalar", {"inputs": [{**X, "shape": []}], "outputs": [{**Y, "shape": []}]}),
    spec("text", {"inputs": [{**X, **TEXT}], "outputs": [{**Y, **TEXT}]}),
    spec("varying", {"inputs": [{**X, "shape": ["seq", 4]}], "outputs": [{**Y, "shape": ["seq", 4]}]}),
    spec(
        "pipeline",
        {
            "format": ..., "uri": ..., "sha256": ..., "version": 1,
            "ensemble": [
                {"model": "batched", "inputs": {"x": "x"}, "outputs": {"y": "between"}},
                {"model": "cold", "version": 3, "inputs": {"x": "between"}, "outputs": {"y": "y"}},
            ],
        },
        batching={"max_batch_size": 16},
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def made() -> Container:
    container = engine("triton").workload(server("zoo", SPECS, STACK))
    assert isinstance(container, Container)
    return container


@pytest.fixture(scope="module")
def triton(made: Container, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    with running(made, tmp_path_factory.mktemp("triton")) as started:
        assert made.startup.path is not None
        started.wait(made.startup.path)
        yield started


def test_it_is_ready_and_alive_where_it_is_probed(triton: RunningTriton, made: Container) -> None:
    paths = {probe.path for probe in (made.startup, made.readiness, made.liveness)}
    paths |= {f"/v2/models/{one.name}/ready" for one in SPECS}

    assert {path: triton.get(path or "")[0] for path in paths} == dict.fromkeys(paths, 200)


@pytest.mark.parametrize("one", SPECS, ids=lambda one: one.name)
def test_it_understands_a_config_as_it_was_meant(triton: RunningTriton, one: ModelSpec) -> None:
    """Triton answers with the config that it goes by: ours, and what it filled in."""
    told = model_config(server("zoo", [one], STACK).models[0])
    understood: Any = json_format.ParseDict(
        json.loads(triton.get(f"/v2/models/{one.name}/config")[1]), ModelConfig(), ignore_unknown_fields=True
    )
    for field in ("backend", "platform", "default_model_filename"):  # a Python model stands in for the real one
        told.ClearField(field)
        understood.ClearField(field)

    for field, value in told.ListFields():
        if field.name == "instance_group":
            assert [(group.count, group.kind) for group in understood.instance_group] == [
                (group.count, group.kind) for group in value
            ]
        elif field.message_type is None or field.name in ("input", "output", "version_policy", "model_warmup"):
            assert getattr(understood, field.name) == value, field.name
    queue, meant = understood.dynamic_batching, told.dynamic_batching
    assert queue.default_queue_policy == meant.default_queue_policy
    # Where nothing is preferred, Triton prefers what is largest.
    assert list(queue.preferred_batch_size) in (list(meant.preferred_batch_size), [told.max_batch_size])
    assert queue.max_queue_delay_microseconds == meant.max_queue_delay_microseconds
    assert [(step.model_name, step.model_version) for step in understood.ensemble_scheduling.step] == [
        (step.model_name, step.model_version) for step in told.ensemble_scheduling.step
    ]


def test_every_series_that_is_asked_for_is_there_with_its_labels(triton: RunningTriton) -> None:
    exposed = triton.get("/metrics", port="metrics")[1].decode()
    metrics = engine("triton").metrics(STACK)
    measures = [metrics.requests, metrics.errors, metrics.queue_length, metrics.utilization, metrics.rejected]
    measures += [measure for _, measure in metrics.extra if not measure.of_replica]
    for measure in measures:
        assert measure is not None
        for metric in re.findall(r"(nv_\w+)\{", measure.query):
            pattern = rf'^{metric}\{{.*{metrics.model_label}="batched".*{metrics.version_label}="3"'
            assert re.search(pattern, exposed, re.MULTILINE), metric


def test_its_reasons_of_failure_are_the_ones_that_are_counted(triton: RunningTriton) -> None:
    exposed = triton.get("/metrics", port="metrics")[1].decode()
    known = set(re.findall(r'nv_inference_request_failure\{[^}]*reason="(\w+)"', exposed))
    [counted] = re.findall(r'reason=~"([\w|]+)"', required(engine("triton").metrics(STACK).errors).query)

    assert known - set(counted.split("|")) == {"CANCELED"}
