"""The files that TorchServe reads: its settings, what it measures, how it logs, and a model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import yaml

from ..spec.model import Tensor
from ..spec.modelspec import ModelSpec
from .base import ServedModel, Server
from .sizes import cpus, instances_per_replica, on_gpu, tuned, typical_shape

FOLDER = "/etc/slipform"
SETTINGS, METRICS, LOGGING, READY = "config.properties", "metrics.yaml", "log4j2.xml", "ready.py"
HTTP, MANAGEMENT, MEASURED, GRPC = 8080, 8081, 8082, 7070
LEAST_RESPONSE_SECONDS = 120
"""TorchServe's own default: a worker that takes longer is started again."""
ARCHIVER = "0.12.0"


def settings(server: Server) -> str:
    """``config.properties``. Clients reach the inference API alone; models are managed from inside the pod only."""
    spec = server.spec
    serving = spec.serving
    gpu = serving.resources.accelerator
    lines: dict[str, object] = {
        "inference_address": f"http://0.0.0.0:{HTTP}",
        "management_address": f"http://127.0.0.1:{MANAGEMENT}",
        "metrics_address": f"http://0.0.0.0:{MEASURED}",
        "grpc_inference_address": "0.0.0.0" if "grpc" in serving.protocols else "127.0.0.1",  # noqa: S104
        "grpc_inference_port": GRPC,
        "grpc_management_address": "127.0.0.1",
        # Tokens are for the APIs of models, which nobody reaches, and would lie in a file that nobody can fetch.
        "disable_token_authorization": "true",
        # A pattern that no address has: what is served was fetched before, and verified.
        "allowed_urls": "nothing",
        "metrics_mode": "prometheus",
        "metrics_config": f"{FOLDER}/{METRICS}",
        "model_metrics_auto_detect": "true",
        "disable_system_metrics": "true",
        "number_of_gpu": gpu.count if gpu and on_gpu(spec) else 0,
        "default_workers_per_model": instances_per_replica(spec),
        "job_queue_size": serving.batching.max_queue_size,
        "default_response_timeout": max(LEAST_RESPONSE_SECONDS, spec.traffic.timeout.whole_seconds()),
        "default_startup_timeout": serving.startup_timeout.whole_seconds(),
        "max_request_size": serving.request_limit.bytes,
        "max_response_size": serving.request_limit.bytes,
        "models": json.dumps(_models(server)),
        # Without a limit on processors the JVM would have threads for all of the node's.
        "vmargs": f"-XX:ActiveProcessorCount={cpus(spec)}",
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def batch_delay_ms(spec: ModelSpec) -> int:
    """TorchServe counts whole milliseconds, and takes 0 for its own default of 100."""
    return max(1, -(-spec.serving.batching.max_queue_delay.microseconds // 1000))


def _models(server: Server) -> dict[str, Any]:
    """By name, then by version; an archive's is a text of its maker's, where 3 may be 3.0."""
    made: dict[str, Any] = {}
    for model in server.models:
        workers = instances_per_replica(model.spec)
        wanted = {
            "defaultVersion": True,
            "minWorkers": workers,
            "maxWorkers": workers,
            "batchSize": max(1, model.spec.serving.batching.max_batch_size),
            "maxBatchDelay": batch_delay_ms(model.spec),
        }
        versions = [str(model.version)] + ([f"{model.version}.0"] if is_archive(model) else [])
        made[model.name] = dict.fromkeys(versions, wanted)
    return made


def is_archive(model: ServedModel) -> bool:
    return model.artifact is not None and model.artifact.format == "mar"


def metrics_config() -> str:
    """``metrics.yaml``: what is asked for in Prometheus, and no more.

    TorchServe's own file makes gauges of times, which forget all but the last request. As a counter, the time of
    predictions adds up to how long the workers were busy.
    """
    model = ["model_name", "model_version", "hostname"]
    measured = [
        ("ts_inference_requests_total", "Count", model),
        ("ts_inference_latency_microseconds", "Microseconds", model),
        ("ts_queue_latency_microseconds", "Microseconds", model),
        *((f"Requests{kind}XX", "Count", ["Level", "Hostname"]) for kind in (2, 4, 5)),
    ]
    return str(
        yaml.safe_dump(
            {
                "dimensions": [*model, "ModelName", "Level", "Hostname"],
                "ts_metrics": {
                    "counter": [{"name": name, "unit": unit, "dimensions": [*of]} for name, unit, of in measured]
                },
                "model_metrics": {
                    "counter": [{"name": "PredictionTime", "unit": "ms", "dimensions": ["ModelName", "Level"]}]
                },
            },
            sort_keys=False,
        )
    )


def logging_config() -> str:
    """``log4j2.xml``: JSON to standard output, where TorchServe's own file also fills five files on the disk."""
    line = (
        '{"time":"%d{yyyy-MM-dd\'T\'HH:mm:ss.SSS\'Z\'}{UTC}","level":"%p","logger":"%c",'
        '"message":"%enc{%m%xEx{short}}{JSON}"}%n'
    )
    levels = {
        # A line for each request, or for each batch and its times.
        "ACCESS_LOG": "warn",
        "org.pytorch.serve.wlm": "warn",
        "MODEL_METRICS": "off",
        "TS_METRICS": "off",
        "io.netty": "error",
        "org.apache": "off",
    }
    loggers = "".join(f'    <Logger name="{name}" level="{level}"/>\n' for name, level in levels.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Configuration>\n"
        "  <Appenders>\n"
        '    <Console name="STDOUT" target="SYSTEM_OUT">\n'
        f'      <PatternLayout pattern={quoteattr(line)} alwaysWriteExceptions="false"/>\n'
        "    </Console>\n"
        "  </Appenders>\n"
        "  <Loggers>\n"
        f"{loggers}"
        '    <Root level="info"><AppenderRef ref="STDOUT"/></Root>\n'
        "  </Loggers>\n"
        "</Configuration>\n"
    )


def model_files(model: ServedModel, handler: str | None) -> dict[str, str]:
    """What makes the folder of a TorchScript file one that TorchServe calls no-archive, by path in that folder.

    ``handler`` is the text of the spec's own, or None.
    """
    assert model.artifact is not None, "an ensemble is refused"  # noqa: S101
    manifest = {
        "runtime": "python",
        "model": {
            "modelName": model.name,
            "modelVersion": str(model.version),
            "serializedFile": f"{model.version}/{model.artifact.filename}",
            "handler": "handler.py",
        },
        "archiverVersion": ARCHIVER,
    }
    files = {
        "MAR-INF/MANIFEST.json": json.dumps(manifest, indent=2) + "\n",
        "handler.py": handler if handler is not None else text_of("torchserve_handler.py"),
    }
    if handler is None:
        files["signature.json"] = json.dumps(_signature(model.spec), indent=2) + "\n"
    return files


def text_of(module: str) -> str:
    """A file of this package that runs in the server and not here."""
    return Path(__file__).with_name(module).read_text(encoding="utf-8")


def _signature(spec: ModelSpec) -> dict[str, Any]:
    """What a TorchScript file does not say: its tensors, in the order in which it takes them."""

    def tensor(one: Tensor) -> dict[str, Any]:
        return {"name": one.name, "dtype": one.dtype, "shape": list(one.shape)}

    profile = tuned(spec)[0]
    return {
        "max_batch_size": spec.serving.batching.max_batch_size,
        "warmup": spec.serving.warmup,
        "inputs": [{**tensor(one), "typical": list(typical_shape(one, profile))} for one in spec.model.inputs],
        "outputs": [tensor(one) for one in spec.model.outputs],
    }
