"""What is said of a spec's traffic, rollout and address before anything is made."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from slipform.engines import registry
from slipform.engines.base import Engine
from slipform.engines.metrics import Metrics, NoHistogram
from slipform.infra import traffic_problems
from slipform.spec.findings import Finding
from slipform.spec.stack import StackConfig

from ..builders import STACK, model_spec, stack_config
from .served import BLUE_GREEN, CANARY, GATEWAY, METRICS, PROGRESSIVE

EXPOSE = {"host": "resnet50.models.example.com", "auth": "none"}
AB = {"strategy": "ab", "candidate": {"version": 4}, "cookie": "cohort", "match": "beta"}


def lacking(*capabilities: str) -> list[str]:
    return [each for each in STACK["has"] if each not in capabilities]


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Metrics]:
    """The engine's metrics, which a test may exchange under ``metrics``."""
    answers = {"metrics": METRICS}

    class Measured:
        def metrics(self, stack: StackConfig) -> Metrics:
            return answers["metrics"]

        def runtime(self, spec: object) -> Measured:
            return self

    def engine(name: str) -> Engine:
        return Measured()  # type: ignore[return-value]

    monkeypatch.setattr(registry, "engine", engine)
    return answers


def found(stack: dict[str, Any] | None = None, **changes: Any) -> list[Finding]:
    return list(traffic_problems.problems(model_spec(**changes), stack_config(**{"gateway": GATEWAY, **(stack or {})})))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rollout": CANARY},
        {"rollout": PROGRESSIVE},
        {"rollout": AB},
        {"rollout": {"strategy": "blue-green", "candidate": {"version": 4}, "active": 4}},
        {"expose": EXPOSE},
        {"expose": {**EXPOSE, "auth": "jwt"}},
        {"expose": {**EXPOSE, "auth": "mtls"}},
        {"traffic": {"clients": ["web"], "retries": {"attempts": 2, "per_try_timeout": "5s"}}},
    ],
)
def test_a_right_spec_has_no_findings(changes: dict[str, Any]) -> None:
    assert found(**changes) == []


@pytest.mark.parametrize(
    ("changes", "stack", "field", "says"),
    [
        ({"rollout": CANARY}, {"has": lacking("istio")}, "rollout", "a declared canary rollout needs Istio"),
        ({"rollout": PROGRESSIVE}, {"has": lacking("istio")}, "rollout", "a progressive canary rollout needs Istio"),
        ({"rollout": PROGRESSIVE}, {"has": lacking("argo-rollouts")}, "rollout", "needs Argo Rollouts"),
        ({"rollout": PROGRESSIVE}, {"has": lacking("prometheus-operator")}, "rollout", "needs a Prometheus"),
        ({"expose": EXPOSE}, {"has": lacking("istio")}, "expose", "an address outside the cluster needs Istio"),
        ({"expose": EXPOSE}, {"gateway": None}, "expose", "this stack has no gateway"),
        ({"expose": EXPOSE}, {"gateway": {}}, "expose.tls_secret", "no certificate"),
        ({"expose": {**EXPOSE, "auth": "jwt"}}, {"gateway": {"tls_secret": "a"}}, "expose.auth", "jwt_issuer"),
        ({"expose": {**EXPOSE, "auth": "mtls"}}, {"gateway": {"name": "public"}}, "expose.auth", "decides by itself"),
        (
            {"rollout": {**CANARY, "candidate": {"version": 3}}},
            {},
            "rollout.candidate.version",
            "the version that is served already",
        ),
        (
            {"rollout": {"strategy": "blue-green", "candidate": {"version": 4}, "active": 5}},
            {},
            "rollout.active",
            "neither of the two",
        ),
        ({"rollout": {**AB, "match": "a;b"}}, {}, "rollout.match", "';' can't be in one"),
        (
            {"rollout": {**PROGRESSIVE, "steps": [{"weight": 10, "hold": "10m"}, {"weight": 50, "hold": "2m"}]}},
            {},
            "rollout.steps[1].hold",
            "only after 2m",
        ),
        (
            {"rollout": {**PROGRESSIVE, "analysis": {"max_error_rate": 0.01, "window": "20s"}}},
            {},
            "rollout.analysis.window",
            "no two samples",
        ),
        (
            {"rollout": {**PROGRESSIVE, "analysis": {"max_p95_latency": "2s"}}},
            {},
            "rollout.analysis.max_p95_latency",
            "largest bucket",
        ),
    ],
)
def test_what_cannot_work_is_an_error_with_its_place(
    changes: dict[str, Any], stack: dict[str, Any], field: str, says: str
) -> None:
    (finding,) = found(stack, **changes)
    assert (finding.field, finding.severity) == (field, "error")
    assert says in finding.message
    assert finding.allowed or finding.remedy


