"""KServe's InferenceService runs the server of another engine, and leaves nothing to the operator's defaults."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from slipform.engines import registry
from slipform.engines.base import Container, CustomResource
from slipform.engines.registry import engine
from slipform.engines.servers import server
from slipform.spec.findings import Finding
from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec, stack_config

CPU = {"cpu": "1500m", "memory": "2Gi", "accelerator": None}
CANARY = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}


def spec(**changes: Any) -> ModelSpec:
    serving = {"engine": "kserve", "resources": CPU, **changes.pop("serving", {})}
    return model_spec(serving=serving, **changes)


def made(given: ModelSpec) -> CustomResource:
    answer = engine("kserve").workload(server("resnet50", [given], stack_config()))
    assert isinstance(answer, CustomResource)
    return answer


def problems(**changes: Any) -> list[Finding]:
    return list(engine("kserve").problems(spec(**changes), stack_config()))


@pytest.mark.parametrize("runtime", ["fastapi", "triton"])
def test_its_container_is_that_of_the_engine_whose_server_it_runs(runtime: str) -> None:
    alone = engine(runtime).workload(server("resnet50", [spec(serving={"engine": runtime})], stack_config()))
    under = made(spec(serving={"runtime": runtime})).container
    assert isinstance(alone, Container)
    assert under.env == {"PROTOCOL": "v2", **alone.env}
    assert replace(under, env=alone.env, cpu_limit=None) == alone


def test_it_is_the_bundled_runtime_where_the_spec_names_none() -> None:
    assert made(spec()).container == made(spec(serving={"runtime": "fastapi"})).container


def test_it_serves_what_any_of_them_serves() -> None:
    servers = [made for name in registry.OURS if (made := engine(name)).operator is None]
    assert engine("kserve").formats == frozenset().union(*(each.formats for each in servers))


def test_what_is_measured_is_what_its_server_measures() -> None:
    kserve = engine("kserve")
    assert kserve.runtime(spec()) is engine("fastapi")
    assert kserve.runtime(spec(serving={"runtime": "triton"})) is engine("triton")
    assert engine("triton").runtime(model_spec()) is engine("triton")


def test_nothing_is_left_to_a_config_map_of_the_cluster() -> None:
    answer = made(spec())
    assert (answer.api_version, answer.kind) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert answer.annotations == {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "external",
    }
    assert answer.labels == {"networking.kserve.io/visibility": "cluster-local"}
    assert json.loads(json.dumps(answer.spec)) == answer.spec


@pytest.mark.parametrize(
    ("resources", "limit"), [({}, "2"), ({"cpu": "100m"}, "1"), ({"cpu": 4}, "4"), ({"cpu_limit": "1700m"}, "1700m")]
)
def test_processors_are_limited_by_us_before_kserve_does_it(resources: dict[str, Any], limit: str) -> None:
    given = spec(serving={"resources": {**CPU, **resources}})
    assert str(made(given).container.cpu_limit) == limit
    warned = [finding.message for finding in engine("kserve").problems(given, None) if finding.severity == "warning"]
    assert len(warned) == ("cpu_limit" not in resources)


def test_a_loader_of_engines_is_the_server_under_kserve() -> None:
    """TensorRT loads what the TensorRT of the same Triton has built, whoever runs that Triton."""
    tensorrt = {"target": "tensorrt", "precision": "fp16"}
    resources = {**CPU, "accelerator": "nvidia-l4"}

    def files(serving: dict[str, Any]) -> dict[str, str]:
        given = spec(serving={"resources": resources, **serving}, build=tensorrt)
        answer = engine(given.serving.engine).workload(server("resnet50", [given], stack_config()))
        return dict((answer.container if isinstance(answer, CustomResource) else answer).files)

    manifest = "repository.json"
    assert files({"runtime": "triton"})[manifest] == files({"engine": "triton"})[manifest]
    assert files({"runtime": "triton"})[manifest] != files({})[manifest]


def test_a_servers_problem_is_told_with_a_remedy_that_works_here() -> None:
    (found,) = (each for each in problems(serving={"cuda_graphs": True}) if each.severity == "error")
    assert (found.field, found.remedy) == ("serving.cuda_graphs", "remove it, or write runtime: triton")


def test_an_operator_does_not_run_another() -> None:
    (found,) = problems(serving={"runtime": "kserve"})
    assert (found.field, found.given) == ("serving.runtime", "kserve")
    assert "kserve" not in (found.allowed or "").split(", ")
    assert "triton" in (found.allowed or "").split(", ")


@pytest.mark.parametrize(("length", "rollout", "refused"), [(38, CANARY, False), (39, CANARY, True), (40, None, False)])
def test_a_name_leaves_room_for_what_kserve_makes_of_it(
    length: int, rollout: dict[str, Any] | None, refused: bool
) -> None:
    found = problems(name="a" * length, rollout=rollout)
    assert [each.field for each in found if each.severity == "error"] == ["name"] * refused
