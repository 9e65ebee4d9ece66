"""Where a version's files are, and what a build's key depends on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipform.engines.artifact import build_key, built_artifact, served_artifact, source_artifact
from slipform.engines.build_manifest import build_image, build_manifest
from slipform.engines.repository import manifest
from slipform.engines.servers import server
from slipform.engines.sizes import instances_per_replica, profiles
from slipform.spec.findings import SlipformError

from ..builders import DIGEST, model_spec, stack_config

OTHER = "9d2a6a3c0f6f8a3ed8f2f6b1b4d3c2a1908f7e6d5c4b3a291807f6e5d4c3b2a1"
TENSORRT = {"target": "tensorrt", "precision": "fp16"}
SHADOW = {"strategy": "shadow", "candidate": {"version": 4}}


def test_the_digest_is_of_its_own_version_only() -> None:
    spec = model_spec(rollout=SHADOW)

    assert source_artifact(spec, 3).sha256 == DIGEST
    assert source_artifact(spec, 4).sha256 is None
    assert source_artifact(spec, 2).sha256 is None


def test_a_candidate_may_come_from_elsewhere() -> None:
    candidate = {"version": 4, "uri": "gs://other/resnet50", "sha256": OTHER}
    spec = model_spec(rollout={"strategy": "shadow", "candidate": candidate})
    artifact = source_artifact(spec, 4)

    assert (artifact.uri, artifact.sha256) == ("gs://other/resnet50", OTHER)
    assert source_artifact(spec, 3).uri == "s3://models/resnet50"


def test_the_candidates_server_has_its_version_and_the_stable_one_its_own() -> None:
    spec = model_spec(rollout=SHADOW)

    assert [model.version for model in server("resnet50", [spec], stack_config()).models] == [3]
    assert [model.version for model in server("resnet50", [spec], stack_config(), "candidate").models] == [4]


def test_the_key_stays_the_same_from_release_to_release() -> None:
    """A change here makes every model of every user be built anew."""
    assert build_key(model_spec(build=TENSORRT), 3, stack_config()) == "3dd62271dcd8bb81"


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"sha256": OTHER}},
        {"model": {"sha256": ...}},
        {"model": {"sha256": ..., "uri": "s3://models/resnet51"}},
        {"model": {"inputs": [{"name": "image", "dtype": "FP32", "shape": [3, 256, 256]}]}},
        {"model": {"inputs": [{"name": "image", "dtype": "FP16", "shape": [3, 224, 224]}]}},
        {"build": {"precision": "fp32"}},
        {"build": {"target": "onnx"}},
        {"build": {"profiles": [{"batch": {"min": 1, "opt": 8, "max": 32}}]}},
        {"build": {"accept": {"max_abs_error": 0.02}}},
        {"build": {"workspace": "8Gi"}},
        {"build": {"accept": {"max_size": "20Mi"}}},
        {"build": {"accept": {"max_p95_latency": "5ms"}}},
        {"build": {"samples": "s3://models/samples.npz"}},
        {"build": {"pruning": {"sparsity": 0.5}}},
        {"build": {"version_compatible": True}},
        {"build": {"precision": "int8-static", "calibration": {"uri": "s3://models/c.npz", "method": "entropy"}}},
        {"build": {"precision": "int8-static", "calibration": {"uri": "s3://models/c.npz", "method": "minmax"}}},
        {"serving": {"batching": {"max_batch_size": 16}}},
        {"serving": {"resources": {"accelerator": "nvidia-l40s"}}},
        {"serving": {"engine": "fastapi"}},
    ],
)
def test_the_key_changes_with_what_the_result_depends_on(changes: dict[str, Any]) -> None:
    before = build_key(model_spec(build=TENSORRT), 3, stack_config())
    changed = model_spec(**{**changes, "build": {**TENSORRT, **changes.get("build", {})}})

    assert build_key(changed, 3, stack_config()) != before


@pytest.mark.parametrize(
    ("spec", "stack"),
    [
        ({"team": "search"}, {}),
        ({"scaling": {"max_replicas": 50}}, {}),
        ({"serving": {"instances": 2, "batching": {"max_queue_delay": "5ms"}}}, {}),
        ({"model": {"outputs": []}}, {}),
        ({"serving": {"resources": {"accelerator": "nvidia-l4:2", "memory": "16Gi"}}}, {}),
        ({}, {"artifacts": {"uri": "gs://elsewhere"}}),
        ({}, {"protected": True}),
    ],
)
def test_the_key_does_not_change_with_anything_else(spec: dict[str, Any], stack: dict[str, Any]) -> None:
    before = build_key(model_spec(build=TENSORRT), 3, stack_config())

    assert build_key(model_spec(build=TENSORRT, **spec), 3, stack_config(**stack)) == before


def test_a_default_that_is_written_out_keeps_the_key() -> None:
    plain = model_spec(build={"target": "tensorrt"})
    written: dict[str, Any] = {"target": "tensorrt", "precision": "fp32", "workspace": "4096Mi", "accept": {}}
    written["profiles"] = [{"batch": {"min": 1, "opt": 32, "max": 32}}]

    assert build_key(model_spec(build=written), 3, stack_config()) == build_key(plain, 3, stack_config())


@pytest.mark.parametrize("changes", [{"trust_pickle": True}, {"device": {"target": "ort", "max_size": "4Mi"}}])
def test_what_changes_no_result_keeps_the_key(changes: dict[str, Any]) -> None:
    before = build_key(model_spec(build=TENSORRT), 3, stack_config())
    assert build_key(model_spec(build={**TENSORRT, **changes}), 3, stack_config()) == before


def test_the_manifest_has_quantities_as_numbers() -> None:
    build = {
        "target": "onnx",
        "accept": {"max_size": "20Mi", "max_p95_latency": "2500us"},
        "samples": "s3://models/samples.npz",
        "pruning": {"sparsity": 0.5, "method": "structured"},
        "trust_pickle": True,
    }
    manifest = json.loads(build_manifest(model_spec(build=build), 3, stack_config()))
    assert manifest["accept"] == {"max_size_bytes": 20 << 20, "max_p95_latency_ms": 2.5}
    assert manifest["pruning"] == {"sparsity": 0.5, "method": "structured", "scope": "tensor"}
    assert (manifest["samples"], manifest["trust_pickle"]) == ("s3://models/samples.npz", True)


def test_a_device_takes_one_sample_and_its_own_budget() -> None:
    budget = {"target": "ort", "precision": "fp16", "max_size": "4Mi", "max_p95_latency": "20ms"}
    build = {**TENSORRT, "accept": {"max_abs_error": 0.02, "min_speedup": 1.2}, "device": budget}
    spec = model_spec(build=build)
    assert spec.build is not None
    device = spec.build.for_device()
    manifest = json.loads(build_manifest(spec.model_copy(update={"build": device}), 3, stack_config()))
    assert (manifest["target"], manifest["precision"]) == ("ort", "fp16")
    assert manifest["output"]["filename"] == "model.ort"
    assert manifest["accept"] == {"max_abs_error": 0.02, "max_size_bytes": 4 << 20, "max_p95_latency_ms": 20}
    assert "tensorrt" not in manifest


def test_a_plan_is_built_anew_for_another_triton_and_an_onnx_model_is_not() -> None:
    older = stack_config(images={"triton_release": "26.07"})
    plan, graph = model_spec(build=TENSORRT), model_spec(build={"target": "onnx"})

    assert build_key(plan, 3, older) != build_key(plan, 3, stack_config())
    assert build_key(graph, 3, older) == build_key(graph, 3, stack_config())


def test_what_is_built_has_its_place_under_the_stacks_artifacts() -> None:
    spec, stack = model_spec(build=TENSORRT), stack_config()
    artifact = built_artifact(spec, 3, stack)

    assert artifact.uri == f"s3://models-engines/prod/resnet50/{build_key(spec, 3, stack)}"
    assert (artifact.filename, artifact.format) == ("model.plan", "tensorrt")
    assert served_artifact(spec, 3, stack) == artifact


def test_a_build_without_a_place_is_refused() -> None:
    with pytest.raises(SlipformError, match="artifacts"):
        built_artifact(model_spec(build=TENSORRT), 3, stack_config(artifacts=...))


@pytest.mark.parametrize(
    ("batching", "given", "made"),
    [
        ({"max_batch_size": 32}, [], [(1, 32, 32)]),
        ({"max_batch_size": 32, "preferred_batch_sizes": [8, 16]}, [], [(1, 16, 32)]),
        ({"max_batch_size": 0}, [], []),
        ({"max_batch_size": 8}, [{"batch": {"min": 2, "opt": 4, "max": 8}}], [(2, 4, 8)]),
    ],
)
def test_profiles_that_a_spec_leaves_open_span_its_batches(
    batching: dict[str, Any], given: list[dict[str, Any]], made: list[tuple[int, int, int]]
) -> None:
    spec = model_spec(build={"target": "tensorrt", "profiles": given}, serving={"batching": batching})

    assert [(p["batch"].min, p["batch"].opt, p["batch"].max) for p in profiles(spec)] == made


@pytest.mark.parametrize(
    ("instances", "accelerator", "target", "copies"),
    [
        (2, None, None, 2),
        (2, "nvidia-l4", None, 2),
        (2, "nvidia-l4:4", "tensorrt", 8),
        (2, "nvidia-l4:4", "openvino", 2),
    ],
)
def test_copies_are_counted_on_each_gpu(
    instances: int, accelerator: str | None, target: str | None, copies: int
) -> None:
    serving = {"instances": instances, "resources": {"accelerator": accelerator}}

    assert instances_per_replica(model_spec(serving=serving, build={"target": target} if target else None)) == copies


def test_the_build_job_is_told_everything() -> None:
    calibration = {"uri": "s3://models/resnet50/calibration.npz", "method": "minmax"}
    build = {
        "target": "tensorrt",
        "precision": "int8-static",
        "calibration": calibration,
        "accept": {"min_speedup": 1.2},
    }
    spec, stack = model_spec(build=build), stack_config()
    key = build_key(spec, 3, stack)

    assert json.loads(build_manifest(spec, 3, stack)) == {
        "name": "resnet50",
        "version": 3,
        "key": key,
        "source": {"uri": "s3://models/resnet50", "sha256": DIGEST, "format": "onnx", "filename": "model.onnx"},
        "output": {"uri": f"s3://models-engines/prod/resnet50/{key}", "filename": "model.plan"},
        "target": "tensorrt",
        "precision": "int8-static",
        "max_batch_size": 32,
        "profiles": [{"batch": {"min": 1, "opt": 32, "max": 32}}],
        "inputs": [{"name": "image", "dtype": "FP32", "shape": [3, 224, 224]}],
        "outputs": [{"name": "probs", "dtype": "FP32", "shape": [1000]}],
        "accept": {"min_speedup": 1.2},
        "calibration": calibration,
        "tensorrt": {"loader": "triton-26.08", "workspace_bytes": 4 * 2**30, "compute_capability": "8.9"},
    }


@pytest.mark.parametrize(("target", "image"), [("tensorrt", "slipform-runtime-gpu"), ("onnx", "slipform-runtime")])
def test_tensorrt_is_built_by_the_image_for_gpus(target: str, image: str) -> None:
    spec = model_spec(build={"target": target})

    assert build_image(spec, stack_config()) == f"registry.example.com/{image}@sha256:{DIGEST}"
    assert build_image(spec, stack_config(images={"mirror": "mirror.example.com"})) == (
        f"mirror.example.com/registry.example.com/{image}@sha256:{DIGEST}"
    )
    assert build_image(spec, stack_config(images={"runtime": ..., "runtime_gpu": ...})) is None


def test_the_repositorys_manifest_is_the_same_in_any_order() -> None:
    first, second = model_spec(), model_spec(name="wine", serving={"server": "resnet50"})
    forward, backward = (server("s", specs, stack_config()).models for specs in ([first, second], [second, first]))

    assert manifest(forward) == manifest(backward)
    assert json.loads(manifest(forward))["models"][0] == {
        "name": "resnet50",
        "config": "resnet50.config.pbtxt",
        "versions": [{"version": 3, "uri": "s3://models/resnet50", "sha256": DIGEST, "filename": "model.onnx"}],
    }
