"""From what, with what and on what an artefact was made: enough to make it again."""

import platform
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import msgspec

from slipform_runtime import __version__
from slipform_runtime.build import processor
from slipform_runtime.cpus import available_cpus


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of the build itself."""

    built_at: str
    """RFC 3339, UTC."""

    tools: dict[str, str]
    """Versions of the packages that decide what comes out."""

    flags: dict[str, Any]
    """What the target's tools were told."""

    hardware: dict[str, Any]
    manifest: dict[str, Any]
    """The manifest as it was read."""


def provenance(tools: tuple[str, ...], flags: dict[str, Any], manifest: dict[str, Any]) -> Provenance:
    """Of a build on this machine, now."""
    return Provenance(
        built_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        tools={"python": platform.python_version(), "slipform-runtime": __version__, **versions(tools)},
        flags=flags,
        hardware={
            "machine": platform.machine(),
            "system": platform.system(),
            "processor": processor.name(),
            "processors_used": available_cpus(),
            "instruction_sets": processor.features(),
            "memory_bytes": processor.memory_bytes(),
            "gpus": processor.gpus(),
        },
        manifest=manifest,
    )


def versions(tools: tuple[str, ...]) -> dict[str, str]:
    """By package; one that is there without its metadata, as in NVIDIA's containers, is asked itself."""
    found = {}
    for tool in ("numpy", *tools):
        try:
            found[tool] = metadata.version(tool)
        except metadata.PackageNotFoundError:
            module = __import__(tool)
            found[tool] = str(getattr(module, "__version__", "unknown"))
    return found
