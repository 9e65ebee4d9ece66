"""House rules: what a stack asks of every model, ours by name and yours as Python.

A file of your own holds functions that are marked as checks; each takes a spec and its stack and yields findings::

    from slipform.policy import Finding, check

    @check
    def named_by_team(spec, stack):
        if spec.team and not spec.name.startswith(spec.team):
            yield Finding("the name does not begin with the team's", path=("name",), given=spec.name)
"""

from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from .own import check

__all__ = ["Finding", "ModelSpec", "StackConfig", "check"]
