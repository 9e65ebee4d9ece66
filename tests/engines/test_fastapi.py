"""The bundled runtime's container, and its files as the runtime itself reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipform.engines.base import Container
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.spec.findings import SlipformError
from slipform.spec.modelspec import ModelSpec
from slipform_runtime.cli import _parser
from slipform_runtime.fetch import fetch
from slipform_runtime.fetch.manifest import read_manifest
from slipform_runtime.repository.config import read_config
from slipform_runtime.repository.repository import is_ensemble
from slipform_runtime.settings import Settings, parse_settings

from ..builders import DIGEST, model_spec, stack_config

CPU = {"engine": "fastapi", "resources": {"accelerator": None}}
HANDLER = "def preprocess(inputs):\n    return inputs\n"


def spec(**changes: Any) -> ModelSpec:
    return model_spec(**{**changes, "serving": {**CPU, **changes.get("serving", {})}})


def container(*specs: ModelSpec, texts: dict[str, str] | None = None) -> Container:
    made = engine("fastapi").workload(server(specs[0].server, specs, stack_config(), texts=texts))
    assert isinstance(made, Container)
    return made


def settings(*specs: ModelSpec, texts: dict[str, str] | None = None) -> Settings:
    return parse_settings(container(*specs, texts=texts).files["runtime.json"].encode())


def test_the_runtime_understands_its_arguments() -> None:
    made = container(spec())
    options = _parser().parse_args(made.args)

    assert made.command == ("slipform-runtime",)
    assert (options.model_repository, options.config) == (Path("/models"), Path("/etc/slipform/runtime.json"))
    numbers = {port.name: port.number for port in made.ports}
    assert numbers == {"http": options.http_port, "grpc": options.grpc_port, "metrics": options.metrics_port}


def test_the_runtime_reads_what_the_spec_says() -> None:
    read = settings(
        spec(
            slo={"latency": {"p95": "80ms"}},
            scaling={"metrics": {"p95_latency": "1500us"}},
            serving={
                "cache": {"size": "64Mi", "ttl": "5m"},
                "drain_timeout": "45s",
                "request_limit": "8Mi",
            },
        )
    )

    assert (read.cache.size_bytes, read.cache.ttl_seconds) == (64 * 2**20, 300)
    assert read.drain.timeout_seconds == 45
    assert read.request_limit_bytes == 8 * 2**20
    assert read.latency_buckets_ms == [1.5, 80]


def test_the_pods_sleep_is_not_repeated() -> None:
    assert settings(spec()).drain.delay_seconds == 0
    assert container(spec(serving={"drain_timeout": "45s"})).drain_seconds == 45


def test_labels_and_handlers_are_for_their_own_model() -> None:
    labelled = {"outputs": [{"name": "probs", "dtype": "FP32", "shape": [2], "labels": ["cat", "dog"]}]}
    first = spec(model=labelled, serving={"server": "vision", "handler": "handlers/resnet50.py"})
    second = spec(name="wine", serving={"server": "vision"})
    texts = {"handlers/resnet50.py": HANDLER}
    read = settings(first, second, texts=texts)

    assert set(read.models) == {"resnet50"}
    assert read.models["resnet50"].labels == {"probs": ["cat", "dog"]}
    assert read.models["resnet50"].handler == "/etc/slipform/resnet50.handler.py"
    assert container(first, second, texts=texts).files["resnet50.handler.py"] == HANDLER


def test_a_handler_whose_text_nobody_gave_is_refused() -> None:
    with pytest.raises(SlipformError, match=r"handlers/resnet50\.py"):
        container(spec(serving={"handler": "handlers/resnet50.py"}))


def test_the_runtime_fetches_what_the_manifest_names(tmp_path: Path) -> None:
    first, second = spec(serving={"server": "vision"}), spec(name="wine", serving={"server": "vision"})
    for name, text in container(first, second).files.items():
        (tmp_path / name).write_text(text)
    manifest = read_manifest(tmp_path / "repository.json")

    assert [(model.name, model.config) for model in manifest.models] == [
        ("resnet50", "resnet50.config.pbtxt"),
        ("wine", "wine.config.pbtxt"),
    ]
    [version] = manifest.models[0].versions
    assert (version.source, version.sha256) == ("s3://models/resnet50/3", DIGEST)


def test_an_ensemble_is_fetched_as_an_empty_version_with_its_config(tmp_path: Path) -> None:
    ensemble = spec(
        name="pipeline",
        model={
            "format": ..., "uri": ..., "sha256": ...,
            "ensemble": [{"model": "resnet50", "inputs": {"image": "image"}, "outputs": {"probs": "probs"}}],
        },
        serving={"server": "vision"},
    )  # fmt: skip
    for name, text in container(ensemble).files.items():
        (tmp_path / name).write_text(text)
    [folder] = fetch(tmp_path / "repository.json", tmp_path / "models")

    assert folder == tmp_path / "models/pipeline/3"
    assert list(folder.iterdir()) == []
    assert is_ensemble(read_config(folder.parent))


def test_names_of_files_are_keys_of_a_config_map() -> None:
    made = container(spec(serving={"handler": "handlers/x.py"}), texts={"handlers/x.py": HANDLER})

    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-._") for name in made.files)


@pytest.mark.parametrize(
    ("accelerator", "build", "image"),
    [
        (None, None, "slipform-runtime"),
        ("nvidia-l4", None, "slipform-runtime-gpu"),
        ("nvidia-l4", {"target": "tensorrt"}, "slipform-runtime-gpu"),
        ("nvidia-l4", {"target": "openvino"}, "slipform-runtime"),
    ],
)
def test_what_runs_on_a_gpu_has_the_image_for_gpus(
    accelerator: str | None, build: dict[str, Any] | None, image: str
) -> None:
    made = container(spec(serving={"resources": {"accelerator": accelerator}}, build=build))

    assert made.image == f"registry.example.com/{image}@sha256:{DIGEST}"


def test_one_model_on_a_gpu_is_enough_for_the_image_for_gpus() -> None:
    serving = {"server": "vision", "resources": {"accelerator": "nvidia-l4"}}
    made = container(spec(serving=serving, build={"target": "openvino"}), spec(name="wine", serving=serving))

    assert made.image.startswith("registry.example.com/slipform-runtime-gpu@")


def test_ready_names_the_model_and_alive_names_none() -> None:
    made = container(spec(serving={"startup_timeout": "2m"}))

    assert (made.startup.path, made.readiness.path) == ("/v2/models/resnet50/ready",) * 2
    assert made.liveness.path == "/v2/health/live"
    assert made.startup.period_seconds * made.startup.failure_threshold == 120
