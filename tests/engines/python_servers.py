"""Specs of models that servers written in Python run, with a stack that has their images."""

from __future__ import annotations

from typing import Any

from slipform.engines.base import Container
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.spec.findings import Finding
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

from ..builders import DIGEST, SPEC, STACK, merged

IMAGES = {name: f"registry.example.com/{name}@sha256:{DIGEST}" for name in ("mlflow", "bentoml")}
FORMATS = {"mlflow": "mlflow", "bentoml": "bento"}


def stack(**changes: Any) -> StackConfig:
    return StackConfig.model_validate(merged(merged(STACK, {"images": IMAGES}), changes))


def spec(engine_name: str, **changes: Any) -> ModelSpec:
    """Of the wine model, changed where a test says so."""
    wine = {
        "name": "wine",
        "model": {"format": FORMATS[engine_name], "uri": "s3://models/wine", "inputs": [], "outputs": []},
        "serving": {"engine": engine_name, "resources": {"cpu": 1, "memory": "2Gi", "accelerator": None}},
        "nodes": None,
    }
    return ModelSpec.model_validate(merged(merged(SPEC, wine), changes))


def problems(engine_name: str, config: StackConfig | None = None, **changes: Any) -> list[Finding]:
    return list(engine(engine_name).problems(spec(engine_name, **changes), config))


def container(engine_name: str, **changes: Any) -> Container:
    made = engine(engine_name).workload(server("wine", [spec(engine_name, **changes)], stack()))
    assert isinstance(made, Container)
    return made
