"""``build``: turn the model into an engine for the hardware that serves it, and prove that it is still right."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .model import Uri
from .units import Duration, Memory, refuse
from .vocabulary import Count, Many, Part, PositiveFloat

Target = Literal["onnx", "tensorrt", "openvino"]
DeviceTarget = Literal["ort", "tflite", "coreml"]
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

BATCH = "batch"
"""The name of the implied axis in ``build.profiles``."""


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
    max_size: Memory | None = Field(
        default=None, description="Largest size of all files of the result.", examples=["20Mi"]
    )
    max_p95_latency: Duration | None = Field(
        default=None,
        description="Largest 95th percentile of the latency on the machine that builds, at the batch size that the "
        "first profile is tuned for.",
        examples=["5ms"],
    )


class Calibration(Part):
    """The sample inputs from which static quantisation takes its ranges."""

    uri: Uri = Field(
        description="A .npz file with one array an input.", examples=["s3://models/resnet50/calibration.npz"]
    )
    method: Literal["minmax", "entropy", "percentile"] = Field(
        default="entropy", description="How ranges are taken from the samples.", examples=["entropy"]
    )


class Pruning(Part):
    """Weights that are given up before the precision is changed."""

    sparsity: float = Field(gt=0, lt=1, description="The share that is given up.", examples=[0.5])
    method: Literal["magnitude", "structured"] = Field(
        default="magnitude",
        description="magnitude: the smallest weights become zero. structured: whole channels are removed, which makes "
        "the graph smaller and faster; few models keep their answers unless they were trained for it.",
        examples=["structured"],
    )
    scope: Literal["tensor", "global"] = Field(
        default="tensor",
        description="Of magnitude: whether each tensor loses that share, or all of them together.",
        examples=["global"],
    )


class Device(Part):
    """What is made for phones, browsers and small boards, beside what serves: ``slipform build SPEC --device``."""

    target: DeviceTarget = Field(
        description="ort: ONNX Runtime Mobile and Web. tflite: LiteRT. coreml: Apple's devices.", examples=["ort"]
    )
    precision: Precision = Field(
        default="fp32", description="Number format of the weights and sums.", examples=["int8-static"]
    )
    max_size: Memory | None = Field(default=None, description="The device's budget of storage.", examples=["4Mi"])
    max_p95_latency: Duration | None = Field(
        default=None,
        description="The device's budget of time for one sample, as the machine that builds measures it.",
        examples=["20ms"],
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
    samples: Uri | None = Field(
        default=None,
        description="A .npz file like calibration's, on which the result is compared with the original; absent: the "
        "last fifth of calibration's, else generated inputs.",
        examples=["s3://models/resnet50/samples.npz"],
    )
    pruning: Pruning | None = Field(
        default=None, description="Weights that are given up.", examples=[{"method": "structured", "sparsity": 0.3}]
    )
    trust_pickle: bool = Field(
        default=False,
        description="Read a model file that can run any code while it is read, in a process of its own without network "
        "where the system allows that.",
        examples=[True],
    )
    device: Device | None = Field(
        default=None,
        description="What slipform build SPEC --device makes; a cluster builds and serves none of it.",
        examples=[{"target": "ort", "precision": "int8-static", "max_size": "4Mi", "max_p95_latency": "20ms"}],
    )
    version_compatible: bool = Field(
        default=False, description="Whether later versions of TensorRT may load the engine too.", examples=[True]
    )
    hardware_compatible: bool = Field(
        default=False,
        description="Whether other GPUs, from Ampere on, may run the TensorRT engine too.",
        examples=[True],
    )
    workspace: Memory = Field(
        default=Memory.parse("4Gi"),
        description="GPU memory that TensorRT's tactics may use while building.",
        examples=["4Gi"],
    )

    def for_device(self) -> Build:
        """The same build of what the device takes, one sample at a time, with its budget as gates."""
        assert self.device is not None, "there is no device"  # noqa: S101  (the caller has looked)
        device = self.device
        budget = {"min_speedup": None, "max_size": device.max_size, "max_p95_latency": device.max_p95_latency}
        one = Range(min=1, opt=1, max=1)
        made = {
            "target": device.target,
            "precision": device.precision,
            "accept": self.accept.model_copy(update=budget),
            "profiles": tuple({**profile, BATCH: one} if BATCH in profile else profile for profile in self.profiles),
        }
        return self.model_copy(update=made)
