"""``scaling``: how many replicas, and what they follow."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .units import Duration, refuse
from .vocabulary import Count, Part, Percent, PositiveFloat


class ScalingMetrics(Part):
    """Targets; the largest number of replicas that one of them asks for is taken."""

    utilization: Percent | None = Field(
        default=None,
        description="Percent of the time in which the model's instances execute: proportional to the load, "
        "so that the number of replicas comes to rest.",
        examples=[70],
    )
    queue_length: PositiveFloat | None = Field(
        default=None, description="Requests that wait, per replica.", examples=[10]
    )
    requests_per_second: PositiveFloat | None = Field(
        default=None, description="Requests per second and replica.", examples=[100]
    )
    p95_latency: Duration | None = Field(
        default=None,
        description="95th percentile of the latency; set it below the objective.",
        examples=["80ms"],
    )
    cpu: Percent | None = Field(default=None, description="Percent of the processors asked for.", examples=[70])
    memory: Percent | None = Field(
        default=None,
        description="Percent of the memory asked for; servers keep what they once took, so this seldom falls.",
        examples=[80],
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.chosen:
            raise refuse("no metric to scale on", remedy="write utilization: 70, or leave metrics out")
        return self

    @property
    def chosen(self) -> dict[str, float | Duration]:
        """The metrics that have a target, by name."""
        return {name: target for name in type(self).model_fields if (target := getattr(self, name)) is not None}


class ScaleUp(Part):
    """How fast replicas are added."""

    window: Duration = Field(
        default=Duration.parse("60s"),
        description="The lowest wish within this time is taken.",
        examples=["60s"],
    )
    percent: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100, description="Percent more at most within a period.", examples=[100]
    )
    pods: Count = Field(default=2, description="Or this many more, if that is more.", examples=[2])
    period: Duration = Field(default=Duration.parse("30s"), description="The period.", examples=["30s"])


class ScaleDown(Part):
    """How fast replicas are taken away."""

    window: Duration = Field(
        default=Duration.parse("5m"),
        description="The highest wish within this time is taken.",
        examples=["5m"],
    )
    percent: Percent = Field(default=50, description="Percent fewer at most within a period.", examples=[50])
    period: Duration = Field(default=Duration.parse("60s"), description="The period.", examples=["60s"])


class Behavior(Part):
    """Windows and speeds of the autoscaler."""

    scale_up: ScaleUp = Field(
        default=ScaleUp(), description="Adding replicas.", examples=[{"window": "60s", "pods": 2}]
    )
    scale_down: ScaleDown = Field(
        default=ScaleDown(), description="Taking replicas away.", examples=[{"window": "5m", "percent": 50}]
    )

    @model_validator(mode="after")
    def _kubernetes_bounds(self) -> Self:
        for name, direction in (("scale_up", self.scale_up), ("scale_down", self.scale_down)):
            if direction.window > Duration.parse("1h"):
                raise refuse(
                    f"{name}.window is over an hour",
                    allowed="0s to 1h, as the HorizontalPodAutoscaler takes it",
                )
            if not Duration.parse("1s") <= direction.period <= Duration.parse("30m"):
                raise refuse(
                    f"{name}.period is out of range",
                    allowed="1s to 30m, as the HorizontalPodAutoscaler takes it",
                )
        return self


class Scaling(Part):
    """Bounds and targets of the autoscaler."""

    min_replicas: Annotated[int, Field(ge=0)] = Field(default=2, description="Replicas at least.", examples=[2])
    max_replicas: Count = Field(default=10, description="Replicas at most.", examples=[20])
    metrics: ScalingMetrics = Field(
        default=ScalingMetrics(utilization=70),
        description="What the number follows.",
        examples=[{"utilization": 70, "queue_length": 10}],
    )
    behavior: Behavior = Field(
        default=Behavior(), description="Windows and speeds.", examples=[{"scale_down": {"window": "5m"}}]
    )
    controller: Literal["hpa", "keda"] | None = Field(
        default=None,
        description="Who scales; absent: the HorizontalPodAutoscaler, or KEDA where the stack has only that.",
        examples=["hpa"],
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise refuse(
                f"min_replicas {self.min_replicas} is over max_replicas {self.max_replicas}",
                allowed="min_replicas ≤ max_replicas",
            )
        return self
