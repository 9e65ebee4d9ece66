"""An address outside the cluster: what is let in, and whom."""

from __future__ import annotations

from typing import Any

import pytest

from slipform.infra import gateway
from slipform.infra.traffic import TrafficRoute, TrafficRouteArgs

from ..builders import model_spec
from .recorder import Recorded, record
from .served import CANARY, GATEWAY, PORTS, exposing_stack, server

HOST = "resnet50.models.example.com"


def exposed(auth: str = "jwt", entry: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    config = exposing_stack(gateway={**GATEWAY, **(entry or {})})
    made = server(model_spec(expose={"host": HOST, "auth": auth}, **changes), config)
    return record(lambda platform: TrafficRoute("resnet50", TrafficRouteArgs(platform, made, PORTS)), config)


def answered(found: Recorded, path: str) -> int | None:
    """The port that a request from outside reaches, or None where it has no route; by Istio's first match."""
    for route in found.one(":VirtualService", "resnet50-public").inputs["spec"]["http"]:
        for match in route["match"]:
            assert set(match) <= {"uri", "headers"}
            kind, text = next(iter(match["uri"].items()))
            assert kind == "exact", "a prefix lets in what is added below it"
            if path == text:
                port: int = route["route"][0]["destination"]["port"]["number"]
                return port
    return None


@pytest.mark.parametrize(
    ("path", "port"),
    [
        ("/v2", 8000),
        ("/v2/health/ready", 8000),
        ("/v2/models/resnet50", 8000),
        ("/v2/models/resnet50/infer", 8000),
        ("/v2/models/resnet50/versions/3/infer", 8000),
        ("/predict", 8000),
        ("/predict/resnet50", 8000),
        ("/inference.GRPCInferenceService/ModelInfer", 8001),
        ("/inference.GRPCInferenceService/ModelStreamInfer", 8001),
        ("/grpc.health.v1.Health/Check", 8001),
    ],
)
def test_clients_reach_inference_metadata_and_health(path: str, port: int) -> None:
    assert answered(exposed(), path) == port


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/v2/repository/index",
        "/v2/repository/models/resnet50/load",
        "/v2/repository/models/resnet50/unload",
        "/v2/models/resnet50/config",
        "/v2/models/resnet50/stats",
        "/v2/models/stats",
        "/v2/models/resnet50/trace/setting",
        "/v2/models/resnet50/versions/3/trace/setting",
        "/v2/models/another/infer",
        "/v2/logging",
        "/v2/trace/setting",
        "/v2/systemsharedmemory/status",
        "/v2/cudasharedmemory/region/x/register",
        "/v2/models/resnet50/infer/../../../repository/index",
        "/inference.GRPCInferenceService/RepositoryIndex",
        "/inference.GRPCInferenceService/RepositoryModelLoad",
        "/inference.GRPCInferenceService/RepositoryModelUnload",
        "/inference.GRPCInferenceService/ModelConfig",
        "/inference.GRPCInferenceService/ModelStatistics",
        "/inference.GRPCInferenceService/SystemSharedMemoryRegister",
        "/inference.GRPCInferenceService/CudaSharedMemoryRegister",
        "/inference.GRPCInferenceService/TraceSetting",
        "/inference.GRPCInferenceService/LogSettings",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ],
)
@pytest.mark.parametrize("engine", ["triton", "fastapi"])
def test_nobody_outside_reaches_what_runs_the_server(path: str, engine: str) -> None:
    assert answered(exposed(serving={"engine": engine}), path) is None


def test_a_shared_server_lets_in_all_its_models() -> None:
    one, other = (model_spec(name=name, serving={"server": "vision"}) for name in ("resnet50", "detector"))
    legs = list(gateway.public_legs(server(one, None, other), PORTS))
    paths = {uri["exact"] for leg in legs for uri in leg.uris}
    assert {"/v2/models/resnet50/infer", "/v2/models/detector/infer"} <= paths


