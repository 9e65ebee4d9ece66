"""TensorFlow Serving and TorchServe are called by other paths, and stopped in another way, than the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipform.engines.base import Container, Server
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.infra import gateway, routes
from slipform.infra.model_service import ModelService, ModelServiceArgs
from slipform.infra.platform import Platform

from ..builders import DIGEST, merged, model_spec, stack_config
from .recorder import record

STACK = stack_config(
    images={
        "tfserving": f"docker.io/tensorflow/serving@sha256:{DIGEST}",
        "torchserve": f"docker.io/pytorch/torchserve@sha256:{DIGEST}",
    }
)
FORMATS = {"tfserving": "tensorflow", "torchserve": "torchscript"}
CANARY = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}


def served(name: str, **changes: Any) -> tuple[Server, Container]:
    spec = model_spec(
        **merged(
            {
                "model": {"format": FORMATS[name]},
                "serving": {"engine": name, "resources": {"accelerator": None}},
                "nodes": ...,
            },
            changes,
        )
    )
    one = server(spec.server, [spec], STACK)
    container = engine(name).workload(one)
    assert isinstance(container, Container)
    return one, container


def from_outside(name: str, path: str, **changes: Any) -> str | None:
    """The leg that lets a path in, or None."""
    one, container = served(name, **changes)
    found = (leg.name for leg in gateway.public_legs(one, container.ports) if {"exact": path} in leg.uris)
    return next(found, None)


def track(name: str, path: str) -> str | None:
    """The one track that a path inside the cluster is for, or None where the weights decide; by the first match."""
    one, container = served(name, rollout=CANARY)
    for leg in routes.mesh_legs(one, container.ports):
        if any(path == uri.get("exact") or ("prefix" in uri and path.startswith(uri["prefix"])) for uri in leg.uris):
            return leg.track
    return None


@pytest.mark.parametrize(
    ("name", "path", "leg"),
    [
        ("tfserving", "/v1/models/resnet50:predict", "http"),
        ("tfserving", "/v1/models/resnet50/versions/3:predict", "http"),
        ("tfserving", "/v1/models/resnet50/metadata", "http"),
        ("tfserving", "/tensorflow.serving.PredictionService/Predict", "grpc"),
        ("tfserving", "/tensorflow.serving.ModelService/HandleReloadConfigRequest", None),
        ("tfserving", "/metrics", None),
        ("tfserving", "/v2/models/resnet50/infer", None),
        ("torchserve", "/predictions/resnet50", "http"),
        ("torchserve", "/predictions/resnet50/3", "http"),
        ("torchserve", "/v2/models/resnet50/infer", "http"),
        ("torchserve", "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions", "grpc"),
        ("torchserve", "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions", "grpc-stream"),
        ("torchserve", "/models", None),
        ("torchserve", "/org.pytorch.serve.grpc.management.ManagementAPIsService/RegisterModel", None),
    ],
)
def test_clients_outside_reach_inference_and_nothing_that_loads_models(name: str, path: str, leg: str | None) -> None:
    assert from_outside(name, path) == leg


@pytest.mark.parametrize(
    ("name", "path", "of"),
    [
        ("tfserving", "/v1/models/resnet50/versions/4:predict", "candidate"),
        ("tfserving", "/v1/models/resnet50/versions/3/metadata", "stable"),
        ("tfserving", "/v1/models/resnet50/versions/40:predict", None),
        ("tfserving", "/v1/models/resnet50:predict", None),
        ("torchserve", "/predictions/resnet50/4", "candidate"),
        ("torchserve", "/predictions/resnet50/3", "stable"),
        ("torchserve", "/predictions/resnet50/40", None),
        ("torchserve", "/v2/models/resnet50/infer", None),
    ],
)
def test_a_version_in_a_path_reaches_the_track_that_has_it(name: str, path: str, of: str | None) -> None:
    assert track(name, path) == of


@pytest.mark.parametrize("name", FORMATS)
def test_what_does_not_drain_is_left_alone_until_its_requests_are_done(name: str) -> None:
    spec = served(name, serving={"drain_timeout": "40s"})[0].spec

    def program(platform: Platform) -> None:
        ModelService("resnet50", ModelServiceArgs(platform, (spec,), Path(), {}))

    pod = record(program, STACK).one(":Deployment", "resnet50").inputs["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    stopping = container["lifecycle"]["preStop"]
    if name == "torchserve":
        assert stopping["exec"]["command"] == ["/bin/sh", "-c", "sleep 50; exec torchserve --stop --foreground"]
    else:
        assert stopping["sleep"]["seconds"] == 50
    assert pod["terminationGracePeriodSeconds"] == 55
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
