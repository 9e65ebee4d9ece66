"""Traces by OpenTelemetry: one span a request, within the caller's trace (W3C traceparent).

Requests whose caller is traced are traced as the caller decided; of the others the configured share. The libraries are
the extra `slipform-runtime[otel]`, imported only where an endpoint is configured.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from slipform_runtime.errors import InferenceError
from slipform_runtime.inference import InferResponse
from slipform_runtime.settings import SettingsError, Trace

End = Callable[[InferResponse | InferenceError], None]


class Tracing:
    """Spans to a collector."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("slipform-runtime")
        self._trace = import_module("opentelemetry.trace")
        propagation = import_module("opentelemetry.trace.propagation.tracecontext")
        self._propagator = propagation.TraceContextTextMapPropagator()

    def begin(self, model: str, version: str, request_id: str, traceparent: str) -> End | None:
        """Begin a span; what ends it, None where it is not sampled."""
        parent = self._propagator.extract({"traceparent": traceparent}) if traceparent else None
        span = self._tracer.start_span(
            f"infer {model}",
            context=parent,
            kind=self._trace.SpanKind.SERVER,
            attributes={"model": model, "model_version": version, "request_id": request_id},
        )
        if not span.is_recording():
            return None

        def end(response: InferResponse | InferenceError) -> None:
            if isinstance(response, InferenceError):
                span.set_status(self._trace.StatusCode.ERROR, str(response))
                span.set_attribute("outcome", response.outcome.value)
            else:
                span.set_attribute("batch_size", response.batch_size)
                span.set_attribute("outcome", "success")
            span.end()

        return end

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def tracing_for(settings: Trace) -> Tracing | None:
    """What the settings ask for, None for no traces; raises SettingsError where its libraries are missing."""
    if not settings.endpoint:
        return None
    try:
        sdk = import_module("opentelemetry.sdk.trace")
        sampling = import_module("opentelemetry.sdk.trace.sampling")
        export = import_module("opentelemetry.sdk.trace.export")
        otlp = import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        resources = import_module("opentelemetry.sdk.resources")
    except ImportError as error:
        raise SettingsError("trace.endpoint needs an extra; install slipform-runtime[otel]") from error
    provider = sdk.TracerProvider(
        sampler=sampling.ParentBasedTraceIdRatio(settings.sample_rate),
        resource=resources.Resource.create({"service.name": "slipform-runtime"}),
        shutdown_on_exit=False,
    )
    insecure = not settings.endpoint.startswith("https://")
    provider.add_span_processor(
        export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=settings.endpoint, insecure=insecure))
    )
    return Tracing(provider)
