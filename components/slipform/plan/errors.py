"""What can keep a plan from being made. Each message says where, what, and what to do; the CLI prints it as it is."""

from __future__ import annotations

from ..spec.findings import SlipformError


class PlanError(SlipformError):
    """The base of all of them: bad input, exit code 2."""


class ProjectError(PlanError):
    """Pulumi.yaml, or the stack's config file, is not there or cannot be used."""


class ProgramError(PlanError):
    """The program itself refused, raised, or could not be started.

    `traceback` is the program's own, or empty where it ended on purpose (`pulumi.RunError`, `sys.exit`); `output` is
    what it had printed until then.
    """

    def __init__(self, message: str, *, traceback: str = "", output: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback
        self.output = output

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n\n{self.traceback.rstrip()}" if self.traceback else message


class DuplicateUrnError(ProgramError):
    """Two resources share one URN; the message names both places."""


class RenderError(PlanError):
    """The folder of rendered manifests cannot be written, or holds files that are somebody else's."""


class GraphFormatError(PlanError):
    """A JSON document is no graph, or one of a version that this Slipform does not read."""
