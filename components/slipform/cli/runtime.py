"""The bundled runtime on this machine: how it is started for ``serve`` and ``bench``, and when it is ready."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def needs_runtime() -> None:
    """Raises SlipformError where the runtime is not installed."""
    from importlib.util import find_spec

    from ..spec.findings import SlipformError

    if find_spec("slipform_runtime") is None:
        raise SlipformError("the runtime is not installed here: pip install 'slipform[serve]'")


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
