"""Routes of a server: who gets which request."""

from __future__ import annotations

import re
from typing import Any, cast

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.engines.base import Port
from slipform.infra import destinations, routes
from slipform.infra.traffic import TrafficRoute, TrafficRouteArgs, is_routed
from slipform.spec.units import Duration

from ..builders import model_spec, stack_config
from . import crd_schemas
from .recorder import Recorded, Registered, record
from .served import CANARY, PORTS, PROGRESSIVE, exposing_stack, server

AB = {"strategy": "ab", "candidate": {"version": 4}, "match": "beta"}
SHADOW = {"strategy": "shadow", "candidate": {"version": 4}, "percent": 25}
EXPOSE = {"host": "resnet50.models.example.com", "auth": "jwt"}


def routed(stack: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    """What a TrafficRoute registers for the usual spec with some changes."""
    config = exposing_stack(**(stack or {}))
    made = server(model_spec(**changes), config)
    return record(lambda platform: TrafficRoute("resnet50", TrafficRouteArgs(platform, made, PORTS)), config)


def http(found: Recorded, name: str = "resnet50") -> list[dict[str, Any]]:
    routes: list[dict[str, Any]] = found.one(":VirtualService", name).inputs["spec"]["http"]
    return routes


def route(found: Recorded, named: str, of: str = "resnet50") -> dict[str, Any]:
    return next(each for each in http(found, of) if each["name"] == named)


def weights(of: dict[str, Any]) -> dict[str, int]:
    return {each["destination"]["subset"]: each["weight"] for each in of["route"]}


def custom_resources(found: Recorded) -> list[Registered]:
    return [each for each in found.resources if "istio.io" in each.type or "argoproj.io" in each.type]


def test_a_stack_without_istio_has_no_routes() -> None:
    assert is_routed(stack_config())
    assert not is_routed(stack_config(has=["prometheus-operator"]))


def test_without_a_rollout_all_pods_of_the_service_get_the_requests() -> None:
    assert route(routed(), "http")["route"] == [{"destination": {"host": "resnet50", "port": {"number": 8000}}}]


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        (CANARY, {"stable": 90, "candidate": 10}),
        ({**CANARY, "weight": 0}, {"stable": 100, "candidate": 0}),
        ({"strategy": "blue-green", "candidate": {"version": 4}, "active": 3}, {"stable": 100, "candidate": 0}),
        ({"strategy": "blue-green", "candidate": {"version": 4}, "active": 4}, {"stable": 0, "candidate": 100}),
        (SHADOW, {"stable": 100}),
        ({**AB, "header": "x-cohort"}, {"stable": 100}),
    ],
)
@pytest.mark.parametrize("protocol", ["http", "grpc", "grpc-stream"])
def test_the_tracks_share_the_traffic_as_the_rollout_says(
    rollout: dict[str, Any], expected: dict[str, int], protocol: str
) -> None:
    assert weights(route(routed(rollout=rollout), protocol)) == expected


@given(st.integers(0, 99))
def test_weights_sum_to_100(weight: int) -> None:
    spec = model_spec(rollout={**CANARY, "weight": weight})
    assert sum((routes.shares(spec.rollout) or {}).values()) == 100


def test_a_shadow_gets_copies_and_answers_nobody() -> None:
    found = route(routed(rollout=SHADOW), "http")
    assert found["mirror"] == {"host": "resnet50", "subset": "candidate", "port": {"number": 8000}}
    assert found["mirrorPercentage"] == {"value": 25}


def test_a_stream_is_not_copied() -> None:
    assert "mirror" not in route(routed(rollout=SHADOW), "grpc-stream")


def test_a_header_decides_before_the_rest() -> None:
    found = [each for each in http(routed(rollout={**AB, "header": "x-cohort"})) if each["name"].startswith("http")]
    chosen, rest = found[-2:]
    assert chosen["match"] == [{"port": 8000, "headers": {"x-cohort": {"exact": "beta"}}}]
    assert [each["destination"]["subset"] for each in chosen["route"]] == ["candidate"]
    assert rest["match"] == [{"port": 8000}]


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ("cohort=beta", True),
        ("a=b; cohort=beta", True),
        ("cohort=beta; a=b", True),
        ("a=b; cohort=beta; c=d", True),
        ("a=b;cohort=beta", True),
        ("cohort=beta2", False),
        ("cohort=betas; a=beta", False),
        ("xcohort=beta", False),
        ("a=cohort=beta", False),
        ("a=b, cohort=beta", False),
        ("cohort=alpha", False),
        ("", False),
    ],
)
def test_a_cookie_matches_alone_and_whole(header: str, matches: bool) -> None:
    assert bool(re.fullmatch(routes.cookie_pattern("cohort", "beta"), header)) is matches