@pytest.mark.parametrize(
    ("changes", "stack", "field", "says"),
    [
        (
            {"traffic": {"timeout": "1s", "retries": {"attempts": 2, "per_try_timeout": "500ms"}}},
            {},
            "traffic.retries.per_try_timeout",
            "3 tries of 500ms take longer",
        ),
        (
            {"traffic": {"retries": {"attempts": 1}}},
            {"has": lacking("istio")},
            "traffic.retries",
            "this stack has none",
        ),
        ({"traffic": {"clients": ["web"]}}, {"has": lacking("network-policy")}, "traffic.clients", "policies"),
        ({"expose": {**EXPOSE, "tls_secret": "own"}}, {"gateway": {"name": "public"}}, "expose.tls_secret", "not used"),
        ({"rollout": BLUE_GREEN}, {}, "rollout.analysis", "preview Service"),
        (
            {"rollout": {**PROGRESSIVE, "analysis": {"max_p95_latency": "100ms"}}},
            {},
            "rollout.analysis.max_p95_latency",
            "no bucket",
        ),
    ],
)
def test_what_will_not_do_what_is_hoped_is_a_warning(
    changes: dict[str, Any], stack: dict[str, Any], field: str, says: str
) -> None:
    (finding,) = found(stack, **changes)
    assert (finding.field, finding.severity) == (field, "warning")
    assert says in finding.message
    assert finding.remedy


def test_a_switch_that_forgets_the_old_version_too_early_is_a_warning() -> None:
    warnings = found(rollout={**BLUE_GREEN, "keep_for": "1m"})
    assert [each.field for each in warnings] == ["rollout.keep_for", "rollout.analysis"]


def test_an_error_says_what_is_needed_and_what_it_costs() -> None:
    (finding,) = found({"has": lacking("istio")}, rollout=CANARY)
    assert finding.remedy is not None
    assert "add istio to slipform:has" in finding.remedy
    assert "2 GiB for istiod" in finding.remedy
    assert "write rollout: null for this stack" in finding.remedy


def test_progressive_blue_green_needs_no_mesh() -> None:
    assert not [each for each in found({"has": lacking("istio")}, rollout=BLUE_GREEN) if each.severity == "error"]


def test_a_latency_that_is_not_measured_cannot_judge(measured: dict[str, Metrics]) -> None:
    none = NoHistogram("Triton has a histogram from 26.01 on", remedy="use a newer image")
    measured["metrics"] = dataclasses.replace(METRICS, latency=none)
    (finding,) = found(rollout=PROGRESSIVE)
    assert (finding.field, finding.severity) == ("rollout.analysis.max_p95_latency", "error")
    assert "Triton has a histogram from 26.01 on" in finding.message
    assert finding.remedy == "use a newer image"


def test_errors_that_nobody_counts_cannot_judge(measured: dict[str, Metrics]) -> None:
    measured["metrics"] = dataclasses.replace(METRICS, errors=None)
    (finding,) = found(rollout={**PROGRESSIVE, "analysis": {"max_error_rate": 0.01}})
    assert (finding.field, finding.severity) == ("rollout.analysis.max_error_rate", "error")
    assert "add istio" in (finding.remedy or "")


def test_without_a_stack_only_the_spec_is_judged() -> None:
    spec = model_spec(rollout={**CANARY, "candidate": {"version": 3}}, expose=EXPOSE)
    assert [each.field for each in traffic_problems.problems(spec, None)] == ["rollout.candidate.version"]
