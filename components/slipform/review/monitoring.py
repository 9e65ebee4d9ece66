"""What has to be there so that somebody is told when something fails, and can look at it."""

from __future__ import annotations

from collections.abc import Iterator

from ..infra.capabilities import how_to_get
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig


def stack_problems(stack: StackConfig) -> Iterator[Finding]:
    """Dashboards of what nobody records; the paths are the stack config's."""
    if not stack.lacks("grafana") and stack.lacks("prometheus-operator"):
        yield Finding(
            "no dashboards are made: they show what rules record, which needs the Prometheus Operator",
            path=("has",),
            severity="warning",
            remedy=how_to_get("prometheus-operator"),
        )


def problems(spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
    """GPUs that nobody measures; nothing to say where nothing is measured at all, which ``slo`` says."""
    if spec.serving.resources.accelerator is None or stack is None or stack.lacks("prometheus-operator"):
        return
    if stack.lacks("dcgm-exporter"):
        yield Finding(
            "the stack has no dcgm-exporter: no alerts on the GPUs' memory and errors (XID)",
            path=("serving", "resources", "accelerator"),
            severity="warning",
            remedy=how_to_get("dcgm-exporter"),
        )