COOKIE_TEXT = st.text(
    st.characters(codec="ascii", categories=["L", "N", "P", "S"], exclude_characters=' ",;\\'), min_size=1
)


@given(name=st.from_regex(r"[A-Za-z0-9_-]+", fullmatch=True), value=COOKIE_TEXT, other=COOKIE_TEXT)
def test_a_cookie_is_found_among_others_whatever_its_value(name: str, value: str, other: str) -> None:
    pattern = re.compile(routes.cookie_pattern(name, value))
    assert pattern.fullmatch(f"a={other}; {name}={value}; b=1")
    assert bool(pattern.fullmatch(f"{name}={other}")) is (other == value)


def test_a_version_in_a_rest_path_reaches_the_track_that_has_it() -> None:
    found = routed(rollout=CANARY)
    for version, track in (("3", "stable"), ("4", "candidate")):
        pinned = route(found, f"http-{version}")
        assert [each["destination"]["subset"] for each in pinned["route"]] == [track]
        assert {"port": 8000, "uri": {"prefix": f"/v2/models/resnet50/versions/{version}/"}} in pinned["match"]
    names = [each["name"] for each in http(found)]
    assert names.index("http-4") < names.index("http"), "Istio takes the first route that matches"


def test_an_attempt_has_an_equal_share_of_the_timeout() -> None:
    found = route(routed(traffic={"timeout": "1s", "retries": {"attempts": 2}}), "http")
    assert found["timeout"] == "1s"
    assert found["retries"] == {
        "attempts": 2,
        "perTryTimeout": "0.333s",
        "retryOn": "connect-failure,refused-stream,unavailable",
    }


def test_no_retries_are_written_out_since_the_mesh_has_a_default() -> None:
    assert route(routed(traffic={"retries": {"attempts": 0}}), "http")["retries"] == {"attempts": 0}


def test_a_stream_has_no_timeout_and_is_not_sent_again() -> None:
    stream = route(routed(), "grpc-stream")
    assert "timeout" not in stream
    assert stream["retries"] == {"attempts": 0}
    names = [each["name"] for each in http(routed())]
    assert names.index("grpc-stream") < names.index("grpc")


def test_a_port_that_only_probes_use_has_no_route() -> None:
    ports = (Port("http", 8000, exposed=False), *PORTS[1:])
    legs = routes.virtual_service(server(), ["resnet50"], ["mesh"], routes.mesh_legs(server(), ports))["http"]
    assert {each["route"][0]["destination"]["port"]["number"] for each in legs} == {8001}


@pytest.mark.parametrize(
    ("written", "expected"), [("15s", "15s"), ("1m", "60s"), ("500ms", "0.5s"), ("1500ms", "1.5s"), ("50us", "0.001s")]
)
def test_durations_are_seconds_and_at_least_a_millisecond(written: str, expected: str) -> None:
    assert routes.istio_duration(Duration.parse(written)) == expected


def test_a_client_holds_no_more_requests_than_all_replicas_can() -> None:
    spec = model_spec(
        scaling={"max_replicas": 5}, serving={"batching": {"max_queue_size": 100, "max_batch_size": 16}, "instances": 2}
    )
    assert destinations.capacity([spec]) == 5 * (100 + 2 * 16)
    pool = destinations.destination_rule(server(spec))["trafficPolicy"]["connectionPool"]
    assert pool["http"]["http2MaxRequests"] == 660
    assert pool["http"]["maxRetries"] == 132


def test_failing_replicas_are_taken_out_as_the_spec_says() -> None:
    outliers = {"consecutive_errors": 7, "interval": "5s", "ejection_time": "1m", "max_ejection_percent": 30}
    found = routed(traffic={"outlier_detection": outliers}).one(":DestinationRule")
    assert found.inputs["spec"]["trafficPolicy"]["outlierDetection"] == {
        "consecutive5xxErrors": 7,
        "interval": "5s",
        "baseEjectionTime": "60s",
        "maxEjectionPercent": 30,
    }


def test_both_subsets_are_always_there_so_that_no_route_names_one_that_is_gone() -> None:
    assert [each["name"] for each in routed().one(":DestinationRule").inputs["spec"]["subsets"]] == [
        "stable",
        "candidate",
    ]


def test_declared_subsets_are_told_apart_by_the_track() -> None:
    subsets = routed(rollout=CANARY).one(":DestinationRule").inputs["spec"]["subsets"]
    assert [each["labels"]["slipform.dev/track"] for each in subsets] == ["stable", "candidate"]


def test_progressive_subsets_leave_the_difference_to_the_controller() -> None:
    """Pods keep the template's track label: a subset with track=candidate and the new hash would match none of them."""
    rule = routed(rollout=PROGRESSIVE).one(":DestinationRule")
    assert [each["labels"] for each in rule.inputs["spec"]["subsets"]] == [{"app.kubernetes.io/name": "resnet50"}] * 2
    assert rule.inputs["metadata"]["name"] == "resnet50-progressive"


