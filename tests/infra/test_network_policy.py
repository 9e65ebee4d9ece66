"""Who may open a connection to a server's pods."""

from __future__ import annotations

from typing import Any

from slipform.engines.base import Port
from slipform.infra.network_policy import NetworkPolicy, NetworkPolicyArgs, is_restricted
from slipform.infra.platform import Platform

from ..builders import model_spec, stack_config
from .recorder import record
from .served import PORTS, exposing_stack, server

NAMESPACE = "kubernetes.io/metadata.name"


def policy(
    stack: dict[str, Any] | None = None, ports: tuple[Port, ...] = PORTS, *, scraped: bool = True, **changes: Any
) -> dict[str, Any]:
    config = exposing_stack(**(stack or {}))
    made = server(model_spec(**changes), config)

    def program(platform: Platform) -> None:
        NetworkPolicy("resnet50", NetworkPolicyArgs(platform, made, ports, scraped=scraped))

    found = record(program, config)
    spec: dict[str, Any] = found.one("networking.k8s.io/v1:NetworkPolicy").inputs["spec"]
    return spec


def who(rule: dict[str, Any]) -> list[str]:
    return [peer["namespaceSelector"].get("matchLabels", {}).get(NAMESPACE, "*") for peer in rule["from"]]


def ports(rule: dict[str, Any]) -> list[int]:
    assert all(each["protocol"] == "TCP" for each in rule["ports"])
    return [each["port"] for each in rule["ports"]]


def rules(spec: dict[str, Any]) -> list[tuple[list[str], list[int]]]:
    return [(who(rule), ports(rule)) for rule in spec["ingress"]]


def test_a_cluster_whose_network_knows_no_policies_gets_none() -> None:
    assert is_restricted(stack_config())
    assert not is_restricted(stack_config(has=["istio"]))


def test_all_tracks_are_restricted_and_only_what_comes_in() -> None:
    spec = policy()
    assert spec["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "resnet50"}}
    assert spec["policyTypes"] == ["Ingress"]


def test_every_namespace_may_call_where_no_client_is_named() -> None:
    assert rules(policy())[0] == (["*"], [8000, 8001])
    assert policy()["ingress"][0]["from"] == [{"namespaceSelector": {}}], "a missing selector would let in the world"


def test_only_the_named_clients_may_call() -> None:
    assert rules(policy(traffic={"clients": ["web", "checkout"]}))[0] == (["web", "checkout"], [8000, 8001])


def test_a_port_that_only_probes_use_is_closed() -> None:
    assert rules(policy(ports=(Port("http", 8000, exposed=False), *PORTS[1:])))[0] == (["*"], [8001])


def test_the_gateways_pods_may_call_an_exposed_model() -> None:
    spec = policy(traffic={"clients": ["web"]}, expose={"host": "a.example.com", "auth": "none"})
    assert rules(spec)[1] == (["istio-system"], [8000, 8001])
    assert spec["ingress"][1]["from"][0]["podSelector"] == {"matchLabels": {"istio": "ingressgateway"}}
    assert len(policy()["ingress"]) == 2


def test_prometheus_reads_the_server_and_its_sidecar() -> None:
    assert rules(policy())[-1] == (["monitoring"], [8002, 15020, 15090])
    assert rules(policy(stack={"has": ["network-policy"]}))[-1] == (["monitoring"], [8002])


def test_prometheus_reads_only_the_sidecar_of_a_server_that_does_not_answer_it() -> None:
    assert rules(policy(scraped=False))[-1] == (["monitoring"], [15020, 15090])
    assert rules(policy({"has": ["network-policy"]}, scraped=False)) == [(["*"], [8000, 8001])]


def test_prometheus_reads_the_http_port_where_the_engine_has_no_other() -> None:
    found = policy(stack={"has": ["network-policy"]}, ports=(Port("http", 8080), Port("grpc", 9000)))
    assert rules(found)[-1] == (["monitoring"], [8080])
