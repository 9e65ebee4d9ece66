"""``rollout``: how a new version gets its traffic.

Two kinds, never both. *Declared*: the spec names a ``candidate`` version and says how the two share the traffic.
*Progressive*: changing ``model.version`` is the release; a controller moves the weights, judged by ``analysis``.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .model import Uri
from .units import Duration, refuse
from .vocabulary import Count, Many, Part, Sha256, Version

STRATEGIES = ("canary", "blue-green", "shadow", "ab")


class Candidate(Part):
    """The version beside ``model.version``; what is absent is as the model has it."""

    version: Version = Field(description="The version.", examples=[4])
    uri: Uri | None = Field(default=None, description="Where its versions are.", examples=["s3://models/resnet50"])
    sha256: Sha256 | None = Field(
        default=None,
        description="Digest of its files.",
        examples=["9d2a6a3c0f6f8a3ed8f2f6b1b4d3c2a1908f7e6d5c4b3a291807f6e5d4c3b2a1"],
    )


class Step(Part):
    """One step of a progressive canary."""

    weight: Annotated[int, Field(ge=1, le=99)] = Field(description="Percent of the traffic.", examples=[10])
    hold: Duration = Field(description="How long it stays there, judged all the while.", examples=["5m"])


class Analysis(Part):
    """What a new version must keep to; one that does not is taken back."""

    max_error_rate: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="Share of the requests that may fail.", examples=[0.01]
    )
    max_p95_latency: Duration | None = Field(
        default=None, description="Bound on the 95th percentile of the latency.", examples=["120ms"]
    )
    interval: Duration = Field(default=Duration.parse("30s"), description="How often it is judged.", examples=["30s"])
    window: Duration = Field(
        default=Duration.parse("1m"), description="Over how long rates are taken.", examples=["1m"]
    )
    failure_limit: Annotated[int, Field(ge=0, le=10)] = Field(
        default=1, description="Failed judgements that are forgiven.", examples=[1]
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.max_error_rate is None and self.max_p95_latency is None:
            raise refuse("nothing to judge by", remedy="add max_error_rate: 0.01 or max_p95_latency: 120ms")
        return self

    @property
    def time_to_abort(self) -> Duration:
        """How long a version that is bad from the start can go on: the forgiven judgements and the rate's window."""
        return Duration(self.interval.microseconds * (self.failure_limit + 1) + self.window.microseconds)


class Canary(Part):
    """A part of the traffic goes to the new version."""

    strategy: Literal["canary"] = Field(description="The strategy.", examples=["canary"])
    candidate: Candidate | None = Field(
        default=None, description="Declared: the new version.", examples=[{"version": 4}]
    )
    weight: Annotated[int, Field(ge=0, le=99)] | None = Field(
        default=None, description="Declared: percent of the traffic that the candidate gets.", examples=[10]
    )
    steps: Many[Step] | None = Field(
        default=None, min_length=1, description="Progressive: the weights and how long each holds.",
        examples=[[{"weight": 10, "hold": "5m"}, {"weight": 50, "hold": "5m"}]],
    )  # fmt: skip
    analysis: Analysis | None = Field(
        default=None,
        description="Progressive: what the new version must keep to.",
        examples=[{"max_error_rate": 0.01, "max_p95_latency": "120ms"}],
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        _one_kind("canary", declared={"weight": self.weight}, candidate=self.candidate,
                  progressive={"steps": self.steps, "analysis": self.analysis})  # fmt: skip
        weights = [step.weight for step in self.steps or ()]
        if any(a >= b for a, b in itertools.pairwise(weights)):
            raise refuse(f"the steps' weights {weights} do not rise", allowed="each weight over the one before")
        return self


class BlueGreen(Part):
    """All the traffic goes to one of two versions; the switch is whole, and so is the way back."""

    strategy: Literal["blue-green"] = Field(description="The strategy.", examples=["blue-green"])
    candidate: Candidate | None = Field(
        default=None, description="Declared: the new version.", examples=[{"version": 4}]
    )
    active: Version | None = Field(
        default=None, description="Declared: the version that gets the traffic.", examples=[3]
    )
    keep: Count | None = Field(
        default=None,
        description="Declared: replicas of the version without traffic; absent: scaling.max_replicas, "
        "so that a switch never meets too few.",
        examples=[4],
    )
    analysis: Analysis | None = Field(
        default=None,
        description="Progressive: what the new version must keep to, before the switch and after it.",
        examples=[{"max_error_rate": 0.01}],
    )
    keep_for: Duration | None = Field(
        default=None,
        description="Progressive: how long the old version is kept after the switch.",
        examples=["30m"],
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        _one_kind("blue-green", declared={"active": self.active}, candidate=self.candidate,
                  progressive={"analysis": self.analysis})  # fmt: skip
        if self.candidate and self.keep_for is not None:
            raise refuse("keep_for belongs to the progressive kind", remedy="write keep: REPLICAS")
        if not self.candidate and self.keep is not None:
            raise refuse("keep belongs to the declared kind", remedy="write keep_for: 30m")
        return self


class Shadow(Part):
    """The new version gets a copy of the traffic; its answers are thrown away."""

    strategy: Literal["shadow"] = Field(description="The strategy.", examples=["shadow"])
    candidate: Candidate = Field(description="The new version.", examples=[{"version": 4}])
    percent: Annotated[int, Field(ge=1, le=100)] = Field(
        default=100, description="Percent of the traffic that is copied.", examples=[100]
    )


class AB(Part):
    """Those whose header or cookie matches get the new version, the others never."""

    strategy: Literal["ab"] = Field(description="The strategy.", examples=["ab"])
    candidate: Candidate = Field(description="The new version.", examples=[{"version": 4}])
    header: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")] | None = Field(
        default=None, description="The header that decides, in lower case.", examples=["x-cohort"]
    )
    cookie: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = Field(
        default=None, description="The cookie that decides.", examples=["cohort"]
    )
    match: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="The value, matched exactly.", examples=["beta"]
    )

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.header is None) == (self.cookie is None):
            raise refuse("a header or a cookie decides", allowed="one of header and cookie")
        return self


Rollout = Annotated[Canary | BlueGreen | Shadow | AB, Field(discriminator="strategy")]


def is_progressive(rollout: Canary | BlueGreen | Shadow | AB | None) -> bool:
    """True where a controller moves the traffic when ``model.version`` changes."""
    return rollout is not None and rollout.candidate is None


def _one_kind(
    strategy: str, *, declared: dict[str, object], candidate: Candidate | None, progressive: dict[str, object]
) -> None:
    is_declared = candidate is not None or any(value is not None for value in declared.values())
    given = [name for name, value in progressive.items() if value is not None]
    if is_declared and given:
        raise refuse(
            f"both kinds of {strategy}: candidate ({', '.join(declared)}) and {', '.join(given)}",
            allowed=f"declared: candidate, {', '.join(declared)}; or progressive: {', '.join(progressive)}",
            remedy="choose one: candidate says today's shares, steps and analysis let a controller move them",
        )
    wanted = {"candidate": candidate, **declared} if is_declared else progressive
    missing = [name for name, value in wanted.items() if value is None]
    if missing:
        raise refuse(f"{strategy} needs {', '.join(missing)} as well", remedy=f"add {', '.join(missing)}")