def test_a_progressive_canary_delegates_its_weights_and_nothing_else() -> None:
    found = routed(rollout=PROGRESSIVE, traffic={"timeout": "2s"}, expose=EXPOSE)
    for protocol, port in (("http", 8000), ("grpc", 8001)):
        delegate = found.one(":VirtualService", f"resnet50-{protocol}").inputs["spec"]
        assert set(delegate) == {"http"}, "with hosts it would be a route of its own"
        (primary,) = delegate["http"]
        assert set(primary) == {"name", "route"}, "a timeout here would hide the one that the spec changes"
        assert weights(primary) == {"stable": 100, "candidate": 0}
        assert {each["destination"]["port"]["number"] for each in primary["route"]} == {port}
        for of in ("resnet50", "resnet50-public"):
            root = route(found, protocol, of)
            assert root["delegate"] == {"name": f"resnet50-{protocol}"}
            assert root["timeout"] == "2s"
            assert "route" not in root


def test_a_delegating_route_has_no_regular_expression() -> None:
    """Istio's validation refuses one there."""
    found = routed(rollout=PROGRESSIVE, expose=EXPOSE)
    for of in ("resnet50", "resnet50-public"):
        for each in http(found, of):
            assert all("regex" not in match.get("uri", {}) for match in each["match"])


def test_progressive_blue_green_leaves_the_routes_to_the_service() -> None:
    found = routed(rollout={"strategy": "blue-green", "analysis": {"max_error_rate": 0.01}})
    assert route(found, "http")["route"] == [{"destination": {"host": "resnet50", "port": {"number": 8000}}}]
    assert len(found.all(":VirtualService")) == 1


def test_endpoints_name_what_is_served() -> None:
    spec = model_spec(expose=EXPOSE)
    assert routes.endpoints(server(spec), PORTS).outputs() == {
        "rest": "http://resnet50.models.svc:8000",
        "grpc": "resnet50.models.svc:8001",
        "public": "https://resnet50.models.example.com",
    }
    assert routes.endpoints(server(), PORTS[:1]).outputs() == {"rest": "http://resnet50.models.svc:8000"}


def options(rollout: dict[str, Any] | None, *, protected: bool) -> dict[str, pulumi.ResourceOptions]:
    """The options of each resource of an exposed server's route, by kind and name."""
    seen: dict[str, pulumi.ResourceOptions] = {}

    def see(args: pulumi.ResourceTransformationArgs) -> None:
        seen[f"{args.type_.rpartition(':')[2]} {args.name}"] = args.opts

    config = exposing_stack(protected=protected)
    made = server(model_spec(rollout=rollout, expose=EXPOSE), config)
    opts = pulumi.ResourceOptions(transformations=[see])
    record(lambda platform: TrafficRoute("resnet50", TrafficRouteArgs(platform, made, PORTS), opts), config)
    return seen


def test_only_what_the_controller_writes_is_ignored() -> None:
    ignored = {name: opts.ignore_changes for name, opts in options(PROGRESSIVE, protected=False).items()}
    assert {name: fields for name, fields in ignored.items() if fields} == {
        "VirtualService resnet50-http": ["spec.http"],
        "VirtualService resnet50-grpc": ["spec.http"],
        "DestinationRule resnet50-progressive": ["spec.subsets"],
    }
    assert not [opts for opts in options(CANARY, protected=False).values() if opts.ignore_changes]


def test_addresses_are_protected_in_protected_stacks() -> None:
    """The rest may go: what belongs to one kind of rollout must not stand in the way of another."""
    protected = {name for name, opts in options(PROGRESSIVE, protected=True).items() if opts.protect}
    assert protected == {"VirtualService resnet50", "VirtualService resnet50-public", "Gateway resnet50"}
    assert not [name for name, opts in options(PROGRESSIVE, protected=False).items() if opts.protect]


def test_the_lock_is_there_before_the_door() -> None:
    door = options(None, protected=False)["VirtualService resnet50-public"]
    waited = {each.pulumi_resource_type.rpartition(":")[2] for each in cast("list[pulumi.Resource]", door.depends_on)}
    assert {"AuthorizationPolicy", "RequestAuthentication", "Gateway", "DestinationRule"} <= waited


@pytest.mark.parametrize("auth", ["jwt", "mtls", "none"])
@pytest.mark.parametrize(
    "rollout", [None, CANARY, PROGRESSIVE, SHADOW, {**AB, "cookie": "cohort"}, {**AB, "header": "x-cohort"}]
)
def test_istio_takes_what_is_made(rollout: dict[str, Any] | None, auth: str) -> None:
    found = custom_resources(routed(rollout=rollout, expose={**EXPOSE, "auth": auth}))
    assert found
    for resource in found:
        crd_schemas.is_valid(resource)
