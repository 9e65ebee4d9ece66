"""What a program tells the engine besides its resources: messages."""

from __future__ import annotations

from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2

_SEVERITIES = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}


class RecordingEngine:
    """Keeps what `pulumi.log` is given, debug messages aside."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def warn(self, text: str, urn: str) -> None:
        self.messages.append({"severity": "warning", "text": text, "urn": urn or None})

    def Log(self, request: Any) -> Any:  # noqa: N802  the service's own name
        severity = _SEVERITIES.get(request.severity)
        if severity is not None:
            urn = None if "pulumi:pulumi:Stack" in request.urn else request.urn or None
            self.messages.append({"severity": severity, "text": request.message, "urn": urn})
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, request: Any) -> Any:  # noqa: N802
        """No engine, so no version to compare: the demand is left to the real one."""
        return empty_pb2.Empty()
