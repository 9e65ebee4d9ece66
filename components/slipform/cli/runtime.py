"""The bundled runtime on this machine: whether it is there, how it is started, and when it is ready."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal


def needs_runtime(what_for: Literal["serve", "build"] = "serve") -> None:
    """Raises SlipformError where the runtime is not installed, or not with what a build needs."""
    from importlib.util import find_spec

    from ..spec.findings import SlipformError

    if find_spec("slipform_runtime") is None or (what_for == "build" and find_spec("onnx") is None):
        package = "slipform-runtime[build]" if what_for == "build" else "slipform[serve]"
        raise SlipformError(f"the runtime is not installed here: pip install '{package}'")


def serve_command(repository: Path, config: Path, *, http: int = 0, grpc: int = 0, metrics: int = 0) -> list[str]:
    """What starts it, reachable from this machine only; a port of 0 is a free one."""
    return [
        sys.executable, "-m", "slipform_runtime", "serve",
        f"--model-repository={repository}", f"--config={config}", "--http-address=127.0.0.1",
        f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}",
    ]  # fmt: skip


def ports_when_ready(log: Iterable[str], seen: Callable[[str], object] = str) -> dict[str, int] | None:
    """The ports by ``http``, ``grpc`` and ``metrics``, once the log says ``server_ready``; None where it ends before.

    ``seen`` is called with each line until then.
    """
    for line in log:
        seen(line)
        event: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "server_ready":
            return {port: event[f"{port}_port"] for port in ("http", "grpc", "metrics")}
    return None
