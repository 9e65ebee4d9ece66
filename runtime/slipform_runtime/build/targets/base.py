"""The interface of a target."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from slipform_runtime.build.precision.convert import Plan
from slipform_runtime.datatypes import Tensor


class Runner(Protocol):
    """A loaded artefact. `device` says where it executes: `cpu`, `cuda:0`."""

    device: str

    def run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Execute; the outputs by name. Raises ToolFailed."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@dataclass(frozen=True)
class Made:
    """What `Target.build` did, for the report."""

    steps: list[str]
    flags: dict[str, Any] = field(default_factory=dict)


class Target(Protocol):
    """A kind of artefact. `tools` names the packages whose versions decide what comes out."""

    name: str
    tools: tuple[str, ...]

    def check(self, plan: Plan) -> None:
        """Raise BadInput or Missing for what can be known before the long work."""
        ...

    def build(self, plan: Plan, to: Path) -> Made:
        """Make the artefact `to`, and beside it what belongs to it. Raises BadInput, Missing or ToolFailed."""
        ...

    def load(self, path: Path) -> Runner:
        """Load an artefact; raises ToolFailed with the target's own words."""
        ...
