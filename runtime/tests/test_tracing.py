"""Spans of real requests, kept in memory in place of a collector."""

import json
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime_testing.holding import held
from runtime_testing.models import BATCHING, picky, put
from runtime_testing.serving import RunningServer
from runtime_testing.waiting import until
from slipform_runtime.settings import SettingsError, Trace
from slipform_runtime.tracing import Tracing, tracing_for

sdk = pytest.importorskip("opentelemetry.sdk.trace")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The finished spans, by a tracer that samples nothing but what its caller sampled."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    kept = InMemorySpanExporter()
    provider = sdk.TracerProvider(sampler=ParentBasedTraceIdRatio(0))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("slipform_runtime.server.tracing_for", lambda settings: Tracing(provider))
    return kept


def test_a_traced_callers_requests_are_spans_of_its_trace(
    repository: Path, serve: Callable[..., RunningServer], spans: Any
) -> None:
    put(repository, "m", picky(), BATCHING)
    server = serve(repository)
    for index, flag in ((1, "01"), (99, "01"), (1, "00")):
        tensor = {"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [index]}
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-{flag}"}
        server.post("/v2/models/m/infer", {"id": "r", "inputs": [tensor]}, headers=headers)
    good, bad = spans.get_finished_spans()
    assert f"{good.context.trace_id:032x}" == TRACE
    assert dict(good.attributes) == {
        "model": "m",
        "model_version": "1",
        "request_id": "r",
        "batch_size": 1,
        "outcome": "success",
    }
    assert bad.attributes["outcome"] == "failed"
    assert not bad.status.is_ok


def test_a_request_without_an_answer_has_its_span_too(
    repository: Path, serve: Callable[..., RunningServer], spans: Any
) -> None:
    """Refused at once, and left by its client."""
    put(repository, "m", picky(), BATCHING)
    server = serve(repository)
    tensor = {"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [1]}
    traced = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    refused = {"inputs": [{**tensor, "shape": [1, 1, 1]}]}
    assert server.post("/v2/models/m/infer", refused, headers=traced).status == 400
    body = json.dumps({"inputs": [tensor]})
    head = f"POST /v2/models/m/infer HTTP/1.1\r\nTraceparent: {traced['traceparent']}\r\nContent-Length: {len(body)}"
    with held(server, "m"):
        with closing(socket.create_connection(("127.0.0.1", server.http_port))) as client:
            client.sendall(f"{head}\r\n\r\n{body}".encode())
            until(lambda: server.metric("model_active_requests", model="m") == 1)
        until(lambda: server.metric("model_active_requests", model="m") == 0)
    assert [span.attributes["outcome"] for span in spans.get_finished_spans()] == ["invalid", "cancelled"]


def test_without_an_endpoint_nothing_is_imported() -> None:
    assert tracing_for(Trace()) is None


def test_missing_libraries_are_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("slipform_runtime.tracing.import_module", missing)
    with pytest.raises(SettingsError, match=r"slipform-runtime\[otel\]"):
        tracing_for(Trace(endpoint="http://collector:4317"))
