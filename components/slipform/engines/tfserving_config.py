"""The files that TensorFlow Serving reads, in protobuf's text format: models, batches, and what it measures."""

from __future__ import annotations

from typing import Any

from ..spec.modelspec import ModelSpec
from .base import Server
from .tfserving_protos import message

MODELS, BATCHING, MONITORING = "models.config", "batching.config", "monitoring.config"
METRICS_PATH = "/metrics"


def models_config(server: Server) -> str:
    """Each model with the one version that this server has, and no other that may lie beside it."""
    config = message("ModelServerConfig")
    for model in sorted(server.models, key=lambda model: model.name):
        entry = config.model_config_list.config.add(
            name=model.name, base_path=f"/models/{model.name}", model_platform="tensorflow"
        )
        entry.model_version_policy.specific.versions.append(model.version)
    return _text(config)


def monitoring_config() -> str:
    config = message("MonitoringConfig")
    config.prometheus_config.enable = True
    config.prometheus_config.path = METRICS_PATH
    return _text(config)


def batching_config(server: Server) -> str:
    """The pool of threads that executes batches has the server's name, by which its queue is found."""
    spec = server.spec
    batching = spec.serving.batching
    config = message("BatchingParameters")
    config.max_batch_size.value = batching.max_batch_size
    config.batch_timeout_micros.value = batching.max_queue_delay.microseconds
    config.max_enqueued_batches.value = enqueued_batches(spec)
    config.num_batch_threads.value = spec.serving.instances
    config.thread_pool_name.value = server.name
    config.allowed_batch_sizes.extend(sorted(set(batching.preferred_batch_sizes)))
    return _text(config)


def enqueued_batches(spec: ModelSpec) -> int:
    """The queue counts batches: as many as hold the requests that may wait, one row each."""
    batching = spec.serving.batching
    return -(-batching.max_queue_size // batching.max_batch_size)


def _text(config: Any) -> str:
    # Imported here, since `slipform validate` needs no protobuf.
    from google.protobuf import text_format

    return str(text_format.MessageToString(config))
