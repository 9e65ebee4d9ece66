"""Specs and stacks for tests: a small right one, changed where a test says so."""

from __future__ import annotations

import copy
from typing import Any

from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

DIGEST = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"

SPEC: dict[str, Any] = {
    "slipform": "v1",
    "name": "resnet50",
    "team": "vision",
    "model": {
        "format": "onnx",
        "uri": "s3://models/resnet50",
        "version": 3,
        "sha256": DIGEST,
        "inputs": [{"name": "image", "dtype": "FP32", "shape": [3, 224, 224]}],
        "outputs": [{"name": "probs", "dtype": "FP32", "shape": [1000]}],
    },
    "serving": {"engine": "triton", "resources": {"cpu": 3, "memory": "8Gi", "accelerator": "nvidia-l4"}},
    "nodes": {"pool": "gpu-l4"},
}

STACK: dict[str, Any] = {
    "cluster": {
        "context": "prod",
        "namespace": "models",
        "aws": {
            "account": "123456789012",
            "region": "eu-west-1",
            "cluster_name": "models-prod",
            "oidc_provider": "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
            "subnets": ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"],
        },
    },
    "has": [
        "istio", "prometheus-operator", "prometheus-adapter", "keda", "karpenter", "argo-rollouts",
        "cluster-autoscaler", "gpu-device-plugin", "dcgm-exporter", "grafana", "metrics-server", "network-policy",
        "kserve",
    ],
    "images": {
        "runtime": f"registry.example.com/slipform-runtime@sha256:{DIGEST}",
        "runtime_gpu": f"registry.example.com/slipform-runtime-gpu@sha256:{DIGEST}",
        "triton": f"nvcr.io/nvidia/tritonserver@sha256:{DIGEST}",
        "triton_release": "26.08",
    },
    "node_pools": {
        "gpu-l4": {"provisioner": "karpenter", "instance_types": ["g6.xlarge"], "capacity": "spot", "max_nodes": 20}
    },
    "artifacts": {"uri": "s3://models-engines/prod"},
}  # fmt: skip


def model_spec(**changes: Any) -> ModelSpec:
    """A right spec with ``changes`` merged in; a key set to ``...`` is removed."""
    return ModelSpec.model_validate(merged(SPEC, changes))


def stack_config(**changes: Any) -> StackConfig:
    """A right stack with ``changes`` merged in; a key set to ``...`` is removed."""
    return StackConfig.model_validate(merged(STACK, changes))


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if value is ...:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
