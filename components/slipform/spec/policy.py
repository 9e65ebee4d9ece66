"""``policy`` of a stack: what its owners ask of every model, whatever a spec would allow itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .units import GPU_MODELS, refuse
from .vocabulary import Count, Many, Part, RelativePath

Level = Literal["error", "warning"]
"""``error``: a spec that breaks the rule is refused; ``warning``: it is said, and the spec goes through."""


def _kind(value: str) -> str:
    if value not in GPU_MODELS:
        raise refuse(f"unknown accelerator {value!r}", allowed=", ".join(GPU_MODELS))
    return value


AcceleratorKind = Annotated[str, AfterValidator(_kind)]


class Policy(Part):
    """Rules of the house. A spec is let off by name and with a reason: ``exempt: {redundant: a nightly job}``."""

    owned: Level | None = Field(default=None, description="A team is named, which alerts go to.", examples=["error"])
    pinned: Level | None = Field(
        default=None, description="The model's digest is in the spec, unless the model lies in the project.",
        examples=["error"],
    )  # fmt: skip
    promised: Level | None = Field(
        default=None, description="An objective is given, so that somebody is told when it is missed.",
        examples=["warning"],
    )  # fmt: skip
    expected: Level | None = Field(
        default=None, description="The expected load is given, which costs and capacity are reckoned with.",
        examples=["warning"],
    )  # fmt: skip
    redundant: Level | None = Field(
        default=None, description="At least two replicas, so that one node may go.", examples=["error"]
    )
    gradual: Level | None = Field(
        default=None, description="A new version gets its traffic step by step, judged by an analysis.",
        examples=["error"],
    )  # fmt: skip
    proven: Level | None = Field(
        default=None, description="A build has a gate on how far its answers may be from the original's.",
        examples=["error"],
    )  # fmt: skip
    guarded: Level | None = Field(
        default=None, description="An address outside the cluster asks who calls.", examples=["error"]
    )
    engines: Many[str] = Field(
        default=(), description="The engines that may serve; absent: any.", examples=[["triton"]]
    )
    accelerators: Many[AcceleratorKind] = Field(
        default=(), description="The accelerators that may be asked for; absent: any.", examples=[["nvidia-l4"]]
    )
    max_replicas: Count | None = Field(
        default=None, description="The most that scaling.max_replicas may be.", examples=[50]
    )
    checks: Many[RelativePath] = Field(
        default=(),
        description="Python files with rules of your own: functions marked with slipform.policy.check.",
        examples=[["policies/naming.py"]],
    )
