"""``traffic``, ``expose`` and ``slo``: the load that is expected, who may call, and what is promised."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from .units import Duration, refuse
from .vocabulary import Count, Many, Part, PositiveFloat, ResourceName


class Retries(Part):
    """Attempts that the mesh makes again; inference has no side effects, so a retry is safe."""

    attempts: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="Attempts beside the first.", examples=[2]
    )
    per_try_timeout: Duration | None = Field(
        default=None,
        description="Limit of each attempt; absent: an equal share of the timeout.",
        examples=["500ms"],
    )
    on: Many[Literal["connect-failure", "refused-stream", "unavailable", "reset", "gateway-error", "5xx"]] = Field(
        default=("connect-failure", "refused-stream", "unavailable"),
        min_length=1,
        description="What is tried again, by Envoy's words.",
        examples=[["connect-failure", "unavailable"]],
    )


class OutlierDetection(Part):
    """Takes a replica that fails out of the balancing for a while."""

    consecutive_errors: Count = Field(default=5, description="Failures in a row.", examples=[5])
    interval: Duration = Field(
        default=Duration.parse("10s"), description="How often it is looked at.", examples=["10s"]
    )
    ejection_time: Duration = Field(
        default=Duration.parse("30s"),
        description="How long it is out, times the number of times.",
        examples=["30s"],
    )
    max_ejection_percent: Annotated[int, Field(ge=1, le=100)] = Field(
        default=50, description="Never more of the replicas than this.", examples=[50]
    )


class Traffic(Part):
    """The expected load, and how the mesh treats requests."""

    expected_rps: PositiveFloat | None = Field(
        default=None, description="Requests per second on an ordinary day.", examples=[200]
    )
    peak_rps: PositiveFloat | None = Field(
        default=None, description="Requests per second at the peak.", examples=[2000]
    )
    timeout: Duration = Field(
        default=Duration.parse("15s"), description="A request's limit, retries included.", examples=["15s"]
    )
    retries: Retries = Field(default=Retries(), description="Attempts made again.", examples=[{"attempts": 2}])
    outlier_detection: OutlierDetection = Field(
        default=OutlierDetection(), description="Replicas that fail.", examples=[{"consecutive_errors": 5}]
    )
    clients: Many[ResourceName] | None = Field(
        default=None,
        description="Namespaces that may call the model; absent: every namespace of the cluster.",
        examples=[["web", "checkout"]],
    )

    @model_validator(mode="after")
    def _peak_over_expected(self) -> Self:
        if self.expected_rps and self.peak_rps and self.peak_rps < self.expected_rps:
            raise refuse(
                f"peak_rps {self.peak_rps:g} is under expected_rps {self.expected_rps:g}",
                allowed="peak_rps ≥ expected_rps",
            )
        return self


class Expose(Part):
    """An address outside the cluster."""

    host: Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$", max_length=253)] = Field(
        description="The host name.", examples=["resnet50.models.example.com"]
    )
    tls_secret: ResourceName | None = Field(
        default=None,
        description="The Secret with the host's certificate, in the gateway's namespace; absent: the stack's.",
        examples=["models-tls"],
    )
    auth: Literal["jwt", "mtls", "none"] = Field(
        description="Who may call: a token that the stack's issuer signed, a client certificate, or anybody.",
        examples=["jwt"],
    )
    paths: Many[Annotated[str, Field(pattern=r"^/[^\s?#*{}]*$")]] = Field(
        default=(),
        description="Paths that are let in, each exactly, where the model's code chooses them (bentoml); "
        "other engines' are known.",
        examples=[["/classify"]],
    )


class LatencyObjectives(Part):
    """Bounds on percentiles of the latency, as the server measures it."""

    p50: Duration | None = Field(default=None, description="Half of the requests are within it.", examples=["20ms"])
    p90: Duration | None = Field(default=None, description="90 % are within it.", examples=["60ms"])
    p95: Duration | None = Field(default=None, description="95 % are within it.", examples=["100ms"])
    p99: Duration | None = Field(default=None, description="99 % are within it.", examples=["250ms"])

    @model_validator(mode="after")
    def _rising(self) -> Self:
        chosen = list(self.chosen.items())
        if not chosen:
            raise refuse("no percentile", remedy="write p95: 100ms, or leave latency out")
        for (low, a), (high, b) in itertools.pairwise(chosen):
            if a > b:
                raise refuse(f"{low} {a} is over {high} {b}", allowed="bounds that rise with the percentile")
        return self

    @property
    def chosen(self) -> dict[str, Duration]:
        return {name: bound for name in type(self).model_fields if (bound := getattr(self, name)) is not None}

    @property
    def bounds(self) -> dict[float, Duration]:
        """From the quantile (0.95) to its bound."""
        return {int(name[1:]) / 100: bound for name, bound in self.chosen.items()}


def _percent(value: float) -> float:
    if value < 1:
        raise refuse("a share, where a percentage is meant", allowed="such as 99.9", remedy=f"write {value * 100:g}")
    return value


class Slo(Part):
    """What is promised; alerts fire on how fast the error budget is spent."""

    availability: Annotated[float, Field(gt=0, lt=100), AfterValidator(_percent)] | None = Field(
        default=None,
        description="Percent of the requests that are answered without a server's error.",
        examples=[99.9],
    )
    latency: LatencyObjectives | None = Field(
        default=None, description="Bounds on the latency.", examples=[{"p95": "100ms"}]
    )
    window: Duration = Field(
        default=Duration.parse("30d"), description="The time over which it is promised.", examples=["30d"]
    )

    @model_validator(mode="after")
    def _window(self) -> Self:
        if not Duration.parse("7d") <= self.window <= Duration.parse("90d"):
            raise refuse("an objective's window out of range", allowed="7d to 90d")
        return self