def test_a_pinned_version_reaches_its_track_from_outside_too() -> None:
    routes = exposed(rollout=CANARY).one(":VirtualService", "resnet50-public").inputs["spec"]["http"]
    tracks = {route["name"]: [each["destination"]["subset"] for each in route["route"]] for route in routes}
    assert tracks["http-4"] == ["candidate"]
    assert tracks["http-3"] == ["stable"]


def test_inside_the_cluster_there_is_no_gateway() -> None:
    config = exposing_stack()
    found = record(
        lambda platform: TrafficRoute("resnet50", TrafficRouteArgs(platform, server(stack=config), PORTS)), config
    )
    assert not found.all(":Gateway")
    assert not found.all("Policy")
    assert [each.inputs["spec"]["gateways"] for each in found.all(":VirtualService")] == [["mesh"]]


@pytest.mark.parametrize(("auth", "mode"), [("none", "SIMPLE"), ("jwt", "SIMPLE"), ("mtls", "MUTUAL")])
def test_the_gateway_speaks_tls_only(auth: str, mode: str) -> None:
    found = exposed(auth).one(":Gateway")
    (listener,) = found.inputs["spec"]["servers"]
    assert listener["port"] == {"number": 443, "name": "https", "protocol": "HTTPS"}
    assert listener["hosts"] == [f"models/{HOST}"], "no route of another namespace may take the host"
    assert listener["tls"] == {"mode": mode, "credentialName": "models-tls", "minProtocolVersion": "TLSV1_2"}
    assert (found.inputs["metadata"]["namespace"], found.inputs["metadata"]["name"]) == (
        "istio-system",
        "models-resnet50",
    )


def test_a_certificate_of_the_models_own_is_used() -> None:
    config = exposing_stack()
    spec = model_spec(expose={"host": HOST, "auth": "none", "tls_secret": "own"})
    assert spec.expose
    assert config.gateway
    made = gateway.gateway_spec(server(spec, config), spec.expose, config.gateway)
    assert made["servers"][0]["tls"]["credentialName"] == "own"


def test_the_stacks_gateway_is_used_where_it_has_one() -> None:
    found = exposed(entry={"name": "public", "namespace": "ingress"})
    assert not found.all(":Gateway")
    assert found.one(":VirtualService", "resnet50-public").inputs["spec"]["gateways"] == ["ingress/public"]


def test_without_a_token_what_comes_from_outside_is_refused() -> None:
    found = exposed("jwt")
    rules = found.one(":RequestAuthentication").inputs["spec"]["jwtRules"]
    assert rules == [{"issuer": "https://login.example.com/"}]
    policy = found.one(":AuthorizationPolicy").inputs["spec"]
    assert policy["action"] == "DENY"
    assert policy["selector"] == {"matchLabels": {"app.kubernetes.io/name": "resnet50"}}
    by_host, by_gateway = policy["rules"]
    nobody = {"notRequestPrincipals": ["*"]}
    assert by_host == {"from": [{"source": nobody}], "to": [{"operation": {"hosts": [HOST, f"{HOST}:*"]}}]}
    assert by_gateway == {"from": [{"source": {**nobody, "namespaces": ["istio-system"]}}]}


def test_a_token_that_is_meant_for_somebody_else_is_no_good() -> None:
    rules = exposed("jwt", entry={"jwt_audiences": ["models"]}).one(":RequestAuthentication").inputs["spec"]["jwtRules"]
    assert rules == [{"issuer": "https://login.example.com/", "audiences": ["models"]}]


def test_pods_that_could_not_check_a_token_get_no_requests() -> None:
    assert exposed("jwt").one(":DestinationRule").inputs["spec"]["trafficPolicy"]["tls"] == {"mode": "ISTIO_MUTUAL"}
    assert "tls" not in exposed("none").one(":DestinationRule").inputs["spec"]["trafficPolicy"]


@pytest.mark.parametrize("auth", ["none", "mtls"])
def test_only_tokens_need_a_policy(auth: str) -> None:
    found = exposed(auth)
    assert not found.all(":RequestAuthentication")
    assert not found.all(":AuthorizationPolicy")
