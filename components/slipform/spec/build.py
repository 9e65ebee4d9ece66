"""``build``: turn the model into an engine for the hardware that serves it, and prove that it is still right."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .model import Uri
from .units import Memory, refuse
from .vocabulary import Count, Many, Part, PositiveFloat

Target = Literal["onnx", "tensorrt", "openvino"]
Precision = Literal["fp32", "fp16", "int8-dynamic", "int8-static"]


class Range(Part):
    """The sizes that an engine takes on one axis: the least, the one that it is tuned for, the most."""

    min: Count = Field(description="Smallest size.", examples=[1])
    opt: Count = Field(description="The size that the engine is tuned for.", examples=[16])
    max: Count = Field(description="Largest size.", examples=[32])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.min <= self.opt <= self.max:
            raise refuse(
                f"min {self.min}, opt {self.opt}, max {self.max} are out of order",
                allowed="min ≤ opt ≤ max",
                remedy="order them: min {}, opt {}, max {}".format(*sorted((self.min, self.opt, self.max))),
            )
        return self


Profile = dict[str, Range]


class Accept(Part):
    """Gates: a build that misses one fails, and what served before serves on."""

    max_abs_error: PositiveFloat | None = Field(
        default=None, description="Largest difference from the original model's outputs.", examples=[0.02]
    )
    min_top1_agreement: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share of the samples on which the largest output is at the same place.",
        examples=[0.99],
    )
    min_speedup: PositiveFloat | None = Field(
        default=None, description="Least ratio of the original's latency to the engine's.", examples=[1.2]
    )


class Calibration(Part):
    """The sample inputs from which static quantisation takes its ranges."""

    uri: Uri = Field(
        description="A .npz file with one array an input.", examples=["s3://models/resnet50/calibration.npz"]
    )
    method: Literal["minmax", "entropy", "percentile"] = Field(
        default="entropy", description="How ranges are taken from the samples.", examples=["entropy"]
    )


class Build(Part):
    """What the build step makes of the model."""

    target: Target = Field(description="The engine's format.", examples=["tensorrt"])
    precision: Precision = Field(
        default="fp32", description="Number format of the weights and sums.", examples=["fp16"]
    )
    profiles: Many[Profile] = Field(
        default=(),
        description="Sizes of the batch axis and of each named axis that the engine is built for; "
        "absent: the batch axis up to serving.batching.max_batch_size.",
        examples=[[{"batch": {"min": 1, "opt": 16, "max": 32}}]],
    )
    accept: Accept = Field(
        default=Accept(),
        description="Gates that the build must pass.",
        examples=[{"max_abs_error": 0.02, "min_speedup": 1.2}],
    )
    calibration: Calibration | None = Field(
        default=None,
        description="Samples for int8-static.",
        examples=[{"uri": "s3://models/resnet50/calibration.npz", "method": "entropy"}],
    )
    workspace: Memory = Field(
        default=Memory.parse("4Gi"),
        description="GPU memory that TensorRT's tactics may use while building.",
        examples=["4Gi"],
    )
