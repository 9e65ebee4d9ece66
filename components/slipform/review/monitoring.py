"""What a spec's hardware needs so that somebody is told when it fails."""

from __future__ import annotations

from collections.abc import Iterator

from ..infra.capabilities import how_to_get
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig


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
