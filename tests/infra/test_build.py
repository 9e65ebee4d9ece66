"""The Job that builds an engine: its name, its place, its limits, and when it is made again."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from slipform.engines.artifact import build_key, built_artifact
from slipform.infra.build import FINAL_EXIT_CODES, EngineBuild, EngineBuildArgs
from slipform.infra.placement import placement
from slipform.infra.platform import Platform, selector
from slipform.spec.modelspec import ModelSpec
from slipform.spec.units import Duration

from ..builders import DIGEST, model_spec, stack_config
from .options import options
from .recorder import Recorded, record

TENSORRT = {"target": "tensorrt", "precision": "fp16", "accept": {"max_abs_error": 0.02}}


def spec_of(**changes: Any) -> ModelSpec:
    return model_spec(**{"build": TENSORRT, **changes})


def build(platform: Platform, spec: ModelSpec, version: int = 3, name: str = "resnet50-build") -> EngineBuild:
    where = placement("gpu-l4", platform.stack.node_pools["gpu-l4"], spec.serving.resources.accelerator)
    return EngineBuild(name, EngineBuildArgs(platform, spec, version, where))


def made(spec: ModelSpec | None = None, stack: dict[str, Any] | None = None, version: int = 3) -> Recorded:
    return record(lambda platform: build(platform, spec or spec_of(), version), stack_config(**(stack or {})))


def job(found: Recorded) -> Any:
    return found.one(":Job").inputs


def pod(found: Recorded) -> Any:
    return job(found)["spec"]["template"]["spec"]


def container(found: Recorded) -> Any:
    (only,) = pod(found)["containers"]
    return only


class TestName:
    def test_the_job_and_its_manifest_are_named_by_the_key(self) -> None:
        found = made()
        name = f"resnet50-build-{build_key(spec_of(), 3, stack_config())}"
        assert job(found)["metadata"]["name"] == name
        assert found.one(":ConfigMap").inputs["metadata"]["name"] == name
        assert [found.one(":Job").name, found.one(":ConfigMap").name] == [name, name]

    @pytest.mark.parametrize(
        "changes",
        [
            {"build": {**TENSORRT, "precision": "fp32"}},
            {"build": {**TENSORRT, "accept": {"max_abs_error": 0.5}}},
            {"model": {"sha256": "0" * 64}},
        ],
    )
    def test_another_build_is_another_job(self, changes: dict[str, Any]) -> None:
        assert made(spec_of(**changes)).one(":Job").name != made().one(":Job").name

    @pytest.mark.parametrize(
        ("changes", "stack"),
        [
            ({"scaling": {"max_replicas": 50}}, {}),
            ({"labels": {"cost-center": "1"}, "team": "other"}, {}),
            ({}, {"labels": {"environment": "prod"}}),
            ({}, {"images": {"runtime_gpu": f"registry.example.com/other@sha256:{DIGEST}"}}),
        ],
    )
    def test_the_same_build_is_the_same_job(self, changes: dict[str, Any], stack: dict[str, Any]) -> None:
        assert made(spec_of(**changes), stack).one(":Job").name == made().one(":Job").name

    def test_a_candidate_that_becomes_stable_keeps_its_job(self) -> None:
        def urns(name: str) -> list[str]:
            found = record(lambda platform: build(platform, spec_of(), 4, name))
            return [r.name for r in (*found.all(":Job"), *found.all(":ConfigMap"))]

        assert urns("resnet50-build-candidate") == urns("resnet50-build")

    def test_the_longest_name_is_one_that_kubernetes_takes(self) -> None:
        assert len(job(made(spec_of(name="m" * 40)))["metadata"]["name"]) == 63


class TestManifest:
    def test_the_build_reads_it_where_the_command_says(self) -> None:
        found = made()
        (config,) = [v for v in pod(found)["volumes"] if v["name"] == "config"]
        (mount,) = [m for m in container(found)["volumeMounts"] if m["name"] == "config"]
        assert container(found)["command"] == ["slipform-runtime"]
        assert container(found)["args"] == ["build", "--manifest=/etc/slipform/build.json"]
        assert mount == {"name": "config", "mountPath": "/etc/slipform", "readOnly": True}
        assert config["configMap"]["name"] == found.one(":ConfigMap").inputs["metadata"]["name"]

    def test_it_says_where_the_result_goes(self) -> None:
        data = made().one(":ConfigMap").inputs
        assert data["immutable"] is True
        manifest = json.loads(data["data"]["build.json"])
        assert manifest["output"]["uri"] == built_artifact(spec_of(), 3, stack_config()).uri


class TestPlace:
    def test_it_is_built_where_it_is_served(self) -> None:
        found = pod(made())
        assert found["nodeSelector"] == {"slipform.dev/pool": "gpu-l4"}
        assert found["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]

    def test_it_has_what_a_replica_has_and_one_gpu(self) -> None:
        spec = spec_of(serving={"resources": {"cpu": 8, "memory": "16Gi", "accelerator": "nvidia-l4:4"}})
        assert container(made(spec))["resources"] == {
            "requests": {"cpu": "8", "memory": "16Gi", "nvidia.com/gpu": "1"},
            "limits": {"memory": "16Gi", "nvidia.com/gpu": "1"},
        }

    @pytest.mark.parametrize(("format", "memory", "given"), [
        ("keras", "512Mi", "4Gi"), ("keras", "8Gi", "8Gi"), ("sklearn", "512Mi", "512Mi"), ("onnx", "512Mi", "512Mi"),
    ])  # fmt: skip
    def test_reading_a_large_frameworks_model_takes_memory_of_its_own(
        self, format: str, memory: str, given: str
    ) -> None:
        resources = {"cpu": 1, "memory": memory, "accelerator": None}
        spec = spec_of(model={"format": format}, build={"target": "onnx"}, serving={"resources": resources})
        found = container(made(spec))["resources"]
        assert (found["requests"]["memory"], found["limits"]["memory"]) == (given, given)

    def test_an_engine_for_processors_needs_no_gpu(self) -> None:
        found = made(spec_of(build={"target": "onnx", "precision": "int8-dynamic"}))
        assert "nvidia.com/gpu" not in container(found)["resources"]["limits"]
        assert container(found)["image"] == stack_config().images.runtime

    def test_a_model_of_another_format_is_built_by_the_image_with_the_frameworks(self) -> None:
        spec = spec_of(model={"format": "keras"}, build={"target": "onnx"})
        image = f"registry.example.com/slipform-runtime-imports@sha256:{DIGEST}"
        assert container(made(spec, {"images": {"runtime_imports": image}}))["image"] == image
        assert container(made(spec))["image"] == stack_config().images.runtime

    def test_a_gpus_engine_is_built_by_the_image_with_tensorrt(self) -> None:
        assert container(made())["image"] == stack_config().images.runtime_gpu

    def test_images_come_from_the_mirror_with_the_stacks_secrets(self) -> None:
        found = made(stack={"images": {"mirror": "mirror.example.com", "pull_secrets": ["registry"]}})
        assert container(found)["image"].startswith("mirror.example.com/registry.example.com/")
        assert pod(found)["imagePullSecrets"] == [{"name": "registry"}]


class TestSafety:
    def test_it_runs_as_nobody_with_a_root_that_can_not_be_written(self) -> None:
        found = made()
        assert pod(found)["securityContext"]["runAsNonRoot"] is True
        assert container(found)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {m["mountPath"] for m in container(found)["volumeMounts"] if not m.get("readOnly")} == {"/tmp"}

    def test_it_has_no_token_for_kubernetes(self) -> None:
        assert pod(made())["automountServiceAccountToken"] is False

    def test_a_secret_is_named_and_never_read(self) -> None:
        found = made(spec_of(model={"credentials": {"secret": "store"}}))
        assert container(found)["envFrom"] == [{"secretRef": {"name": "store"}}]

    def test_its_own_account_may_write_the_result(self) -> None:
        found = made()
        assert pod(found)["serviceAccountName"] == found.one(":ServiceAccount").inputs["metadata"]["name"]
        policy = found.one(":RolePolicy").inputs["policy"]
        assert "s3:PutObject" in policy
        assert "arn:aws:s3:::models-engines/prod/resnet50/*" in policy

    def test_a_release_changes_nothing_about_its_account(self) -> None:
        three, four = made(version=3), made(version=4)
        assert three.one(":ServiceAccount") == four.one(":ServiceAccount")
        assert three.one(":Role") == four.one(":Role")
        assert three.one(":RolePolicy") == four.one(":RolePolicy")

    def test_an_account_that_the_spec_names_is_the_builds_too(self) -> None:
        found = made(spec_of(model={"credentials": {"service_account": "vision-models"}}))
        assert pod(found)["serviceAccountName"] == "vision-models"
        assert not found.all(":ServiceAccount")

    def test_the_servers_service_does_not_find_its_pod(self) -> None:
        labels = job(made())["spec"]["template"]["metadata"]["labels"]
        assert not selector("resnet50").items() <= labels.items()
        assert labels["app.kubernetes.io/part-of"] == "resnet50"

    @pytest.mark.parametrize(("has", "label"), [(["istio"], "false"), ([], None)])
    def test_it_is_outside_the_mesh_whose_sidecar_would_never_end(self, has: list[str], label: str | None) -> None:
        labels = job(made(stack={"has": [*has, "karpenter"]}))["spec"]["template"]["metadata"]["labels"]
        assert labels.get("sidecar.istio.io/inject") == label


class TestEnd:
    def test_what_another_try_would_not_change_ends_it_at_once(self) -> None:
        spec = job(made())["spec"]
        assert spec["template"]["spec"]["restartPolicy"] == "Never"
        assert spec["podFailurePolicy"]["rules"][0] == {
            "action": "FailJob",
            "onExitCodes": {"containerName": "build", "operator": "In", "values": [1, 2, 4, 5]},
        }

    def test_those_are_the_exit_codes_of_the_runtime(self) -> None:
        errors = pytest.importorskip("slipform_runtime.build.errors")
        final = (errors.GateMissed, errors.BadInput, errors.WrongDigest, errors.Missing)
        assert tuple(error.exit_code for error in final) == FINAL_EXIT_CODES

    def test_a_machine_that_is_taken_away_is_no_failure(self) -> None:
        assert job(made())["spec"]["podFailurePolicy"]["rules"][1] == {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        }

    def test_nobody_empties_its_node_meanwhile(self) -> None:
        annotations = job(made())["spec"]["template"]["metadata"]["annotations"]
        assert annotations["karpenter.sh/do-not-disrupt"] == "true"

    def test_it_stays_when_it_is_done(self) -> None:
        assert "ttlSecondsAfterFinished" not in job(made())["spec"]

    def test_pulumi_waits_longer_than_the_job_may_take(self) -> None:
        found = options(lambda platform: build(platform, spec_of()))
        (timeouts,) = [o.custom_timeouts for (kind, _), o in found.items() if kind == "Job"]
        assert isinstance(timeouts, pulumi.CustomTimeouts)
        limit = job(made())["spec"]["activeDeadlineSeconds"]
        assert Duration.parse(timeouts.create).seconds > limit

    def test_what_it_was_made_with_changes_nothing_any_more(self) -> None:
        found = options(lambda platform: build(platform, spec_of()))
        ignored = {kind: o.ignore_changes for (kind, _), o in found.items() if kind in ("Job", "ConfigMap")}
        assert ignored == {"Job": ["metadata.labels", "spec"], "ConfigMap": ["metadata.labels", "data"]}


def test_the_artifact_is_known_when_the_build_is_done() -> None:
    uris: list[str] = []
    record(lambda platform: build(platform, spec_of()).artifact_uri.apply(uris.append))
    assert uris == [built_artifact(spec_of(), 3, stack_config()).uri]
